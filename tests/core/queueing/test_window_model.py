"""The window of a queue beside a plain list: whatever is in memory, nobody can tell by what comes out.

A queue that is not durable has a window only now and then, and the end of the process is its own.
"""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.model.message import AT_LEAST_ONCE, AT_MOST_ONCE, plain_message
from core.queueing.entry import Entry
from core.queueing.usage import ENTRY_COST_BYTES
from core.recovery import recover
from core.store.batch import Batch
from core.store.memory import MemoryStore
from tests.core.parts import a_broker, a_client
from tests.core.queueing.windows import ENTRY_BYTES, all_of, commit, make_small

SIZES = st.sampled_from([0, 1, 5, 700])
QOS = st.sampled_from([AT_MOST_ONCE, AT_LEAST_ONCE])


class WindowMachine(RuleBasedStateMachine):
    """One queue with a tiny window, and what it must have."""

    @initialize(durable=st.booleans())
    def begin(self, durable: bool) -> None:
        self.durable = durable
        self.store = MemoryStore()
        self.number = 0
        self.ready: list[int] = []
        self.lent: list[Entry] = []
        self.sizes: dict[int, int] = {}
        self.under_way: Batch | None = None
        self.start()

    def start(self) -> None:
        self.broker = a_broker()
        make_small(self.broker)
        assert not recover(self.broker, self.store).damage
        self.client = a_client(self.broker)
        self.queue = self.client.declare_queue("q", durable=self.durable)
        self.under_pressure = False

    # What happens

    @rule(messages=st.lists(st.tuples(QOS, SIZES), max_size=12))
    def publish(self, messages: list[tuple[int, int]]) -> None:
        target = self.client.target("", "q")
        for qos, size in messages:
            self.number += 1
            body = b"%d " % self.number + bytes(size)
            self.sizes[self.number] = len(body)
            self.ready.append(self.number)
            self.client.publish(target.exchange, plain_message(target.address, body, qos), None, 0)

    @rule()
    def commit(self) -> None:
        self.have_committed()
        commit(self.broker, self.store)

    @rule()
    def begin_to_commit(self) -> None:
        """The batch is under way, its entries have rows, and the store has nothing of them yet."""
        if self.under_way is None:
            self.under_way = self.broker.surroundings.journal.seal()

    @rule()
    def have_committed(self) -> None:
        if self.under_way is not None:
            self.store.commit(self.under_way)
            self.broker.surroundings.journal.committed = self.under_way.number
            self.under_way = None

    @rule()
    def end_a_turn_before_the_commit(self) -> None:
        self.broker.surroundings.windows.turn_ended()

    @rule(
        entries=st.integers(0, 4), turns=st.lists(st.sampled_from(["commit", "begin_to_commit", "have_committed", ""]))
    )
    def shrink(self, entries: int, turns: list[str]) -> None:
        """What the broker does when it holds much."""
        self.under_pressure = True
        for what in ["", *turns]:
            if what:
                getattr(self, what)()
            if self.queue.window is not None:
                self.queue.window.shrink(entries * ENTRY_BYTES)
            else:
                self.broker.surroundings.windows._look_at_plain(self.queue, entries * ENTRY_BYTES)

    @rule(
        before=st.lists(st.tuples(QOS, SIZES), max_size=8),
        after=st.lists(st.tuples(QOS, SIZES), max_size=8),
        count=st.integers(0, 9),
    )
    def shrink_among_others(self, before: list[tuple[int, int]], after: list[tuple[int, int]], count: int) -> None:
        """Publishers and consumers go on while a part at a time leaves memory."""
        self.publish(before)
        self.shrink(1, ["commit"])
        self.publish(after)
        self.shrink(1, [])
        self.get(count)
        self.shrink(1, ["commit"])

    @rule(count=st.integers(1, 6))
    def get(self, count: int) -> None:
        for _ in range(count):
            entry = self.queue.get()
            if entry is None:
                assert not self.ready
                return
            number = number_of(entry)
            assert number == self.ready.pop(0)
            self.lent.append(entry)

    @rule(data=st.data(), accept=st.booleans())
    def settle(self, data: st.DataObject, accept: bool) -> None:
        if not self.lent:
            return
        entry = self.lent.pop(data.draw(st.integers(0, len(self.lent) - 1)))
        if accept:
            self.queue.accept(entry)
        else:
            self.queue.requeue(entry)
            self.ready = sorted([*self.ready, number_of(entry)])

    @rule()
    def purge(self) -> None:
        assert self.client.purge_queue("q") == len(self.ready)
        self.ready.clear()

    @rule()
    def be_read_in_order_from_now_on(self) -> None:
        """As for somebody who browses or selects: what is in the store stays there until somebody looks."""
        stored = self.queue.window.stored_count if self.queue.window is not None else 0
        self.queue.in_order()
        assert stored == (self.queue.window.stored_count if self.queue.window is not None else 0)

    @rule()
    def have_all_in_order_and_go_back(self) -> None:
        line = self.queue.in_order()
        assert [number_of(entry) for entry in line.entries()] == self.ready
        self.queue.run()

    @rule()
    def crash_once_everything_is_committed(self) -> None:
        self.commit()
        stored = [entry for entry in [*self.lent, *all_of(self.queue)] if entry.row > 0 and self.durable]
        self.ready = sorted(number_of(entry) for entry in stored)
        self.lent.clear()
        self.start()
        if not self.durable:
            commit(self.broker, self.store)  # which begins the turn's end that removes what was left
            commit(self.broker, self.store)
            assert (self.store.queue_numbers(), list(self.store.definitions())) == ([], [])

    # What must hold

    @invariant()
    def it_counts_everything(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert self.queue.ready_count == len(self.ready)
        assert self.queue.ready_bytes == sum(self.sizes[number] for number in self.ready)
        assert [number_of(entry) for entry in all_of(self.queue)] == self.ready

    @invariant()
    def memory_is_what_is_in_it(self) -> None:
        if not hasattr(self, "queue"):
            return
        present = [*self.queue.backlog.present(), *self.lent]
        held = sum(entry.message.size_bytes + ENTRY_COST_BYTES for entry in present)
        assert self.broker.surroundings.usage.held_bytes == held

    @invariant()
    def the_next_one_is_always_in_memory(self) -> None:
        if hasattr(self, "queue") and self.ready:
            assert number_of(self.queue.backlog.head()) == self.ready[0]

    @invariant()
    def nothing_of_a_queue_that_is_not_durable_is_written_without_need(self) -> None:
        if not hasattr(self, "queue") or self.durable or self.under_way is not None:
            return
        journal = self.broker.surroundings.journal
        if not self.under_pressure:
            assert journal.idle
        if journal.idle and not self.broker.surroundings.windows.over:
            assert bool(list(self.store.definitions())) == (self.queue.window is not None)
            if self.queue.window is None:
                assert not self.store.queue_numbers()

    @invariant()
    def nobody_is_promised_anything_of_a_queue_that_is_not_durable(self) -> None:
        if hasattr(self, "queue") and not self.durable:
            assert not self.broker.surroundings.journal.promises

    @invariant()
    def the_store_has_counted_what_it_has(self) -> None:
        if hasattr(self, "queue") and self.durable and self.broker.surroundings.journal.idle and self.under_way is None:
            shelf = self.queue.shelf
            assert shelf is not None
            rows = self.store.rows(shelf.number, 0, 1 << 30)
            assert shelf.entries == len(rows)
            assert bool(self.store.tallies()) == bool(rows)
            if not self.queue.unsettled_count:
                assert shelf.bytes <= self.queue.ready_bytes


def number_of(entry: Entry) -> int:
    return int(entry.message.body.split()[0])


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
