"""The queue: keeps entries in order, lends them to consumers with credit, and gets them back settled.

Entries are handed over at once when a consumer waits; what becomes possible by settling is handed over when the
broker runs its woken queues, once for a whole batch of settlements. Entries that come back take their old place. What is
given up may come to life again as a dead letter, in any queue and at once: whoever gives up looks anew at what there is.
"""

from core.model.errors import Unsupported
from core.model.message import Message
from core.model.properties import Headers
from core.queueing.choosing import ChoosingTurns
from core.queueing.consumer import NOBODY, Consumer
from core.queueing.credit import UNLIMITED
from core.queueing.death import DELIVERY_LIMIT, MAXLEN, REJECTED
from core.queueing.deferred import Deferred
from core.queueing.entry import Entry
from core.queueing.grouping import GroupedTurns
from core.queueing.home import Owner
from core.queueing.lifetime import Lifetime
from core.queueing.ordered_backlog import OrderedBacklog, in_order, in_sequence
from core.queueing.selecting import SelectingTurns
from core.queueing.stock import DROP_HEAD, REJECT_PUBLISH_DLX, Stock
from core.queueing.surroundings import Surroundings
from core.queueing.turns import RankedTurns, Turns, wait_for_shared
from core.queueing.usage import ENTRY_COST_BYTES
from core.routing.sink import Sink
from core.timers import NEVER


class Queue(Stock):
    """A named line of entries. Limits count ready entries, not those that are lent."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(name, surroundings)
        self.durable = False
        self.auto_delete = False
        self.owner: Owner | None = None  # the connection that an exclusive queue belongs to
        self.arguments: Headers = {}
        self.had_consumer = False
        self.unsettled_count = 0
        self.cost_bytes = 0  # of what defines it; written by the virtual host
        self.consumers: dict[Consumer, None] = {}
        self.delivery_limit = UNLIMITED  # times that an entry may come back
        self.counts_deliveries = False  # whether consumers are told how often (RabbitMQ `x-delivery-count`)
        self.single_active = False  # whether one consumer has the queue for itself and the others wait
        self.entrance: Sink | None = None  # what is bound in its stead, where a selector is asked first
        self.lifetime: Lifetime | None = None
        self._active: Consumer | None = None  # the one, with `single_active` or a consumer that wants to be alone
        self._turns = Turns()
        self._selecting: ChoosingTurns | None = None  # the same object, while consumers have selectors, or with groups
        self.next_sequence = 1  # of the next message; written here only
        self._woken = False

    # Taking messages

    def take(self, message: Message) -> bool:
        return self.put(message, None)

    def put(self, message: Message, via: Sink | None) -> bool:
        """Take a message that came in by `via`; False when the queue is full and refuses."""
        if self.closed and not self.opens():
            return self.deleted
        entry = Entry(self, message, self.next_sequence, via)
        self.next_sequence += 1
        if self.ttl_s != NEVER:
            self._shorten(entry)
        backlog = self.backlog
        if self.shelf is not None:
            if message.qos:
                self._surroundings.journal.put(entry)
            elif backlog.deep:
                self._surroundings.journal.page_out(entry)
        selecting = self._selecting
        if selecting is not None:
            consumer = selecting.choose_for(entry)
        else:
            consumer = self._turns.choose() if not backlog.count else None
        if consumer is not None:
            self._lend(entry, consumer)
            return True
        if backlog.count >= self.limit_entries or backlog.bytes + len(message.body) > self.limit_bytes:
            if self.overflow != DROP_HEAD:
                self._left(entry)  # it never waited, so it has no row among those of the entries that are on disk
                if self.overflow == REJECT_PUBLISH_DLX and self.dead_lettering is not None:
                    self._give_up(entry, MAXLEN)
                return False
            backlog.add(entry)
            self._drop_heads()
        else:
            backlog.add(entry)
        if entry.expires_at != 0.0:
            self._watch(entry.expires_at)
        if selecting is not None and selecting.due:
            self.wake()
        return True

    def recover(
        self, message: Message, row: int, *, redelivered: bool, via: Sink | None = None, holder: Consumer | None = None
    ) -> Entry:
        """Take what the store had in this queue, behind what it has given back already; a `holder` has it still."""
        entry = Entry(self, message, self.next_sequence, via)
        self.next_sequence += 1
        entry.row = row
        entry.redelivered = redelivered
        if holder is not None:
            self._hold(entry, holder)
            return entry
        self.backlog.add(entry)
        if entry.expires_at != 0.0:
            self._watch(entry.expires_at)
        return entry

    def recover_rest(self, after: int, last: int, entries: int, size_bytes: int) -> None:
        """Have what the store has behind a row, so many entries, come back when it is needed. Nothing is ready behind it."""
        window = self.window
        assert window is not None
        sequence = self.next_sequence
        self.next_sequence = sequence + entries
        window.extend(after, last, entries, size_bytes, sequence)
        if window.count:
            self._watch(window.head().expires_at or NEVER)  # what is behind the head may expire, whatever that does

    def admits(self, count: int, size_bytes: int) -> bool:
        if self.closed and not self.opens():
            return self.deleted
        backlog = self.backlog
        if self.overflow == DROP_HEAD:
            return True
        room = self.limit_entries - backlog.count
        if count <= room and backlog.bytes + size_bytes <= self.limit_bytes:
            return True
        consumer = self._turns.choose() if not backlog.count else None  # what it takes at once does not wait here
        if consumer is None or count > consumer.credit:
            return False
        return consumer.shared is None or count <= consumer.shared.available

    # Handing over

    def run(self) -> None:
        """Hand over what there is to consumers that have credit."""
        self._woken = False
        selecting = self._selecting
        if selecting is not None:
            selecting.hand_over(self)
            if selecting.due:
                self.wake()  # for the rest of a search
        else:
            while self.backlog.count:
                consumer = self._turns.choose()
                if consumer is None:
                    break
                self.give(self.backlog.take(), consumer)
            if not self.backlog.count:
                self._in_sequence()
        if self._expiry is not None:
            self._expiry.watch_head()

    def give(self, entry: Entry, consumer: Consumer) -> None:
        """Lend an entry that was taken out of the backlog, unless it has expired."""
        if self._expired(entry):
            self.expire(entry)
        else:
            self._lend(entry, consumer)

    def get(self) -> Entry | None:
        """Lend the next entry to nobody in particular (AMQP `basic.get`); None when nothing is ready."""
        self.used()
        found: Entry | None = None
        while found is None and self.backlog.count:
            entry = self.backlog.take()
            if self._expired(entry):
                self.expire(entry)
            else:
                found = entry
        if self._expiry is not None:
            self._expiry.look()  # at once: the answer has the count of what is left, as RabbitMQ's
        if found is not None:
            self._lend(found, NOBODY)
        return found

    def _lend(self, entry: Entry, consumer: Consumer) -> None:
        self._surroundings.counters.delivered += 1
        if consumer.settles:
            self._hold(entry, consumer)
        else:
            entry.attempts += 1
            self._left(entry)
        try:
            consumer.deliver(entry)
        except Exception as error:  # noqa: BLE001 - a bug in the receiving connection must not cost the publishing one
            consumer.failed(error)

    def _hold(self, entry: Entry, consumer: Consumer) -> None:
        entry.attempts += 1
        entry.consumer = consumer
        consumer.credit -= 1
        shared = consumer.shared
        if shared is not None:
            shared.take(consumer)
        self.unsettled_count += 1
        self._surroundings.usage.held_bytes += entry.message.size_bytes + ENTRY_COST_BYTES

    # Settling

    def accept(self, entry: Entry) -> None:
        if self._take_back(entry):
            self._left(entry)

    def discard(self, entry: Entry) -> None:
        consumer = entry.consumer
        if self._take_back(entry):
            if self.deleted:
                self._surroundings.counters.drop(REJECTED)
            elif self.dead_lettering is None and consumer is not None and consumer.dead_lettering is not None:
                self._bury(consumer.dead_lettering, entry, REJECTED)
            else:
                self._give_up(entry, REJECTED)

    def requeue(self, entry: Entry) -> None:
        if self._take_back(entry) and self._may_come_back(entry):
            self.come_back(entry)

    def requeue_later(self, entry: Entry, delay_s: float) -> None:
        """Put the entry back to its place later; at once where the broker has no room for what waits."""
        if self._take_back(entry) and self._may_come_back(entry):
            if self._deferred is None:
                self._deferred = Deferred(self, self._surroundings.timers, self._surroundings.usage)
            if delay_s <= 0 or not self._deferred.hold(entry, delay_s):
                self.come_back(entry)

    def _may_come_back(self, entry: Entry) -> bool:
        limited = entry.attempts > self.delivery_limit
        if limited and not self.deleted:
            self._give_up(entry, DELIVERY_LIMIT)
        return not limited and not self.deleted

    def come_back(self, entry: Entry) -> None:
        """Have an entry ready again that nobody holds."""
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
        """Start lending to `consumer`. Limit when there is no room for its selector; then nothing has changed."""
        if consumer.selector is not None:
            if self.grouped:
                raise Unsupported(f"a selector on queue '{self.name}', which has message groups")
            self.check_in_order()
            self._surroundings.usage.define(consumer.selector.cost_bytes)
        self.consumers[consumer] = None
        consumer.lender = self
        self.had_consumer = True
        self.used()
        if consumer.selector is not None and self._selecting is None:
            self._selecting = SelectingTurns(self.in_order(), self._turns, self._surroundings)
            self._turns = self._selecting
        if self._selecting is not None:
            self._selecting.join(consumer)
        if self._selecting is None and consumer.priority and not isinstance(self._turns, RankedTurns):
            self._turns = RankedTurns(self._turns.members())
        if self._active is None and (self.single_active or consumer.alone):
            self._active = consumer
            for other in self.consumers:
                self._turns.leave(other)
        self.resume(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Stop lending to `consumer`; what it holds stays lent until it is settled."""
        if consumer.lender is not self:
            return
        self._let_go(consumer)
        del self.consumers[consumer]
        self._turns.leave(consumer)
        if self._selecting is not None:
            self._part(consumer, self._selecting)
        self.used()
        if consumer is self._active:
            # The first of those with the highest priority is next, as in RabbitMQ.
            suitors = [other for other in self.consumers if other.alone or self.single_active]
            self._active = max(suitors, key=_priority, default=None)
            for other in self.consumers if self._active is None else [self._active]:
                self.resume(other)

    @property
    def grouped(self) -> bool:
        """Whether all messages of one group go to one consumer."""
        return isinstance(self._selecting, GroupedTurns)

    def honour_groups(self, *, again: bool = False) -> None:
        """Be `grouped` from now on, unless consumers have selectors. Limit as for those, but not `again`, after a start."""
        if self._selecting is None:
            if not again:
                self.check_in_order()
            self._selecting = self._turns = GroupedTurns(self.in_order(), self._turns, self._surroundings)
            for consumer in self.consumers:
                self._selecting.join(consumer)

    def _part(self, consumer: Consumer, selecting: ChoosingTurns) -> None:
        selecting.part(consumer)
        if selecting.idle:
            self._turns = selecting.turns_of_everyone
            self._selecting = None
            self._in_sequence()
            self.wake()

    def _in_sequence(self) -> None:
        self.backlog = in_sequence(self.backlog, self._surroundings.usage, self.window)

    def in_order(self) -> OrderedBacklog:
        """Return the backlog in a form that can be read and taken from at any place, which it keeps."""
        self.backlog = backlog = in_order(self.backlog, self._surroundings.usage)
        return backlog

    def _let_go(self, consumer: Consumer) -> None:
        consumer.lender = None
        if consumer.selector is not None:
            self._surroundings.usage.undefine(consumer.selector.cost_bytes)
        if consumer.shared is not None:
            consumer.shared.forget(consumer)

    def resume(self, consumer: Consumer) -> None:
        if (
            consumer.in_ring
            or consumer.lender is not self
            or (self._active is not None and consumer is not self._active)
        ):
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

    def purge(self) -> int:
        """Remove what is ready or comes back later, and return how much; lent entries stay (AMQP 0-9-1 `queue.purge`)."""
        count = self._empty()
        if self._selecting is not None:
            self._selecting.clear()
        return count

    def delete(self) -> int:
        """End the queue: consumers are cancelled, entries dropped. Returns how many were ready."""
        self.deleted = self.closed = True
        count = self.purge()
        consumers = self.consumers
        self.consumers = {}
        self._turns = Turns()
        self._selecting = None
        self._active = None
        if self.window is not None:
            self.window.end()
        self._surroundings.windows.unwatch(self)
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
