"""What every implementation of a store must do: the same batches lead to the same answers, before and after it is opened again.

`StoreMachine` drives an implementation beside a model of three mappings; a test of an implementation extends it and says how
one is opened.
"""

from array import array

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.store.batch import Batch, Run, rows_of
from core.store.interface import Store

QUEUES = [1, 2, 3, (1 << 22) - 1]
RECORDS = st.binary(min_size=1, max_size=40)


class StoreMachine(RuleBasedStateMachine):
    """One store, and what it must hold."""

    def open(self) -> Store:
        """Return the store: a new one at first, later the one that was closed or left."""
        raise AssertionError(f"{type(self).__name__} does not say how it is opened")

    def leave(self) -> None:
        """End the use of the store without closing it, as a crash does."""
        raise AssertionError(f"{type(self).__name__} does not say how it is left")

    @initialize()
    def begin(self) -> None:
        self.store = self.open()
        assert self.store.stopped_cleanly()
        self.store.begin()
        self.rows: dict[int, bytes] = {}
        self.known: dict[tuple[int, str], bytes] = {}
        self.next_row = {queue: rows_of(queue)[0] + 1 for queue in QUEUES}
        self.number = 0
        self.tallies: dict[int, bytes] = {}
        self.set_aside_count = 0
        self.reader = self.store.reader()

    def next_batch(self) -> Batch:
        self.number += 1
        return Batch(self.number)

    @rule(
        added=st.lists(st.tuples(st.sampled_from(QUEUES), st.lists(RECORDS, min_size=1, max_size=20)), max_size=4),
        defined=st.lists(
            st.tuples(st.integers(1, 3), st.sampled_from(["", "a", "ä\x00b"]), st.none() | RECORDS), max_size=4
        ),
        ended=st.lists(st.sampled_from(QUEUES), max_size=1),
        data=st.data(),
    )
    def commit(
        self,
        added: list[tuple[int, list[bytes]]],
        defined: list[tuple[int, str, bytes | None]],
        ended: list[int],
        data: st.DataObject,
    ) -> None:
        batch = self.next_batch()
        removed = data.draw(st.lists(st.sampled_from(sorted(self.rows)), unique=True)) if self.rows else []
        for queue, records in added:
            run = Run(self.next_row[queue])
            run.records = records
            batch.runs.append(run)
            for record in records:
                self.rows[self.next_row[queue]] = record
                self.next_row[queue] += 1
        batch.definitions = list(defined)
        batch.removed = array("q", removed)
        batch.ended_queues = ended
        for row in removed:
            del self.rows[row]
        for queue in ended:
            first, end = rows_of(queue)
            self.rows = {row: record for row, record in self.rows.items() if not first <= row < end}
            self.tallies.pop(queue, None)
        for kind, key, definition in defined:
            if definition is None:
                self.known.pop((kind, key), None)
            else:
                self.known[kind, key] = definition
        self.store.commit(batch)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def set_aside(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(sorted(self.rows)))
        batch = self.next_batch()
        batch.set_aside.append((row, self.rows.pop(row), "damaged"))
        self.set_aside_count += 1
        self.store.commit(batch)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), other=st.none() | RECORDS, again=st.none() | RECORDS)
    def set_a_definition_aside(self, data: st.DataObject, other: bytes | None, again: bytes | None) -> None:
        """Only the record that was read goes, and before what the batch sets under the same key."""
        kind, key = data.draw(st.sampled_from(sorted(self.known)))
        record = self.known[kind, key]
        batch = self.next_batch()
        batch.definitions_set_aside.append((kind, key, record if other is None else other, "damaged"))
        if other in (None, record):
            self.set_aside_count += 1
            del self.known[kind, key]
        if again is not None:
            batch.definitions.append((kind, key, again))
            self.known[kind, key] = again
        self.store.commit(batch)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def remove_range(self, data: st.DataObject) -> None:
        first, last = sorted(data.draw(st.tuples(*[st.sampled_from(sorted(self.rows))] * 2)))
        batch = self.next_batch()
        batch.removed_ranges.append((first, last))
        self.rows = {row: record for row, record in self.rows.items() if not first <= row <= last}
        self.store.commit(batch)

    @rule(tallies=st.dictionaries(st.sampled_from(QUEUES), st.none() | RECORDS, min_size=1))
    def count(self, tallies: dict[int, bytes | None]) -> None:
        batch = self.next_batch()
        batch.tallies.extend(tallies.items())
        for queue, record in tallies.items():
            self.tallies.pop(queue, None)
            if record is not None:
                self.tallies[queue] = record
        self.store.commit(batch)

    @rule(
        after=st.integers(0, 30), length=st.integers(0, 60), limit=st.integers(1, 30), limit_bytes=st.integers(1, 300)
    )
    def read(self, after: int, length: int, limit: int, limit_bytes: int) -> None:
        """By the way that stands beside the store: the same rows, as many as are asked for and fit, one at least."""
        for queue in QUEUES:
            first = rows_of(queue)[0] + after
            expected: list[tuple[int, bytes]] = []
            size = 0
            for row in sorted(row for row in self.rows if first < row <= first + length)[:limit]:
                if size >= limit_bytes:
                    break
                size += len(self.rows[row])
                expected.append((row, self.rows[row]))
            assert self.reader.read(first, first + length, limit, limit_bytes) == expected

    @rule()
    def close_and_open(self) -> None:
        self.store.close()
        self.store = self.open()
        assert self.store.stopped_cleanly()
        self.store.begin()
        self.reader = self.store.reader()

    @rule()
    def crash_and_open(self) -> None:
        self.leave()
        self.store = self.open()
        assert not self.store.stopped_cleanly()
        self.store.begin()
        self.reader = self.store.reader()

    @invariant()
    def it_holds_what_was_committed(self) -> None:
        if not hasattr(self, "store"):
            return
        assert list(self.store.definitions()) == [
            (kind, key, self.known[kind, key]) for kind, key in sorted(self.known)
        ]
        assert self.store.quarantined() == self.set_aside_count
        assert sorted(self.store.tallies()) == sorted(self.tallies.items())
        shift = rows_of(1)[0]
        assert self.store.queue_numbers() == sorted({row // shift for row in self.rows})
        for queue in QUEUES:
            first, end = rows_of(queue)
            expected = [(row, self.rows[row]) for row in sorted(self.rows) if first <= row < end]
            assert self.store.rows(queue, 0, 1_000) == expected
            assert self.store.last_row(queue) == (expected[-1][0] if expected else 0)
            if expected:
                assert self.store.rows(queue, expected[0][0], 2) == expected[1:3]

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.leave()
