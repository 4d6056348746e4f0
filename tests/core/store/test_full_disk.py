"""A disk that is really full, whatever the store needed the space for: a file system in memory, which root can mount."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.store.batch import Batch, Run, rows_of
from core.store.errors import StoreFull
from core.store.space import Limits
from core.store.sqlite import SqliteStore

DISK_BYTES = 40 << 20
NEVER = 1 << 30  # pages of the log until it is copied into the file
INDEX_PAGES = 4_062  # of the log that the first part of its index has room for: SQLite's HASHTABLE_NPAGE_ONE
RECORD_BYTES = 3_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() or mount is None:
        pytest.skip("a small file system needs root, and mount")
    command = [mount, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a test that failed has files open


class Writer:
    """Commits a few records at a time."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "data", Limits(NEVER))
        self._chance = random.Random(1)
        self._first = rows_of(1)[0] + 1
        self._number = 0
        self.records: list[bytes] = []

    def commit(self, count: int) -> None:
        self._number += 1
        run = Run(self._first + len(self.records))
        run.records = [self._chance.randbytes(RECORD_BYTES) for _ in range(count)]
        batch = Batch(self._number)
        batch.runs.append(run)
        self.store.commit(batch)
        self.records += run.records

    def commit_until_full(self) -> None:
        while True:
            self.commit(2)


@pytest.mark.parametrize("left_kib", range(30, 130, 10))
def test_a_full_disk_is_one_also_where_the_index_of_the_log_grows(small_disk: Path, left_kib: int) -> None:
    writer = Writer(small_disk)
    while writer.store._space.log_pages < INDEX_PAGES - 20:
        writer.commit(1)
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk)
    ballast.write_bytes(bytes(free.f_bfree * free.f_frsize - (left_kib << 10)))
    with pytest.raises(StoreFull, match="no space left"):
        writer.commit_until_full()
    there = [record for _, record in writer.store.rows(1, 0, NEVER)]
    assert there == writer.records
    ballast.unlink()
    writer.commit(2)
    assert [record for _, record in writer.store.rows(1, 0, NEVER)] == writer.records
    writer.store.close()
