"""The queue: keeps entries in order, lends them to consumers with credit, and gets them back settled.

Entries are handed over at once when a consumer waits; what becomes possible by settling is handed over when the
broker runs its woken queues, once for a whole batch of settlements. Entries that come back take their old place. What is
given up may come to life again as a dead letter, in any queue and at once: whoever gives up looks anew at what there is.
"""

from typing import Final

from core.model.message import Message
from core.model.properties import Headers
from core.queueing.backlog import Backlog
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED
from core.queueing.dead_letters import DeadLettering
from core.queueing.death import DELIVERY_LIMIT, EXPIRED, MAXLEN, REJECTED
from core.queueing.entry import Entry, Lender
from core.queueing.expiry import HeadExpiry
from core.queueing.home import Owner
from core.queueing.lifetime import Lifetime
from core.queueing.surroundings import Surroundings
from core.queueing.turns import RankedTurns, Turns, wait_for_shared
from core.queueing.usage import ENTRY_COST_BYTES
from core.routing.sink import Sink
from core.timers import NEVER

DROP_HEAD: Final = 0
REJECT_PUBLISH: Final = 1
REJECT_PUBLISH_DLX: Final = 2  # and what is refused becomes a dead letter

EXPIRED_AT_ONCE: Final = 1_000  # entries that one look at the head gives up; the next look is in the next turn


class Queue(Lender):
    """A named line of entries. Limits count ready entries, not those that are lent."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(name)
        self.durable = False
        self.auto_delete = False
        self.owner: Owner | None = None  # the connection that an exclusive queue belongs to
        self.arguments: Headers = {}
        self.deleted = False
        self.had_consumer = False
        self.unsettled_count = 0
        self.cost_bytes = 0  # of what defines it; written by the virtual host
        self.consumers: list[Consumer] = []
        # What the arguments ask for (see `core.queueing.plan`):
        self.limit_entries = UNLIMITED
        self.limit_bytes = UNLIMITED
        self.overflow = DROP_HEAD
        self.ttl_s = NEVER  # of each entry
        self.delivery_limit = UNLIMITED  # times that an entry may come back
        self.counts_deliveries = False  # whether consumers are told how often (RabbitMQ `x-delivery-count`)
        self.single_active = False  # whether one consumer has the queue for itself and the others wait
        self.dead_lettering: DeadLettering | None = None
        self.lifetime: Lifetime | None = None
        self.backlog = Backlog(surroundings.usage)
        self._surroundings = surroundings
        self._active: Consumer | None = None  # with `single_active`: the one
        self._turns = Turns()
        self._next_sequence = 1
        self._woken = False
        self._expiry: HeadExpiry | None = None  # made for the first entry that can expire

    @property
    def ready_count(self) -> int:
        """Entries that wait for a consumer."""
        return self.backlog.count

    @property
    def ready_bytes(self) -> int:
        """Bytes of bodies of entries that wait."""
        return self.backlog.bytes

    # Taking messages

    def take(self, message: Message) -> bool:
        return self.put(message, None)

    def put(self, message: Message, via: Sink | None) -> bool:
        """Take a message that came in by `via`; False when the queue is full and refuses."""
        if self.deleted:
            return True
        entry = Entry(self, message, self._next_sequence, via)
        self._next_sequence += 1
        if self.ttl_s != NEVER:
            self._shorten(entry)
        backlog = self.backlog
        if not backlog.count:
            consumer = self._turns.choose()
            if consumer is not None:
                self._lend(entry, consumer)
                return True
        if backlog.count >= self.limit_entries or backlog.bytes + len(message.body) > self.limit_bytes:
            if self.overflow != DROP_HEAD:
                if self.overflow == REJECT_PUBLISH_DLX and self.dead_lettering is not None:
                    self._give_up(message, MAXLEN)
                return False
            backlog.add(entry)
            self._drop_heads()
        else:
            backlog.add(entry)
        if entry.expires_at != 0.0:
            self._watch(entry.expires_at)
        return True

    def admits(self, count: int, size_bytes: int) -> bool:
        backlog = self.backlog
        if self.overflow == DROP_HEAD or self.deleted:
            return True
        room = self.limit_entries - backlog.count
        if count <= room and backlog.bytes + size_bytes <= self.limit_bytes:
            return True
        consumer = self._turns.choose() if not backlog.count else None  # what it takes at once does not wait here
        if consumer is None or count > consumer.credit:
            return False
        return consumer.shared is None or count <= consumer.shared.available

    def _shorten(self, entry: Entry) -> None:
        expires_at = self._surroundings.clock.now + self.ttl_s
        if entry.expires_at == 0.0 or expires_at < entry.expires_at:
            entry.expires_at = expires_at

    def _drop_heads(self) -> None:
        backlog = self.backlog
        while backlog.count > self.limit_entries or backlog.bytes > self.limit_bytes:
            self._give_up(backlog.take().message, MAXLEN)
        self._watch_head()

    def _give_up(self, message: Message, reason: str) -> None:
        where = self.dead_lettering
        if where is None:
            self._surroundings.counters.drop(reason)
        else:
            self._surroundings.counters.bury(reason)
            self._surroundings.dead_letters.send(where, message, reason)

    # Handing over

    def run(self) -> None:
        """Hand over what there is to consumers that have credit."""
        self._woken = False
        backlog = self.backlog
        while backlog.count:
            consumer = self._turns.choose()
            if consumer is None:
                break
            entry = backlog.take()
            if self._expired(entry):
                self._give_up(entry.message, EXPIRED)
                continue
            self._lend(entry, consumer)
        self._watch_head()

    def get(self) -> Entry | None:
        """Lend the next entry to nobody in particular (AMQP `basic.get`); None when nothing is ready."""
        self.used()
        found: Entry | None = None
        while found is None and self.backlog.count:
            entry = self.backlog.take()
            if self._expired(entry):
                self._give_up(entry.message, EXPIRED)
            else:
                found = entry
        if self._expiry is not None:
            self._watch(self.drop_expired())  # at once: the answer has the count of what is left, as RabbitMQ's
        if found is not None:
            self._surroundings.counters.delivered += 1
            found.attempts += 1
            found.consumer = NOBODY
            NOBODY.credit -= 1
            self.unsettled_count += 1
            self._surroundings.usage.held_bytes += found.message.size_bytes + ENTRY_COST_BYTES
        return found

    def _expired(self, entry: Entry) -> bool:
        expires_at = entry.expires_at
        return expires_at != 0.0 and expires_at <= self._surroundings.clock.now

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
            if self.deleted:
                self._surroundings.counters.drop(REJECTED)
            else:
                self._give_up(entry.message, REJECTED)

    def requeue(self, entry: Entry) -> None:
        if not self._take_back(entry) or self.deleted:
            return
        if entry.attempts > self.delivery_limit:
            self._give_up(entry.message, DELIVERY_LIMIT)
            return
        entry.redelivered = True
        self.backlog.restore(entry)
        if self.overflow == DROP_HEAD:
            self._drop_heads()
        if entry.expires_at != 0.0:
            self._watch(entry.expires_at)
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
        self.used()
        if self.single_active:
            if self._active is None:
                self._active = consumer
        elif consumer.priority and not isinstance(self._turns, RankedTurns):
            self._turns = RankedTurns(self._turns.members())
        self.resume(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Stop lending to `consumer`; what it holds stays lent until it is settled."""
        if consumer.lender is not self:
            return
        self._let_go(consumer)
        self.consumers.remove(consumer)
        self._turns.leave(consumer)
        self.used()
        if consumer is self._active:
            # The first of those with the highest priority is next, as in RabbitMQ.
            self._active = max(self.consumers, key=_priority, default=None)
            if self._active is not None:
                self.resume(self._active)

    def _let_go(self, consumer: Consumer) -> None:
        consumer.lender = None
        if consumer.shared is not None:
            consumer.shared.forget(consumer)

    def resume(self, consumer: Consumer) -> None:
        if consumer.in_ring or consumer.lender is not self or (self.single_active and consumer is not self._active):
            return
        if not consumer.willing():
            wait_for_shared(consumer)
            return
        self._turns.enter(consumer)
        self.wake()

    def wake(self) -> None:
        """Have the broker run this queue when the present batch is done."""
        if not self._woken and self.backlog.count:
            self._woken = True
            self._surroundings.woken.append(self)

    def used(self) -> None:
        """Note that somebody uses the queue: declares it, asks it for an entry, consumes it or has just ceased to."""
        if self.lifetime is not None:
            self.lifetime.begin()

    # Emptying

    def _watch(self, expires_at: float) -> None:
        expiry = self._expiry
        if expiry is None:
            expiry = self._expiry = HeadExpiry(self)
        if expires_at < expiry.deadline:
            expiry.deadline = expires_at
            self._surroundings.timers.watch(expiry)

    def _watch_head(self) -> None:
        if self._expiry is not None and self.backlog.count:
            expires_at = self.backlog.head().expires_at
            if expires_at != 0.0:
                self._watch(expires_at)

    def drop_expired(self) -> float:
        """Give up what has expired at the head; return when to look again (monotonic seconds), or NEVER."""
        for _ in range(EXPIRED_AT_ONCE):
            if not self.backlog.count:
                return NEVER
            entry = self.backlog.head()
            if not self._expired(entry):
                return entry.expires_at or NEVER
            self._give_up(self.backlog.take().message, EXPIRED)
        return self._surroundings.clock.now

    def purge(self) -> int:
        """Remove all ready entries and return how many there were; lent entries stay (AMQP 0-9-1 `queue.purge`)."""
        count = self.backlog.count
        self.backlog.clear()
        return count

    def delete(self) -> int:
        """End the queue: consumers are cancelled, entries dropped. Returns how many were ready."""
        self.deleted = True
        count = self.purge()
        consumers = self.consumers
        self.consumers = []
        self._turns = Turns()
        self._active = None
        if self._expiry is not None:
            self._surroundings.timers.forget(self._expiry)
        if self.lifetime is not None:
            self._surroundings.timers.forget(self.lifetime)
        for consumer in consumers:
            self._let_go(consumer)
            consumer.in_ring = False
            consumer.cancelled()
        return count


def _priority(consumer: Consumer) -> int:
    return consumer.priority


NOBODY: Final = Consumer()  # holds the entries that were fetched singly
