"""What this process may take of the machine's processors."""

import os
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUPS: Final = Path("/proc/self/cgroup")


def can_spare_a_core() -> bool:
    """Tell whether a core may be kept busy: there is another one, and no limit of processor time that it would use up."""
    return cores() > 1 and not is_limited()


def cores() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_limited(own: Path = OWN_CGROUPS, root: Path = CGROUPS) -> bool:
    """Tell whether a control group of this process, or one above it, limits its processor time (Linux, version 1 or 2)."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        _, controllers, name = line.split(":", 2)
        named = controllers.split(",")
        if controllers and "cpu" not in named:
            continue
        file, unlimited = ("cpu.cfs_quota_us", "-1") if controllers else ("cpu.max", "max")
        place = (root / "cpu" if controllers else root) / name.lstrip("/")
        for folder in (place, *place.parents):
            try:
                if folder.is_relative_to(root) and (folder / file).read_text().split()[:1] != [unlimited]:
                    return True
            except OSError:
                continue  # outside of the container's view, or the root, which has no limit
    return False
