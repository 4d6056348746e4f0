"""Whether a core can be spared is read where Linux says it."""

from pathlib import Path

import pytest

from gateway import processors
from gateway.config import Config, Latency
from gateway.server import BUSY_POLL_US, busy_poll_us


def limited(folder: Path, own: str, files: dict[str, str]) -> bool:
    (folder / "own").write_text(own)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return processors.is_limited(folder / "own", folder / "cgroup")


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/\n", {"cgroup/cpu.max": "50000 100000\n"}),  # in a container, where its own group is the root
        ("0::/a/b\n", {"cgroup/a/b/cpu.max": "max 100000\n", "cgroup/a/cpu.max": "200000 100000\n"}),
        ("4:cpu,cpuacct:/a\n0::/\n", {"cgroup/cpu/a/cpu.cfs_quota_us": "50000\n"}),
    ],
)
def test_a_limit_of_the_group_or_of_one_above_counts(tmp_path: Path, own: str, files: dict[str, str]) -> None:
    assert limited(tmp_path, own, files)


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/a\n", {"cgroup/a/cpu.max": "max 100000\n"}),
        ("0::/a\n", {"cpu.max": "50000 100000\n", "cgroup/b/cpu.max": "50000 100000\n"}),  # of others
        ("4:cpu,cpuacct:/a\n3:memory:/b\n", {"cgroup/cpu/a/cpu.cfs_quota_us": "-1\n", "cgroup/b/cpu.max": "1 2\n"}),
        ("0::/gone\n", {}),
    ],
)
def test_no_limit_is_none(tmp_path: Path, own: str, files: dict[str, str]) -> None:
    assert not limited(tmp_path, own, files)


def test_a_system_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    assert not processors.is_limited(tmp_path / "own", tmp_path / "cgroup")


def test_this_process_has_cores() -> None:
    assert processors.cores() >= 1


@pytest.mark.parametrize(("cores", "is_limited", "expected"), [(2, False, BUSY_POLL_US), (1, False, 0), (8, True, 0)])
def test_the_busy_poll_is_on_where_a_core_can_be_spared(
    monkeypatch: pytest.MonkeyPatch, cores: int, is_limited: bool, expected: int
) -> None:
    monkeypatch.setattr(processors, "cores", lambda: cores)
    monkeypatch.setattr(processors, "is_limited", lambda: is_limited)
    assert busy_poll_us(Config()) == expected
    assert busy_poll_us(Config(latency=Latency(busy_poll_us=70))) == 70
