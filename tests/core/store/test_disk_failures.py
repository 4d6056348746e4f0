"""A disk that is full or fails at any one of its calls: what a commit returned for is there, and nothing is there by half."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw
import pytest

from core.store.errors import StoreError, StoreFull
from core.store.sqlite import SqliteStore
from tests.core.store.disk import Disk
from tests.core.store.history import History, contents_of, left, opened, tidied

COMMITS: Final = 12


def failing_at(number: int, error: type[apsw.Error]) -> Callable[[int], Exception | None]:
    return lambda call: error("injected") if call == number else None


@pytest.fixture(scope="module")
def history() -> History:
    return History(2, COMMITS)


@pytest.fixture(scope="module")
def calls(history: History, tmp_path_factory: pytest.TempPathFactory) -> range:
    """The calls of the whole history that may fail, behind those that make an empty store."""
    disk = Disk()
    folder = tmp_path_factory.mktemp("count")
    with disk.mounted():
        store = opened(folder / "data")
        store.begin()
        first = disk.calls
        steps = 0
        for batch in history.batches:
            store.commit(batch)
            steps += tidied(store)
        assert steps > 3
        last = disk.calls
        left(store, folder / "data", folder / "left")
    assert last - first > 100
    return range(first + 1, last + 1)


def test_a_full_disk_leaves_the_store_as_it_was_and_the_same_batch_goes_in_later(
    quick_path: Path, history: History, calls: range
) -> None:
    refused = 0
    for call in calls:
        folder = quick_path / str(call)
        disk = Disk()
        disk.fail = failing_at(call, apsw.FullError)
        with disk.mounted():
            store = opened(folder)
            store.begin()
            for number, batch in enumerate(history.batches):
                try:
                    store.commit(batch)
                except StoreFull:
                    refused += 1
                    assert contents_of(store) == history.contents[number]
                    store.commit(batch)
                tidied(store)
            assert contents_of(store) == history.contents[-1]
            left(store, folder, quick_path / f"{call}-left")
        assert contents_of(SqliteStore(quick_path / f"{call}-left")) == history.contents[-1]
    assert refused > len(calls) // 3  # the others were calls of checkpoints, which are tried again with the next commit


def test_a_disk_that_stays_full_refuses_every_commit_and_can_be_read(quick_path: Path, history: History) -> None:
    disk = Disk()
    with disk.mounted():
        store = opened(quick_path / "data")
        store.begin()
        for batch in history.batches[:5]:
            store.commit(batch)
        disk.fail = lambda _: apsw.FullError("injected")
        for _ in range(3):
            with pytest.raises(StoreFull, match=r"no space left for .*dragoman.db"):
                store.commit(history.batches[5])
            assert contents_of(store) == history.contents[5]
        disk.fail = lambda _: None
        for batch in history.batches[5:]:
            store.commit(batch)
        store.close()
    assert contents_of(SqliteStore(quick_path / "data")) == history.contents[-1]


def test_a_failing_call_ends_the_store_and_loses_nothing_that_was_committed(
    quick_path: Path, history: History, calls: range
) -> None:
    stopped = 0
    for call in calls:
        folder, copy = quick_path / str(call), quick_path / f"{call}-left"
        disk = Disk()
        disk.fail = failing_at(call, apsw.IOError)
        committed = 0
        with disk.mounted():
            store = opened(folder)
            store.begin()
            for batch in history.batches:
                try:
                    store.commit(batch)
                except StoreFull:
                    pytest.fail("a failing disk is not a full one")
                except StoreError:
                    stopped += 1
                    break
                committed += 1
                try:
                    tidied(store)
                except StoreError:
                    stopped += 1
                    break
            left(store, folder, copy)
        again = SqliteStore(copy)
        assert not again.stopped_cleanly()
        assert contents_of(again) in history.contents[committed : committed + 2], f"call {call}, {committed} committed"
        again.close()
    assert stopped > len(calls) // 3


def test_a_store_that_cannot_be_made_says_so_and_can_be_made_later(quick_path: Path, calls: range) -> None:
    said: list[str] = []
    for call in range(1, calls.start):
        folder = quick_path / str(call)
        for error in (apsw.FullError, apsw.IOError):
            disk = Disk()
            disk.fail = failing_at(call, error)
            with disk.mounted():
                try:
                    store = SqliteStore(folder)
                except StoreError as failure:
                    said.append(str(failure))
                else:
                    disk.fail = lambda _: None
                    left(store, folder, quick_path / f"{call}-{error.__name__}")
        store = SqliteStore(folder)
        assert contents_of(store).rows == {}
        store.close()
    assert said
    assert all("dragoman.db" in text for text in said)
