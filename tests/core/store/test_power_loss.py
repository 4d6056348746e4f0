"""Nothing that a commit returned for is lost by a power loss, on a disk that drops, tears and reorders what was not synced.

`DRAGOMAN_CRASH_STATES=100000` tries so many states at random instead of the few that every run has time for.
"""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from core.store.errors import StoreError
from core.store.sqlite import SqliteStore
from tests.core.store.disk import MARK, Disk, Files, Operation, Platter
from tests.core.store.history import History, contents_of, opened, tidied

COMMITS: Final = 30
RANDOM_STATES: Final = int(os.environ.get("DRAGOMAN_CRASH_STATES", "8000"))


def recording(directory: Path, history: History, disk: Disk, settings: str = "") -> list[Operation]:
    """Commit the whole history, closing the store once in the middle, and return what the disk was asked for."""
    with disk.mounted():
        for first, end in ((0, COMMITS // 2), (COMMITS // 2, COMMITS)):
            store = opened(directory)
            if settings:
                store._db.execute(settings).fetchall()
            store.begin()
            disk.mark("in use")
            for number in range(first, end):
                store.commit(history.batches[number])
                disk.mark(str(number + 1))
                tidied(store)
            disk.mark("closing")
            store.close()
            disk.mark("closed")
    return disk.operations


class Moment:
    """A place in a recording: what was promised by then, and whether a clean mark would be a lie."""

    def __init__(self) -> None:
        self.promised = 0
        self.in_use = False

    def see(self, operation: Operation) -> None:
        if operation.kind == MARK:
            if operation.name.isdigit():
                self.promised = int(operation.name)
            self.in_use = operation.name == "in use" or (self.in_use and operation.name.isdigit())


def prefixes(operations: list[Operation]) -> Iterator[tuple[str, Moment, Files]]:
    """Every prefix of a recording, with and without what was not synced."""
    platter, moment = Platter(), Moment()
    for number, operation in enumerate(operations):
        platter.apply(operation)
        moment.see(operation)
        yield f"all of {number}: {operation}", moment, platter.left(platter.pending)
        yield f"only what is synced by {number}: {operation}", moment, platter.left([])


def subsets(operations: list[Operation], seed: int, count: int) -> Iterator[tuple[str, Moment, Files]]:
    """Random parts of what was not synced, at random places."""
    chance = random.Random(seed)
    done = 0
    while done < count:
        platter, moment = Platter(), Moment()
        for number, operation in enumerate(operations):
            platter.apply(operation)
            moment.see(operation)
            if len(platter.pending) > 1 and chance.random() < 0.25:
                done += 1
                yield f"part {done} of seed {seed} at {number}: {operation}", moment, platter.left(platter.some(chance))


def lost(states: Iterator[tuple[str, Moment, Files]], history: History, directory: Path) -> Iterator[str]:
    """Open each state with a plain store, and tell of those that do not hold what was promised, or a part of more."""
    seen: set[int] = set()
    for what, moment, files in states:
        known = hash((moment.promised, moment.in_use, tuple(sorted(files.items()))))
        if known in seen:
            continue
        seen.add(known)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for name, data in files.items():
            (directory / name).write_bytes(data)
        try:
            store = SqliteStore(directory)
        except StoreError as error:
            yield f"{what}: {error}"
            continue
        found, clean = contents_of(store), store.stopped_cleanly()
        store.close()
        if found not in history.contents[moment.promised : moment.promised + 2]:
            yield f"{what}: {found} instead of {history.contents[moment.promised]}"
        if clean and moment.in_use:
            yield f"{what}: it says that it was stopped in order"


@pytest.fixture(scope="module")
def history() -> History:
    return History(1, COMMITS)


def test_every_prefix_of_a_run_has_what_was_committed(quick_path: Path, history: History) -> None:
    operations = recording(quick_path / "data", history, Disk())
    assert len(operations) > 300
    assert next(lost(prefixes(operations), history, quick_path / "state"), None) is None


@pytest.mark.parametrize("seed", [1, 2])
def test_any_part_of_what_was_not_synced_may_be_lost(quick_path: Path, history: History, seed: int) -> None:
    operations = recording(quick_path / "data", history, Disk())
    states = subsets(operations, seed, RANDOM_STATES // 2)
    assert next(lost(states, history, quick_path / "state"), None) is None


def test_a_disk_that_forgets_its_syncs_is_found_out(quick_path: Path, history: History) -> None:
    """The check itself: without syncs it must find something lost."""
    operations = recording(quick_path / "data", history, Disk(forgets_syncs=True))
    assert next(lost(prefixes(operations), history, quick_path / "state"), None) is not None


@pytest.mark.parametrize("settings", ["pragma synchronous = off", "pragma synchronous = normal"])
def test_a_store_that_does_not_sync_each_commit_is_found_out(quick_path: Path, history: History, settings: str) -> None:
    operations = recording(quick_path / "data", history, Disk(), settings)
    assert next(lost(prefixes(operations), history, quick_path / "state"), None) is not None
