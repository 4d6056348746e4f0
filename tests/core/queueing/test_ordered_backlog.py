"""A backlog that is taken from anywhere, against a sorted list."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.model.message import Address, Message
from core.model.properties import Properties, Stated
from core.queueing.backlog import Backlog
from core.queueing.entry import Entry
from core.queueing.ordered_backlog import CHUNK_LIMIT, NOWHERE, OrderedBacklog, in_order, in_sequence
from core.queueing.priority_backlog import PriorityBacklog
from core.queueing.usage import Usage
from tests.core.parts import a_queue

ADDRESS = Address("", "q")


class OrderedBacklogModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.usage = Usage()
        self.queue = a_queue()
        self.backlog: OrderedBacklog = OrderedBacklog(self.usage, 2)
        self.ready: list[tuple[int, int]] = []  # how far from the highest priority, and the sequence
        self.taken: list[Entry] = []
        self.sequence = 0

    @initialize(count=st.sampled_from([0, 1, CHUNK_LIMIT, 3 * CHUNK_LIMIT + 1]), taken=st.integers(0, 5))
    def begin(self, count: int, taken: int) -> None:
        """Take the place of a backlog that entries were taken from and came back to."""
        usual = PriorityBacklog(self.usage, 2)
        for number in range(count):
            usual.add(self.entry([None, 1, 9][number % 3]))
        out = [usual.take() for _ in range(min(taken, usual.count))]
        for entry in out[1:]:
            usual.restore(entry)
        self.taken.extend(out[:1])
        self.ready = sorted(self.key(entry) for entry in usual.entries())
        self.backlog = in_order(usual, self.usage)

    def entry(self, priority: int | None) -> Entry:
        said = Properties()
        said.priority = priority
        self.sequence += 1
        return Entry(self.queue, Message(ADDRESS, b"x", 0, Stated(said)), self.sequence, None)

    def key(self, entry: Entry) -> tuple[int, int]:
        return 2 - min(entry.message.properties.priority or 0, 2), entry.sequence

    @rule(count=st.sampled_from([1, 3, CHUNK_LIMIT + 1]), priority=st.sampled_from([None, 1, 9]))
    def add(self, count: int, priority: int | None) -> None:
        for _ in range(count):
            entry = self.entry(priority)
            self.backlog.add(entry)
            self.ready.append(self.key(entry))
        self.ready.sort()

    @rule(data=st.data(), count=st.sampled_from([1, 2, CHUNK_LIMIT]))
    @precondition(lambda self: self.ready)
    def take_somewhere(self, data: st.DataObject, count: int) -> None:
        first = data.draw(st.integers(0, len(self.ready) - 1))
        for rank, sequence in self.ready[first : first + count]:
            place = rank << 54 | sequence
            assert self.backlog.after(place - 1) is not None  # which files it
            entry = self.backlog.take_at(place)
            assert self.key(entry) == (rank, sequence)
            self.taken.append(entry)
        del self.ready[first : first + count]

    @rule()
    @precondition(lambda self: self.ready)
    def take_the_head(self) -> None:
        head = self.backlog.head()
        entry = self.backlog.take()
        assert entry is head
        assert self.key(entry) == self.ready.pop(0)
        self.taken.append(entry)

    @rule(data=st.data(), count=st.sampled_from([1, 2, 2 * CHUNK_LIMIT]))
    @precondition(lambda self: self.taken)
    def restore(self, data: st.DataObject, count: int) -> None:
        first = data.draw(st.integers(0, len(self.taken) - 1))
        for entry in self.taken[first : first + count]:
            self.backlog.restore(entry)
            self.ready.append(self.key(entry))
        del self.taken[first : first + count]
        self.ready.sort()

    @rule(data=st.data())
    def look_behind(self, data: st.DataObject) -> None:
        rank, sequence = data.draw(st.integers(0, 3)), data.draw(st.integers(0, self.sequence + 1))
        behind = [key for key in self.ready if key > (rank, sequence)]
        entry = self.backlog.after(rank << 54 | sequence)
        assert (None if entry is None else self.key(entry)) == (behind[0] if behind else None)

    @invariant()
    def all_is_there_in_order(self) -> None:
        assert [self.key(entry) for entry in self.backlog.entries()] == self.ready
        assert self.backlog.count == self.backlog.bytes == len(self.ready)
        first = self.backlog.first_place()
        assert first == (self.ready[0][0] << 54 | self.ready[0][1] if self.ready else NOWHERE)

    def teardown(self) -> None:
        self.backlog.clear()
        assert self.usage.held_bytes == 0
        assert self.backlog.after(NOWHERE) is None


TestOrderedBacklog = OrderedBacklogModel.TestCase
TestOrderedBacklog.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_backlog_is_put_in_order_once_and_is_itself_again_when_empty() -> None:
    usage, queue = Usage(), a_queue()
    for usual in (Backlog(usage), PriorityBacklog(usage, 5)):
        entries = [Entry(queue, Message(ADDRESS, b"x", 0, Stated(Properties())), n, None) for n in range(1, 4)]
        for entry in entries:
            usual.add(entry)
        usual.restore(usual.take())
        line = in_order(usual, usage)
        assert in_order(line, usage) is line
        assert line.entries() == entries
        assert (line.count, line.bytes, line.rest) == (3, 3, entries)
        assert line.after(NOWHERE) is entries[0]
        assert (line.count, line.bytes, line.rest) == (3, 3, [])
        assert in_sequence(line, usage) is line
        line.clear()
        again = in_sequence(line, usage)
        assert type(again) is type(usual)
        assert in_sequence(again, usage) is again
        assert usage.held_bytes == 0


def test_what_comes_back_to_the_rest_takes_its_old_place() -> None:
    usage, queue = Usage(), a_queue()
    usual = Backlog(usage)
    entries = [Entry(queue, Message(ADDRESS, b"x", 0, Stated(Properties())), n, None) for n in range(1, 2_000)]
    for entry in entries:
        usual.add(entry)
    first, second = usual.take(), usual.take()
    line = in_order(usual, usage)
    line.restore(second)
    assert line.head() is second
    assert len(line.rest) == len(entries) - 1 - CHUNK_LIMIT, "a chunk at a time"
    line.restore(first)
    assert line.entries() == entries
    assert [line.take() for _ in entries] == entries
    assert (line.count, line.bytes, usage.held_bytes) == (0, 0, 0)
