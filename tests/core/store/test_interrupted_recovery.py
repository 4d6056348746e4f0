"""A recovery that ends anywhere, and the next one too, three deep, still recovers everything in the end."""

import copy
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.broker import Broker
from core.model.message import AT_LEAST_ONCE, plain_message
from core.recovery import mark_seen, recover
from core.store.interface import Store
from core.store.memory import MemoryStore
from core.store.sqlite import FILE, SqliteStore
from tests.core.parts import Holder, a_broker, a_client
from tests.core.store.filling import commit
from tests.core.store.history import left

DEPTH = 3
COUNTS = {"a": 30, "b": 7, "c": 0}
TAKEN = 2  # from the front of "a", before
LENT = 4  # behind them, handed out before an orderly stop
BROKEN = 20  # number of a message of "a" whose record fails its checksum
LAST_CALL = 100  # more than a start has

Found = dict[str, list[tuple[bytes, bool]]]  # bodies in order, and whether each says that it was delivered before


class Death(BaseException):
    """The end of a process."""


class Calls:
    """Counts what a process asks of its store, and ends it at one of the calls: before it is done, or behind."""

    def __init__(self, last: int, *, done: bool) -> None:
        self.count = 0
        self._last = last
        self._done = done

    def make(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        self.count += 1
        if self.count == self._last and not self._done:
            raise Death
        found = call(*arguments)
        if self.count == self._last:
            raise Death
        return found


def _counted(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any) -> Any:
        return self.calls.make(getattr(self.inner, name), arguments)

    return method


def mortal(store: Store, calls: Calls) -> Store:
    """Return a store of which each call is counted, whatever calls a store has."""
    names = [name for name in vars(Store) if not name.startswith("_")]
    found: Any = type("Mortal", (Store,), {name: _counted(name) for name in names})()
    found.inner = store
    found.calls = calls
    return found  # type: ignore[no-any-return]


def start(store: Store) -> Broker:
    """Do all of a start: recover, and commit what that has told the journal."""
    broker = a_broker()
    recover(broker, store)
    for queue in broker.vhosts["/"].queues.values():
        queue.backlog.entries()  # have everything in memory
    commit(broker, store)
    return broker


def contents_of(broker: Broker) -> Found:
    queues = broker.vhosts["/"].queues
    return {
        name: [(entry.message.body, entry.redelivered) for entry in queue.backlog.entries()]
        for name, queue in queues.items()
    }


def fill(store: Store, *, in_order: bool) -> None:
    """Leave a store as a broker does that has delivered some messages, and stop it in order or not."""
    broker = start(store)
    client = a_client(broker)
    for queue, count in COUNTS.items():
        client.declare_queue(queue, durable=True)
        target = client.target("", queue)
        for number in range(count):
            client.publish(
                target.exchange, plain_message(target.address, f"{queue} {number} ".encode(), AT_LEAST_ONCE), None, 0
            )
    commit(broker, store)
    holder = Holder(credit=TAKEN + LENT, settles=True)
    client.consume("a", holder)
    broker.run()
    for entry in holder.held[:TAKEN]:
        entry.queue.accept(entry)
    commit(broker, store)
    if in_order:
        holder.credit = 0
        for entry in holder.held[TAKEN : TAKEN + LENT]:
            entry.queue.requeue(entry)
        mark_seen(broker)
        commit(broker, store)


class InMemory:
    """A store without files."""

    def __init__(self, *, in_order: bool) -> None:
        self._image = MemoryStore()
        fill(self._image, in_order=in_order)
        if in_order:
            self._image.close()
        rows = self._image._rows
        [row] = [row for row, record in rows.items() if f"a {BROKEN} ".encode() in record]
        rows[row] = rows[row][:-1] + b"!"
        self.store = copy.deepcopy(self._image)

    def renew(self) -> None:
        """Be as it was before any start."""
        self.store = copy.deepcopy(self._image)

    def die(self) -> None:
        """Leave what is written to the next process."""

    def set_aside(self) -> list[bytes]:
        return [record for _, record, _ in self.store.quarantine]


class OnDisk:
    """A store of SQLite; each process has a folder, with what the one before has left."""

    def __init__(self, folder: Path, *, in_order: bool) -> None:
        self._folders = (folder / str(number) for number in itertools.count())
        self._folder = next(self._folders)
        store = SqliteStore(self._folder)
        fill(store, in_order=in_order)
        if in_order:
            store.close()
        else:
            folder, self._folder = self._folder, next(self._folders)
            left(store, folder, self._folder)
        db = apsw.Connection(str(self._folder / FILE))
        [row] = [
            row for row, record in db.execute("select row, record from entry") if f"a {BROKEN} ".encode() in record
        ]
        db.execute("update entry set record = record || x'21' where row = ?", (row,))
        db.close()
        self._image = self._folder
        self.store = SqliteStore(self._image)
        self.renew()

    def renew(self) -> None:
        self.store._db.close(True)
        os.close(self.store._lock)
        self._folder = next(self._folders)
        shutil.copytree(self._image, self._folder)
        self.store = SqliteStore(self._folder)

    def die(self) -> None:
        for reader in self.store._readers:
            reader.close()
        folder, self._folder = self._folder, next(self._folders)
        left(self.store, folder, self._folder)
        self.store = SqliteStore(self._folder)

    def set_aside(self) -> list[bytes]:
        return [row[0] for row in self.store._db.execute("select record from quarantine")]


def check(medium: InMemory | OnDisk, deaths: list[tuple[int, bool]]) -> int:
    """Let starts die at these calls, one after the other, and judge the one after them; return how many died."""
    medium.renew()
    undisturbed = contents_of(start(medium.store))
    assert [body for body, _ in undisturbed["a"]] == [b"a %d " % n for n in range(TAKEN, COUNTS["a"]) if n != BROKEN]
    medium.renew()
    died = 0
    for last, done in deaths:
        try:
            start(mortal(medium.store, Calls(last, done=done)))
        except Death:
            died += 1
        medium.die()
    found = contents_of(start(medium.store))
    assert list(found) == list(undisturbed)
    for name, expected in undisturbed.items():
        assert [body for body, _ in found[name]] == [body for body, _ in expected]
        for (body, marked), (_, was_marked) in zip(found[name], expected, strict=True):
            assert marked or not was_marked, f"{body!r} was delivered before and does not say so"
    assert [record.count(b"a %d" % BROKEN) for record in medium.set_aside()] == [1]
    return died


@pytest.mark.parametrize("in_order", [True, False], ids=["after a stop", "after a crash"])
@pytest.mark.parametrize("done", [True, False], ids=["behind", "before"])
def test_a_start_that_dies_at_any_call_three_times_loses_nothing(
    quick_path: Path, *, in_order: bool, done: bool
) -> None:
    for medium in (InMemory(in_order=in_order), OnDisk(quick_path, in_order=in_order)):
        calls = 0
        while check(medium, [(calls + 1, done)] * DEPTH):
            calls += 1
        assert 5 < calls < LAST_CALL


@given(
    st.lists(st.tuples(st.integers(1, 25), st.booleans()), min_size=DEPTH, max_size=DEPTH),
    st.booleans(),
)
def test_starts_that_die_at_different_calls_lose_nothing(deaths: list[tuple[int, bool]], in_order: bool) -> None:
    check(InMemory(in_order=in_order), deaths)
