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
        self.number += 1
        batch = Batch(self.number)
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
        self.store.set_aside(row, self.rows.pop(row), "damaged")

    @rule()
    def close_and_open(self) -> None:
        self.store.close()
        self.store = self.open()
        assert self.store.stopped_cleanly()
        self.store.begin()

    @rule()
    def crash_and_open(self) -> None:
        self.leave()
        self.store = self.open()
        assert not self.store.stopped_cleanly()
        self.store.begin()

    @invariant()
    def it_holds_what_was_committed(self) -> None:
        if not hasattr(self, "store"):
            return
        assert list(self.store.definitions()) == [
            (kind, key, self.known[kind, key]) for kind, key in sorted(self.known)
        ]
        shift = rows_of(1)[0]
        assert self.store.queue_numbers() == sorted({row // shift for row in self.rows})
        for queue in QUEUES:
            first, end = rows_of(queue)
            expected = [(row, self.rows[row]) for row in sorted(self.rows) if first <= row < end]
            assert self.store.rows(queue, 0, 1_000) == expected
            if expected:
                assert self.store.rows(queue, expected[0][0], 2) == expected[1:3]

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.leave()
