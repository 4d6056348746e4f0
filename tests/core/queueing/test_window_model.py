"""The window of a durable queue beside a plain list: whatever is in memory, nobody can tell by what comes out."""

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


class WindowMachine(RuleBasedStateMachine):
    """One queue with a tiny window, and what it must have."""

    @initialize()
    def begin(self) -> None:
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
        self.queue = self.client.declare_queue("q", durable=True)

    # What happens

    @rule(qos=st.sampled_from([AT_MOST_ONCE, AT_LEAST_ONCE, AT_LEAST_ONCE]), sizes=st.lists(SIZES, max_size=12))
    def publish(self, qos: int, sizes: list[int]) -> None:
        target = self.client.target("", "q")
        for size in sizes:
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

    @rule(entries=st.integers(0, 4))
    def shrink(self, entries: int) -> None:
        assert self.queue.window is not None
        self.queue.window.shrink(entries * ENTRY_BYTES)

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
        assert self.queue.window is not None
        assert self.queue.window.stored_count == stored

    @rule()
    def have_all_in_order_and_go_back(self) -> None:
        line = self.queue.in_order()
        assert [number_of(entry) for entry in line.entries()] == self.ready
        self.queue.run()

    @rule()
    def crash_once_everything_is_committed(self) -> None:
        self.commit()
        stored = [entry for entry in [*self.lent, *all_of(self.queue)] if entry.row > 0]
        self.ready = sorted(number_of(entry) for entry in stored)
        self.lent.clear()
        self.start()

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
    def the_store_has_counted_what_it_has(self) -> None:
        if hasattr(self, "queue") and self.broker.surroundings.journal.idle and self.under_way is None:
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
