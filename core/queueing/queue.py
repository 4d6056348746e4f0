"""The queue: keeps entries in order, lends them to consumers with credit, and gets them back settled.

Entries are handed over at once when a consumer waits; what becomes possible by settling is handed over when the
broker runs its woken queues, once for a whole batch of settlements. Entries that come back take their old place.
"""

import heapq
from collections import deque
from typing import Final

from core.counters import Counters
from core.model.arguments import MAX_LENGTH, MAX_LENGTH_BYTES, OVERFLOW, REFUSE_WHEN_FULL
from core.model.message import Message
from core.model.properties import Headers
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED
from core.queueing.entry import Entry, Lender
from core.queueing.expiry import HeadExpiry
from core.queueing.usage import ENTRY_COST_BYTES, MEMORY_LIMIT_BYTES, Usage
from core.routing.sink import Sink
from core.timers import NEVER, Clock, Timers

DROP_HEAD: Final = 0
REJECT_PUBLISH: Final = 1


class Surroundings:
    """What all queues of a broker share."""

    def __init__(self, clock: Clock, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self.clock = clock
        self.timers = Timers(clock)
        self.usage = Usage(memory_limit_bytes)
        self.counters = Counters()
        self.woken: list[Queue] = []  # queues with something to hand over; run by the broker


class Queue(Lender):
    """A named line of entries. Limits count ready entries, not those that are lent."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__()
        self.name = name
        self.durable = False
        self.auto_delete = False
        self.owner: object | None = None  # the connection that an exclusive queue belongs to
        self.arguments: Headers = {}
        self.deleted = False
        self.had_consumer = False
        self.limit_entries = UNLIMITED
        self.limit_bytes = UNLIMITED
        self.overflow = DROP_HEAD
        self.ready_bytes = 0  # of bodies
        self.unsettled_count = 0
        self.cost_bytes = 0  # of what defines it; written by the virtual host
        self.consumers: list[Consumer] = []
        self._surroundings = surroundings
        self._held_bytes = 0  # of memory, by ready entries
        self._ready: deque[Entry] = deque()
        self._returned: list[tuple[int, Entry]] = []  # heap by sequence: requeued entries, older than all of _ready
        self._ring: deque[Consumer] = deque()  # consumers to ask, in turn; those without credit are left out
        self._next_sequence = 1
        self._woken = False
        self._expiry: HeadExpiry | None = None  # made for the first entry that can expire

    def apply(self, arguments: Headers) -> None:
        """Take the arguments of a declare, which were checked, and set the limits that they ask for."""
        self.arguments = arguments
        self.limit_entries = arguments.get(MAX_LENGTH, UNLIMITED)
        self.limit_bytes = arguments.get(MAX_LENGTH_BYTES, UNLIMITED)
        self.overflow = REJECT_PUBLISH if arguments.get(OVERFLOW) == REFUSE_WHEN_FULL else DROP_HEAD

    @property
    def ready_count(self) -> int:
        """Entries that wait for a consumer."""
        return len(self._ready) + len(self._returned)

    # Taking messages

    def take(self, message: Message) -> bool:
        return self.put(message, None)

    def put(self, message: Message, via: Sink | None) -> bool:
        """Take a message that came in by `via`; False when the queue is full and refuses."""
        if self.deleted:
            return True
        entry = Entry(self, message, self._next_sequence, via)
        self._next_sequence += 1
        if self._ring and not self._ready and not self._returned:
            consumer = self._choose()
            if consumer is not None:
                self._lend(entry, consumer)
                return True
        size = len(message.body)
        if self.ready_count >= self.limit_entries or self.ready_bytes + size > self.limit_bytes:
            if self.overflow == REJECT_PUBLISH:
                return False
            if not self._make_room(size):
                self._surroundings.counters.drop("queue_full")
                return True
        self._ready.append(entry)
        self._hold(message)
        if message.expires_at != 0.0:
            self._watch(message.expires_at)
        return True

    def _make_room(self, size: int) -> bool:
        while self.ready_count and (
            self.ready_count >= self.limit_entries or self.ready_bytes + size > self.limit_bytes
        ):
            self._next()
            self._surroundings.counters.drop("queue_full")
        return self.limit_entries > 0 and size <= self.limit_bytes

    def _hold(self, message: Message) -> None:
        self.ready_bytes += len(message.body)
        cost = message.size_bytes + ENTRY_COST_BYTES
        self._held_bytes += cost
        self._surroundings.usage.held_bytes += cost

    # Handing over

    def run(self) -> None:
        """Hand over what there is to consumers that have credit."""
        self._woken = False
        while self._ready or self._returned:
            consumer = self._choose()
            if consumer is None:
                return
            entry = self._next()
            if self._expired(entry.message):
                self._surroundings.counters.drop("expired")
                continue
            self._lend(entry, consumer)

    def get(self) -> Entry | None:
        """Lend the next entry to nobody in particular (AMQP `basic.get`); None when nothing is ready."""
        while self._ready or self._returned:
            entry = self._next()
            if self._expired(entry.message):
                self._surroundings.counters.drop("expired")
                continue
            self._surroundings.counters.delivered += 1
            entry.attempts += 1
            entry.consumer = NOBODY
            NOBODY.credit -= 1
            self.unsettled_count += 1
            self._surroundings.usage.held_bytes += entry.message.size_bytes + ENTRY_COST_BYTES
            return entry
        return None

    def _expired(self, message: Message) -> bool:
        expires_at = message.expires_at
        return expires_at != 0.0 and expires_at <= self._surroundings.clock.now

    def _next(self) -> Entry:
        entry = heapq.heappop(self._returned)[1] if self._returned else self._ready.popleft()
        message = entry.message
        self.ready_bytes -= len(message.body)
        cost = message.size_bytes + ENTRY_COST_BYTES
        self._held_bytes -= cost
        self._surroundings.usage.held_bytes -= cost
        return entry

    def _choose(self) -> Consumer | None:
        ring = self._ring
        while ring:
            consumer = ring[0]
            if consumer.willing():
                if len(ring) > 1:
                    ring.rotate(-1)
                return consumer
            consumer.in_ring = False
            ring.popleft()
            self._wait_for_shared(consumer)
        return None

    def _wait_for_shared(self, consumer: Consumer) -> None:
        shared = consumer.shared
        if shared is not None and shared.available <= 0:
            shared.wait(consumer)

    def _lend(self, entry: Entry, consumer: Consumer) -> None:
        self._surroundings.counters.delivered += 1
        entry.attempts += 1
        if consumer.settles:
            entry.consumer = consumer
            consumer.credit -= 1
            shared = consumer.shared
            if shared is not None:
                shared.take(consumer)
            self.unsettled_count += 1
            self._surroundings.usage.held_bytes += entry.message.size_bytes + ENTRY_COST_BYTES
        try:
            consumer.deliver(entry)
        except Exception as error:  # noqa: BLE001 - a bug in the receiving connection must not cost the publishing one
            consumer.failed(error)

    # Settling

    def accept(self, entry: Entry) -> None:
        self._take_back(entry)

    def discard(self, entry: Entry) -> None:
        if self._take_back(entry):
            self._surroundings.counters.drop("rejected")

    def requeue(self, entry: Entry) -> None:
        if not self._take_back(entry) or self.deleted:
            return
        entry.redelivered = True
        heapq.heappush(self._returned, (entry.sequence, entry))
        self._hold(entry.message)
        if entry.message.expires_at != 0.0:
            self._watch(entry.message.expires_at)
        self.wake()

    def _take_back(self, entry: Entry) -> bool:
        consumer = entry.consumer
        if consumer is None:
            return False  # settled before
        entry.consumer = None
        self.unsettled_count -= 1
        self._surroundings.usage.held_bytes -= entry.message.size_bytes + ENTRY_COST_BYTES
        consumer.credit += 1
        shared = consumer.shared
        if shared is not None:
            shared.give_back()
        if not consumer.in_ring:
            self.resume(consumer)
        return True

    # Consumers

    def add(self, consumer: Consumer) -> None:
        """Start lending to `consumer`."""
        self.consumers.append(consumer)
        consumer.lender = self
        self.had_consumer = True
        self.resume(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Stop lending to `consumer`; what it holds stays lent until it is settled."""
        if consumer.lender is not self:
            return
        self._let_go(consumer)
        self.consumers.remove(consumer)
        if consumer.in_ring:
            consumer.in_ring = False
            self._ring.remove(consumer)

    def _let_go(self, consumer: Consumer) -> None:
        consumer.lender = None
        if consumer.shared is not None:
            consumer.shared.forget(consumer)

    def resume(self, consumer: Consumer) -> None:
        if consumer.in_ring or consumer.lender is not self:
            return
        if not consumer.willing():
            self._wait_for_shared(consumer)
            return
        consumer.in_ring = True
        self._ring.append(consumer)
        self.wake()

    def wake(self) -> None:
        """Have the broker run this queue when the present batch is done."""
        if not self._woken and (self._ready or self._returned):
            self._woken = True
            self._surroundings.woken.append(self)

    # Emptying

    def _watch(self, expires_at: float) -> None:
        expiry = self._expiry
        if expiry is None:
            expiry = self._expiry = HeadExpiry(self)
        if expires_at < expiry.deadline:
            expiry.deadline = expires_at
            self._surroundings.timers.watch(expiry)

    def drop_expired(self) -> float:
        """Drop what has expired at the head; return when the new head will (monotonic seconds), or NEVER."""
        while self._ready or self._returned:
            message = (self._returned[0][1] if self._returned else self._ready[0]).message
            if not self._expired(message):
                return message.expires_at or NEVER
            self._next()
            self._surroundings.counters.drop("expired")
        return NEVER

    def purge(self) -> int:
        """Remove all ready entries and return how many there were; lent entries stay (AMQP 0-9-1 `queue.purge`)."""
        count = self.ready_count
        self._surroundings.usage.held_bytes -= self._held_bytes
        self._held_bytes = 0
        self.ready_bytes = 0
        self._ready.clear()
        self._returned.clear()
        return count

    def delete(self) -> int:
        """End the queue: consumers are cancelled, entries dropped. Returns how many were ready."""
        self.deleted = True
        count = self.purge()
        consumers = self.consumers
        self.consumers = []
        self._ring.clear()
        if self._expiry is not None:
            self._surroundings.timers.forget(self._expiry)
        for consumer in consumers:
            self._let_go(consumer)
            consumer.in_ring = False
            consumer.cancelled()
        return count


NOBODY: Final = Consumer()  # holds the entries that were fetched singly
