"""Power losses on a real file system: ext4 in a file, mounted through a loop device, and shut down without a flush.

After the shutdown nothing reaches the disk any more, and what was not synced is gone, as with a plug that is pulled. Unsynced
writes vanish together here; that they may also be torn and reordered is for the simulated disk of the store's own tests.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final, Self

SIZE_BYTES: Final = 512 << 20
SHUTDOWN: Final = 0x8004587D  # EXT4_IOC_SHUTDOWN
NO_LOG_FLUSH: Final = struct.pack("I", 2)  # EXT4_GOING_FLAGS_NOLOGFLUSH


def unavailable() -> str:
    """Return why this machine cannot do it, or nothing."""
    if not sys.platform.startswith("linux"):
        return "power losses need Linux: ext4 and its shutdown"
    if os.geteuid() != 0:
        return "power losses need root: mount, and the shutdown of a file system"
    for program in ("mkfs.ext4", "mount", "umount", "losetup"):
        if shutil.which(program) is None:
            return f"power losses need {program}"
    free = subprocess.run(["losetup", "--find"], capture_output=True, text=True, check=False)
    if free.returncode:
        return f"power losses need a loop device: {free.stderr.strip()}"
    return ""


class LoopDisk:
    """A file system in `folder` that can lose its power; mounted while it is entered, at `path`."""

    def __init__(self, folder: Path, size_bytes: int = SIZE_BYTES) -> None:
        self.path = folder / "disk"
        self._size_bytes = size_bytes
        self._image = folder / "disk.img"

    def __enter__(self) -> Self:
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(self._size_bytes)
        _run("mkfs.ext4", "-q", str(self._image))
        self.mount()
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()

    def mount(self) -> None:
        """Mount it, replaying its journal."""
        _run("mount", "-o", "loop", str(self._image), str(self.path))

    def unmount(self) -> None:
        """Let go of it. Nobody may have a file open."""
        _run("umount", str(self.path))

    def lose_power(self) -> None:
        """Let nothing reach the disk from now on."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(folder)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
