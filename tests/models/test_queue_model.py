"""Two queues, their consumers and a clock, against lists: order, counts, credit, expiry, limits, and nobody forgotten.

The model is a list of what is ready in each queue and a list of what is lent. It does not choose consumers: it checks
that whoever was chosen was willing, that the entry was the one in front, and that after a batch nobody who is willing
was left without an entry that is there.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.model.message import Address, Message
from core.model.properties import NO_PROPERTIES
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED, Credit
from core.queueing.entry import Entry
from core.queueing.queue import DROP_HEAD, REJECT_PUBLISH, Queue, Surroundings
from core.queueing.transaction import ACCEPT, DISCARD, REQUEUE, settle
from core.queueing.usage import ENTRY_COST_BYTES
from core.timers import Clock

ADDRESS = Address("", "q")


class Item:
    """What the model knows of one message in one queue."""

    def __init__(self, number: int, size: int, expires_at: float) -> None:
        self.number = number
        self.size = size
        self.expires_at = expires_at
        self.attempts = 0
        self.returned = False


class Line:
    """What the model knows of one queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.ready: list[Item] = []
        self.consumers: list[Watched] = []
        self.limit_entries = UNLIMITED
        self.limit_bytes = UNLIMITED

    @property
    def ready_bytes(self) -> int:
        return sum(item.size for item in self.ready)


class Watched(Consumer):
    """A consumer that shows each delivery to the model."""

    def __init__(self, model: "QueueModel", line: Line, credit: int, *, settles: bool, shared: Credit | None) -> None:
        super().__init__(credit=credit, settles=settles, shared=shared)
        self.model = model
        self.line = line
        self.limit = credit

    def deliver(self, entry: Entry) -> None:
        self.model.delivered(self, entry)


class QueueModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.surroundings = Surroundings(Clock(100.0))
        self.clock = self.surroundings.clock
        self.shared = Credit(2)
        self.lines = [Line(Queue(f"q{number}", self.surroundings)) for number in range(2)]
        self.lent: list[tuple[Item, Entry, Line, Watched | None]] = []
        self.dropped: dict[str, int] = {}
        self.numbers = 0
        self.failures: list[str] = []

    # What the model knows

    def expired(self, item: Item) -> bool:
        return 0.0 < item.expires_at <= self.clock.now

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def held_by(self, consumer: Watched) -> int:
        return sum(holder is consumer for *_, holder in self.lent)

    def shared_held(self) -> int:
        return sum(holder is not None and holder.shared is self.shared for *_, holder in self.lent)

    def willing(self, consumer: Watched) -> bool:
        if consumer.suspended or self.held_by(consumer) >= consumer.limit:
            return False
        return consumer.shared is None or self.shared_held() < self.shared.limit

    def give(self, line: Line, entry: Entry, *, fresh: bool) -> Item:
        """Take the entry in front out of the model; what has expired before it must go uncounted no longer."""
        number = int(entry.message.body[:8])
        while line.ready[0].number != number:
            item = line.ready.pop(0)
            assert self.expired(item), f"{number} was given before {item.number}"
            self.drop("expired")
        item = line.ready.pop(0)
        assert fresh or not self.expired(item), f"{number} was given although it had expired"
        item.attempts += 1
        assert entry.attempts == item.attempts
        assert entry.redelivered == item.returned
        assert entry.queue is line.queue
        return item

    def delivered(self, consumer: Watched, entry: Entry) -> None:
        try:
            line = consumer.line
            assert consumer in line.consumers, "a consumer that has left got an entry"
            assert self.willing(consumer), "a consumer without credit got an entry"
            item = self.give(line, entry, fresh=self.publishing)
            if consumer.settles:
                self.lent.append((item, entry, line, consumer))
        except AssertionError as failure:  # the queue takes what `deliver` raises for the consumer's fault
            self.failures.append(str(failure))

    publishing = False

    # What clients do

    @initialize(limits=st.lists(st.sampled_from([0, 1, 2, UNLIMITED]), min_size=4, max_size=4), kind=st.booleans())
    def start_with_consumers(self, limits: list[int], kind: bool) -> None:
        for number, credit in enumerate(limits):
            if credit:
                self.subscribe(number % 2, credit, "shares" if kind else "settles", suspended=False)

    @rule(
        index=st.integers(0, 1),
        sizes=st.lists(st.sampled_from([8, 20, 40]), min_size=1, max_size=4),
        life=st.sampled_from([None, None, 0.0, 1.0, 5.0]),
        last=st.booleans(),
    )
    def publish(self, index: int, sizes: list[int], life: float | None, last: bool) -> None:
        for size in sizes:
            self.publish_one(self.lines[index], size, life)
        self.end(last)

    def publish_one(self, line: Line, size: int, life: float | None) -> None:
        self.numbers += 1
        item = Item(self.numbers, size, 0.0 if life is None else self.clock.now + life)
        message = Message(ADDRESS, str(item.number).zfill(8).encode().ljust(size), 0, NO_PROPERTIES)
        message.expires_at = item.expires_at
        direct = not line.ready and any(self.willing(consumer) for consumer in line.consumers)
        full = len(line.ready) + 1 > line.limit_entries or line.ready_bytes + size > line.limit_bytes
        refused = not direct and full and line.queue.overflow == REJECT_PUBLISH
        if not refused:
            line.ready.append(item)
        if not direct and line.queue.overflow == DROP_HEAD:
            while len(line.ready) > line.limit_entries or line.ready_bytes > line.limit_bytes:
                line.ready.pop(0)
                self.drop("queue_full")
        self.publishing = direct
        assert line.queue.take(message) == (not refused)
        self.publishing = False
        assert not direct or not line.ready, "a willing consumer had to wait for an entry of an empty queue"

    @rule(
        index=st.integers(0, 1),
        credit=st.sampled_from([1, 2, 3, UNLIMITED]),
        kind=st.sampled_from(["settles", "shares", "shares", "settles not"]),
        suspended=st.sampled_from([False, False, True]),
    )
    def subscribe(self, index: int, credit: int, kind: str, suspended: bool) -> None:
        line = self.lines[index]
        settles, shared = kind != "settles not", kind == "shares"
        if not settles:
            credit = UNLIMITED
        consumer = Watched(self, line, credit, settles=settles, shared=self.shared if shared else None)
        consumer.suspended = suspended
        line.consumers.append(consumer)
        line.queue.add(consumer)

    @rule(data=st.data(), leaves=st.booleans(), last=st.booleans())
    @precondition(lambda self: any(line.consumers for line in self.lines))
    def cancel_or_suspend(self, data: st.DataObject, leaves: bool, last: bool) -> None:
        consumer = data.draw(st.sampled_from([consumer for line in self.lines for consumer in line.consumers]))
        if leaves:
            consumer.line.consumers.remove(consumer)
            consumer.line.queue.remove(consumer)
            consumer.line.queue.remove(consumer)
        else:
            consumer.suspended = not consumer.suspended
            consumer.line.queue.resume(consumer)
        self.end(last)

    @rule(
        data=st.data(), outcome=st.sampled_from([ACCEPT, REQUEUE, DISCARD]), count=st.integers(1, 3), last=st.booleans()
    )
    @precondition(lambda self: self.lent)
    def settle(self, data: st.DataObject, outcome: int, count: int, last: bool) -> None:
        for _ in range(min(count, len(self.lent))):
            item, entry, line, _holder = self.lent.pop(data.draw(st.integers(0, len(self.lent) - 1)))
            if outcome == REQUEUE and not line.queue.deleted:
                item.returned = True
                line.ready = sorted([*line.ready, item], key=lambda each: each.number)
            elif outcome == DISCARD:
                self.drop("rejected")
            settle(entry, outcome)
            for again in (ACCEPT, REQUEUE, DISCARD):
                settle(entry, again)  # what is settled is settled
        self.end(last)

    @rule(index=st.integers(0, 1))
    def get(self, index: int) -> None:
        line = self.lines[index]
        entry = line.queue.get()
        if entry is None:
            for item in line.ready:
                assert self.expired(item), "there was an entry to get"
                self.drop("expired")
            line.ready.clear()
        else:
            self.lent.append((self.give(line, entry, fresh=False), entry, line, None))

    @rule(index=st.integers(0, 1), whole=st.booleans())
    @precondition(lambda self: self.numbers > 20)
    def purge_or_delete(self, index: int, whole: bool) -> None:
        line = self.lines[index]
        if whole:
            assert line.queue.delete() == len(line.ready)
            assert all(consumer.lender is None for consumer in line.consumers)
            self.lines[index] = Line(Queue(f"q{index}", self.surroundings))
        else:
            assert line.queue.purge() == len(line.ready)
            line.ready.clear()

    @rule(
        index=st.integers(0, 1),
        entries=st.sampled_from([UNLIMITED, 4, 2, 0]),
        size=st.sampled_from([UNLIMITED, 80, 40, 0]),
        overflow=st.sampled_from([DROP_HEAD, REJECT_PUBLISH]),
    )
    @precondition(lambda self: self.numbers > 10)
    def limit(self, index: int, entries: int, size: int, overflow: int) -> None:
        """A new limit counts for what comes in from now on; it is set here while what is there is within it."""
        line, queue = self.lines[index], self.lines[index].queue
        if len(line.ready) <= entries and line.ready_bytes <= size:
            line.limit_entries = queue.limit_entries = entries
            line.limit_bytes = queue.limit_bytes = size
            queue.overflow = overflow

    @rule(limit=st.integers(1, 4))
    def resize(self, limit: int) -> None:
        self.shared.resize(limit)
        self.batch()

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass. Expired heads may be dropped now or when their turn comes, but nothing else may."""
        self.clock.now += seconds
        for timed in self.surroundings.timers.due():
            timed.timeout()
            self.surroundings.timers.watch(timed)
        self.follow_expiry()

    def follow_expiry(self) -> None:
        """Drop from the model what the queues have dropped from their heads, which must have expired."""
        for line in self.lines:
            while len(line.ready) > line.queue.ready_count:
                assert self.expired(line.ready.pop(0)), "an entry that had not expired was dropped"
                self.drop("expired")

    def end(self, last: bool) -> None:
        if last:
            self.batch()

    def batch(self) -> None:
        """What becomes possible is done by the end of the batch."""
        while self.surroundings.woken:
            woken, self.surroundings.woken = self.surroundings.woken, []
            for queue in woken:
                queue.run()
        self.follow_expiry()
        for line in self.lines:
            if any(self.willing(consumer) for consumer in line.consumers):
                assert not line.ready, "an entry and a willing consumer did not meet"

    # What must hold after each

    @invariant()
    def nothing_went_wrong_in_a_delivery(self) -> None:
        assert not self.failures

    @invariant()
    def counts_agree(self) -> None:
        for line in self.lines:
            assert line.queue.ready_count == len(line.ready)
            assert line.queue.ready_bytes == line.ready_bytes
            assert line.queue.unsettled_count == sum(at is line for _, _, at, _ in self.lent)
        assert self.surroundings.counters.dropped == self.dropped

    @invariant()
    def memory_agrees(self) -> None:
        items = [item for line in self.lines for item in line.ready] + [item for item, *_ in self.lent]
        held = sum(item.size + ENTRY_COST_BYTES for item in items)
        assert self.surroundings.usage.held_bytes == held

    @invariant()
    def credit_agrees(self) -> None:
        for line in self.lines:
            for consumer in line.consumers:
                assert consumer.credit == consumer.limit - self.held_by(consumer)
                assert consumer.credit >= 0
        assert self.shared.available == self.shared.limit - self.shared_held()

    def teardown(self) -> None:
        self.batch()
        assert not self.failures
        for _, entry, _, _ in self.lent:
            settle(entry, ACCEPT)
        for line in self.lines:
            line.queue.delete()
        assert self.surroundings.usage.held_bytes == 0
        assert self.surroundings.timers.count == 0


TestQueue = QueueModel.TestCase
TestQueue.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
