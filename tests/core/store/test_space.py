"""The file of the store gives back what a drained backlog took, and its log what a long commit did.

`DRAGOMAN_SPACE_MB=2000` drains so much beside live data of 20 and 200 MB, in queues that make it slow, instead of the few pages
that every run has time for.
"""

import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final

import apsw
import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from core.store.batch import Batch, Run, rows_of
from core.store.errors import StoreFull
from core.store.formats import FORMAT
from core.store.space import LEAST_STEP_PAGES, LOG_LIMIT_BYTES, Clock, Limits, untimed
from core.store.sqlite import FILE, SqliteStore
from tests.core.store.disk import Disk
from tests.core.store.history import left, tidied

KEPT: Final = 16  # free pages
PAGE_BYTES: Final = 4_096
BACKLOG_MB: Final = int(os.environ.get("DRAGOMAN_SPACE_MB", "0"))


def small(step_pages: int = 8, slow_s: float = 1e9) -> Limits:
    return Limits(
        checkpoint_pages=40,
        kept_free_pages=KEPT,
        shortened_pages=20,
        step_pages=step_pages,
        slow_s=slow_s,
        slow_steps=5,
    )


class Filler:
    """A store, and beside it which records it must have."""

    def __init__(self, directory: Path, limits: Limits | None = None, clock: Clock = untimed) -> None:
        self.directory = directory
        self.store = SqliteStore(directory, limits, clock)
        self.store.begin()
        self.rows: dict[int, dict[int, bytes]] = {}
        self._next: dict[int, int] = {}
        self._batches = 0

    def batch(self) -> Batch:
        self._batches += 1
        return Batch(self._batches)

    def put(self, batch: Batch, queue: int, count: int, size: int) -> None:
        """Add records to the end of a queue."""
        first = self._next.get(queue, rows_of(queue)[0] + 1)
        run = Run(first)
        run.records = [(first + n).to_bytes(8, "big") + bytes(size) for n in range(count)]
        batch.runs.append(run)
        self._next[queue] = first + count
        self.rows.setdefault(queue, {}).update(enumerate(run.records, first))

    def take(self, batch: Batch, queue: int, count: int, every: int = 1) -> None:
        """Remove the first records of a queue, or one of so `every` many."""
        rows = self.rows.get(queue, {})
        for row in sorted(rows)[: count * every : every]:
            batch.removed.append(row)
            del rows[row]

    def filled(self, queue: int, count: int, size: int, at_once: int = 100) -> None:
        """Commit records of one queue."""
        for begin in range(0, count, at_once):
            batch = self.batch()
            self.put(batch, queue, min(at_once, count - begin), size)
            self.store.commit(batch)

    def drained(self, queue: int, keep: int = 0, at_once: int = 100) -> None:
        """Remove the records of one queue by and by."""
        while len(self.rows[queue]) > keep:
            batch = self.batch()
            self.take(batch, queue, min(at_once, len(self.rows[queue]) - keep))
            self.store.commit(batch)

    def turned_over(self, queue: int, count: int, size: int) -> None:
        """Commit as many records into a queue as out of it."""
        batch = self.batch()
        self.put(batch, queue, count, size)
        self.take(batch, queue, count)
        self.store.commit(batch)

    def pages(self) -> tuple[int, int]:
        """Return how many pages are free and in use."""
        free = self.store._one("pragma freelist_count") or 0
        return free, (self.store._one("pragma page_count") or 0) - free

    def bounded(self, kept: int = KEPT) -> bool:
        free, used = self.pages()
        return free <= used // 2 + kept

    def size_bytes(self, suffix: str = "") -> int:
        return (self.directory / f"{FILE}{suffix}").stat().st_size

    def check(self) -> None:
        """The store has what it must have, and its file is sound."""
        for queue, rows in self.rows.items():
            assert self.store.rows(queue, 0, 1 << 30) == sorted(rows.items())
        assert self.store._all("pragma integrity_check") == [("ok",)]


@pytest.mark.parametrize("keep", [0, 100, 1_500])
def test_a_backlog_that_is_drained_at_once_goes_while_there_is_nothing_to_commit(tmp_path: Path, keep: int) -> None:
    filler = Filler(tmp_path)
    filler.filled(1, 5_000, 30_000, at_once=5_000)
    reader = filler.store.reader()
    filler.drained(1, keep, at_once=5_000)
    assert filler.size_bytes() > 140 << 20
    assert tidied(filler.store) > 3
    used = filler.pages()[1] * PAGE_BYTES
    assert filler.size_bytes() + filler.size_bytes("-wal") < 1.5 * used + 64_000_000
    first, end = rows_of(1)
    assert reader.read(first, end, 10_000, 1 << 40) == filler.store.rows(1, 0, 10_000)
    filler.check()
    filler.store.close()
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    db.close()


def test_no_page_moves_while_a_backlog_is_being_drained(tmp_path: Path) -> None:
    filler = Filler(tmp_path, small())
    filler.filled(1, 2_000, 1_000)
    total = sum(filler.pages())
    for keep in range(1_900, 0, -100):
        filler.drained(1, keep)
        assert sum(filler.pages()) == total
    assert not filler.bounded()


def test_commits_that_go_on_give_back_what_was_drained_before(tmp_path: Path) -> None:
    filler = Filler(tmp_path, small())
    filler.filled(1, 300, 1_000)
    filler.filled(2, 3_000, 1_000)
    filler.filled(1, 300, 1_000)
    filler.drained(2)
    assert not filler.bounded()
    commits = 0
    while not filler.bounded():
        filler.turned_over(1, 20, 1_000)
        commits += 1
        assert commits < 1_000
    _, used = filler.pages()
    filler.turned_over(1, 20, 1_000)
    assert filler.size_bytes() <= (1.5 * used + KEPT + 40) * PAGE_BYTES
    filler.check()


def test_commits_that_only_add_give_back_too_once_it_has_begun(tmp_path: Path) -> None:
    filler = Filler(tmp_path, small())
    filler.filled(2, 3_000, 1_000)
    filler.filled(1, 20, 1_000)
    filler.drained(2)
    filler.turned_over(1, 10, 1_000)
    total = sum(filler.pages())
    filler.filled(1, 1, 1_000)
    assert sum(filler.pages()) < total
    filler.check()


def test_what_is_given_back_is_cut_off_in_small_parts(tmp_path: Path) -> None:
    """Cutting a file costs time by the length that goes, and a commit may wait for it."""
    filler = Filler(tmp_path, small())
    filler.filled(1, 3_000, 1_000)
    filler.drained(1, at_once=3_000)
    filler.store.tidy()
    size = filler.size_bytes()
    most = 0
    while filler.store.tidy():
        most = max(most, size - filler.size_bytes())
        size = filler.size_bytes()
    assert PAGE_BYTES * 20 <= most <= PAGE_BYTES * (20 + 8)
    assert size <= PAGE_BYTES * 50


class Ticking:
    """A clock on which every look at it takes as long as it is told."""

    def __init__(self, look_s: float) -> None:
        self.look_s = look_s
        self._now_s = 100.0

    def __call__(self) -> float:
        self._now_s += self.look_s
        return self._now_s


def test_a_step_is_as_long_as_its_time_allows(tmp_path: Path) -> None:
    clock = Ticking(1e-3)
    filler = Filler(tmp_path, small(step_pages=64), clock)
    filler.filled(1, 8_000, 1_000)
    filler.drained(1, at_once=8_000)

    def step() -> int:
        before = sum(filler.pages())
        assert filler.store.tidy()
        return before - sum(filler.pages())

    for _ in range(12):
        step()
    assert step() == 64
    clock.look_s = 1.0  # as on a slow disk
    for _ in range(10):
        least = step()
    assert least == LEAST_STEP_PAGES
    clock.look_s = 1e-3
    for _ in range(40):
        step()
    assert step() == 64


def test_a_small_rest_is_written_anew_where_steps_would_take_long(tmp_path: Path) -> None:
    filler = Filler(tmp_path, small(slow_s=0.0))
    filler.filled(1, 3_000, 1_000)
    filler.drained(1, 10, at_once=3_000)
    for _ in range(5):
        assert filler.store.tidy()
        assert not filler.bounded()
    assert filler.store.tidy()
    assert filler.pages()[0] == 0
    assert not filler.store.tidy()
    assert filler.size_bytes() == sum(filler.pages()) * PAGE_BYTES < 20 * PAGE_BYTES
    assert filler.store._one("pragma auto_vacuum") == 2
    assert filler.store._one("pragma user_version") == FORMAT
    filler.check()


def test_a_long_log_is_cut_while_there_is_nothing_to_commit(tmp_path: Path) -> None:
    filler = Filler(tmp_path)
    filler.filled(1, 2_000, 30_000, at_once=2_000)
    assert filler.size_bytes("-wal") > LOG_LIMIT_BYTES
    tidied(filler.store)
    assert filler.size_bytes("-wal") <= LOG_LIMIT_BYTES


def test_a_commit_that_finds_no_room_is_tried_again_without_a_step(quick_path: Path) -> None:
    disk = Disk()
    with disk.mounted():
        filler = Filler(quick_path / "data", small())
        filler.filled(1, 100, 1_000)
        filler.filled(2, 1_000, 1_000)
        filler.filled(1, 100, 1_000)
        filler.drained(2)
        total = sum(filler.pages())
        batch = filler.batch()
        filler.take(batch, 1, 1)
        disk.fail = lambda _: apsw.FullError("injected")
        with pytest.raises(StoreFull):
            filler.store.commit(batch)
        disk.fail = lambda _: None
        filler.store.commit(batch)
        assert sum(filler.pages()) == total
        assert tidied(filler.store) > 0
        filler.check()
        left(filler.store, quick_path / "data", quick_path / "left")


class SpaceModel(RuleBasedStateMachine):
    """Random work of any kind, at rest and not, and after it the file has its bound."""

    folder = Path()

    @initialize()
    def open(self) -> None:
        self.filler = Filler(Path(tempfile.mkdtemp(dir=self.folder)), small())

    @rule(queue=st.integers(1, 4), count=st.integers(1, 60), size=st.sampled_from([10, 300, 1_500, 5_000]))
    def put(self, queue: int, count: int, size: int) -> None:
        batch = self.filler.batch()
        self.filler.put(batch, queue, count, size)
        self.filler.store.commit(batch)

    @rule(queue=st.integers(1, 4), count=st.integers(1, 200), every=st.integers(1, 3))
    def take(self, queue: int, count: int, every: int) -> None:
        batch = self.filler.batch()
        self.filler.take(batch, queue, count, every)
        self.filler.store.commit(batch)

    @rule(queue=st.integers(1, 4))
    def purge(self, queue: int) -> None:
        batch = self.filler.batch()
        first, end = rows_of(queue)
        batch.removed_ranges.append((first, end - 1))
        self.filler.rows.pop(queue, None)
        self.filler.store.commit(batch)

    @rule(steps=st.integers(1, 5))
    def rest(self, steps: int) -> None:
        for _ in range(steps):
            self.filler.store.tidy()

    @rule()
    def open_again(self) -> None:
        self.filler.store.close()
        self.filler.store = SqliteStore(self.filler.directory, small())

    @invariant()
    def is_there(self) -> None:
        if hasattr(self, "filler"):
            self.filler.check()

    def teardown(self) -> None:
        if not hasattr(self, "filler"):
            return
        filler = self.filler
        tidied(filler.store)
        free, used = filler.pages()
        assert free <= used // 2 + KEPT
        assert filler.size_bytes() == (free + used) * PAGE_BYTES
        filler.check()
        filler.store.close()


def test_the_file_has_its_bound_after_any_work(quick_path: Path) -> None:
    class Placed(SpaceModel):
        folder = quick_path

    run_state_machine_as_test(Placed, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))


@pytest.mark.skipif(not BACKLOG_MB, reason="DRAGOMAN_SPACE_MB says how much to drain")
@pytest.mark.parametrize("live_mb", [20, 200])
def test_much_is_given_back(tmp_path: Path, live_mb: int) -> None:
    """Forty queues that grew together and are drained one after another: pages are looked for in the whole list."""
    filler = Filler(tmp_path, clock=time.monotonic)
    queues = 40
    for _ in range(BACKLOG_MB):
        batch = filler.batch()
        for queue in range(1, queues + 1):
            filler.put(batch, queue, 1_000 // queues, 992)
        filler.put(batch, 100, 1_000 * live_mb // BACKLOG_MB, 992)
        filler.store.commit(batch)
    for queue in range(1, queues + 1):
        filler.drained(queue, at_once=1_000)
    began = time.monotonic()
    tidied(filler.store)
    taken_s = time.monotonic() - began
    used = filler.pages()[1] * PAGE_BYTES
    assert filler.size_bytes() + filler.size_bytes("-wal") < 1.5 * used + 64_000_000
    assert taken_s < 60 * (BACKLOG_MB / 2_000) ** 2 + 60
    filler.check()
    filler.store.close()
