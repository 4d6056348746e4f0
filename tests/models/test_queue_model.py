"""Two queues, their consumers and a clock, against lists: order, counts, credit, expiry, limits, priorities, dead letters,
selectors, and entries that come back later.

The model is a list of what is ready in each queue and a list of what is lent. It does not choose consumers: it checks
that whoever was chosen was willing and of the highest rank, that the entry was the first that it wanted, and that after a
batch nobody who is willing was left without an entry that is there. A third queue collects dead letters; after each step it
is emptied and compared with what the model gave up, and some of what was in it is published again.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from core.model.message import Message
from core.model.properties import Headers, Properties, Stated
from core.queueing.credit import UNLIMITED
from core.queueing.deferred import REQUEUE_DELAY_LIMIT_S
from core.queueing.selecting import PLACE_COST_BYTES
from core.queueing.stock import DROP_HEAD, REJECT_PUBLISH, REJECT_PUBLISH_DLX
from core.queueing.transaction import ACCEPT, DISCARD, REQUEUE, settle
from core.timers import NEVER
from tests.models.queue_knowledge import QueueKnowledge, Watched
from tests.models.queue_lines import ADDRESS, ARGUMENTS, WISHES, Item, Line, checked

LATER = 3  # an outcome beside those of `settle`


class QueueModel(QueueKnowledge):
    # What clients do

    @initialize(first=ARGUMENTS, second=ARGUMENTS)
    def start_with_arguments(self, first: Headers, second: Headers) -> None:
        self.renew(0, first)
        self.renew(1, second)

    def renew(self, index: int, arguments: Headers) -> None:
        line = self.lines[index]
        assert self.vhost.remove_queue(line.queue) == len(line.ready) + len(line.deferred)
        assert all(consumer.lender is None for consumer in line.consumers)
        self.lines[index] = Line(self.vhost.add_queue(f"q{index}", checked(arguments)))

    @initialize(limits=st.lists(st.sampled_from([0, 1, 2, UNLIMITED]), min_size=4, max_size=4), kind=st.booleans())
    def start_with_consumers(self, limits: list[int], kind: bool) -> None:
        for number, credit in enumerate(limits):
            if credit:
                self.subscribe(number % 2, credit, "shares" if kind else "settles", False, 0, "")

    @rule(
        index=st.integers(0, 1),
        sizes=st.lists(st.sampled_from([8, 20, 40]), min_size=1, max_size=4),
        life=st.sampled_from([None, None, 0.0, 1.0, 5.0]),
        priority=st.sampled_from([None, 0, 1, 2, 200, 255]),
        keys=st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=4, max_size=4),
        last=st.booleans(),
    )
    def publish(
        self,
        index: int,
        sizes: list[int],
        life: float | None,
        priority: int | None,
        keys: list[str | None],
        last: bool,
    ) -> None:
        for size, key in zip(sizes, keys, strict=False):
            said = Properties({"key": key} if key is not None else {})
            said.priority = priority
            self.publish_one(self.lines[index], size, life, said)
        self.end(last)

    @rule(index=st.integers(0, 1), life=st.sampled_from([None, 1.0]), last=st.booleans())
    @precondition(lambda self: self.letters)
    def publish_a_dead_letter_again(self, index: int, life: float | None, last: bool) -> None:
        """What a client publishes with the headers of a dead letter has died before."""
        self.publish_one(self.lines[index], 20, life, self.letters.pop().properties)
        self.end(last)

    def publish_one(self, line: Line, size: int, life: float | None, said: Properties) -> None:
        self.numbers += 1
        message = Message(ADDRESS, str(self.numbers).zfill(8).encode().ljust(size), 0, Stated(said))
        message.expires_at = 0.0 if life is None else self.clock.now + life
        item = Item(self.numbers, message, min(said.priority or 0, line.highest))
        if line.ttl_s is not None:
            item.expires_at = min(item.expires_at or NEVER, self.clock.now + line.ttl_s)
        full = len(line.ready) + 1 > line.limit_entries or line.ready_bytes + size > line.limit_bytes
        direct = self.taken_at_once(line, item.key)
        if direct:
            line.file(item)
            self.publishing = True
            accepted = line.queue.take(message)
            self.publishing = False
            if item not in line.ready:
                assert accepted
                return
            line.ready.remove(item)
            assert line.selects, "a willing consumer had to wait for an entry"  # a search may come first, in a batch
            assert not accepted or line.queue in self.surroundings.woken
        refused = full and line.queue.overflow != DROP_HEAD
        if not refused:
            line.file(item)
        elif line.buries and line.queue.overflow == REJECT_PUBLISH_DLX:
            self.give_up(line, item, "maxlen")
        if line.queue.overflow == DROP_HEAD:
            self.drop_heads(line)
        if not direct:
            accepted = line.queue.take(message)
        assert accepted == (not refused)

    @rule(
        index=st.integers(0, 1),
        credit=st.sampled_from([1, 2, 3, UNLIMITED]),
        kind=st.sampled_from(["settles", "shares", "shares", "settles not"]),
        suspended=st.sampled_from([False, False, True]),
        priority=st.sampled_from([0, 0, 0, 5, -5]),
        wish=st.sampled_from(["", "", *WISHES]),
    )
    def subscribe(self, index: int, credit: int, kind: str, suspended: bool, priority: int, wish: str) -> None:
        line = self.lines[index]
        settles, shared = kind != "settles not", kind == "shares"
        if not settles:
            credit = UNLIMITED
        consumer = Watched(self, line, credit, settles=settles, shared=self.shared if shared else None)
        consumer.suspended = suspended
        consumer.priority = priority
        consumer.wish_for(wish)
        line.consumers.append(consumer)
        self.active(line)  # whoever comes later, with whatever priority, waits
        line.queue.add(consumer)

    @rule(data=st.data(), leaves=st.booleans(), last=st.booleans())
    @precondition(lambda self: any(line.consumers for line in self.lines))
    def cancel_or_suspend(self, data: st.DataObject, leaves: bool, last: bool) -> None:
        consumer = data.draw(st.sampled_from([consumer for line in self.lines for consumer in line.consumers]))
        if leaves:
            consumer.line.consumers.remove(consumer)
            self.active(consumer.line)
            consumer.line.queue.remove(consumer)
            consumer.line.queue.remove(consumer)
        else:
            consumer.suspended = not consumer.suspended
            consumer.line.queue.resume(consumer)
        self.end(last)

    @rule(
        data=st.data(),
        outcome=st.sampled_from([ACCEPT, REQUEUE, DISCARD, LATER]),
        count=st.integers(1, 3),
        delay_s=st.sampled_from([0.0, 0.5, 2.0, 1e9]),
        last=st.booleans(),
    )
    @precondition(lambda self: self.lent)
    def settle(self, data: st.DataObject, outcome: int, count: int, delay_s: float, last: bool) -> None:
        for _ in range(min(count, len(self.lent))):
            item, entry, line, _holder = self.lent.pop(data.draw(st.integers(0, len(self.lent) - 1)))
            if outcome == DISCARD:
                self.discarded(line, item)
            elif outcome != ACCEPT and not line.queue.deleted:
                if item.attempts > line.delivery_limit:
                    self.give_up(line, item, "delivery_limit")
                elif outcome == LATER and delay_s:
                    back_at = self.clock.now + min(delay_s, REQUEUE_DELAY_LIMIT_S)
                    line.deferred.append((min(back_at, item.expires_at or NEVER), item))
                else:
                    self.put_back(line, item)
            if outcome == LATER:
                entry.queue.requeue_later(entry, delay_s)
            else:
                settle(entry, outcome)
            for again in (ACCEPT, REQUEUE, DISCARD):
                settle(entry, again)  # what is settled is settled
            entry.queue.requeue_later(entry, 1.0)
        self.end(last)

    def discarded(self, line: Line, item: Item) -> None:
        if line.queue.deleted:
            self.dropped["rejected"] = self.dropped.get("rejected", 0) + 1
        else:
            self.give_up(line, item, "rejected")

    @rule(index=st.integers(0, 1))
    def get(self, index: int) -> None:
        line = self.lines[index]
        entry = line.queue.get()
        if entry is None:
            for item in line.ready:
                assert self.expired(item), "there was an entry to get"
                self.give_up(line, item, "expired")
            line.ready.clear()
        else:
            self.lent.append((self.give_head(line, entry), entry, line, None))
        self.follow_expiry()

    @rule(index=st.integers(0, 1), whole=st.booleans(), arguments=ARGUMENTS)
    @precondition(lambda self: self.numbers > 20)
    def purge_or_delete(self, index: int, whole: bool, arguments: Headers) -> None:
        line = self.lines[index]
        if whole:
            self.renew(index, arguments)
        else:
            assert line.queue.purge() == len(line.ready) + len(line.deferred)
            line.ready.clear()
            line.deferred.clear()

    @rule(
        index=st.integers(0, 1),
        entries=st.sampled_from([UNLIMITED, 4, 2, 0]),
        size=st.sampled_from([UNLIMITED, 80, 40, 0]),
        overflow=st.sampled_from([DROP_HEAD, REJECT_PUBLISH, REJECT_PUBLISH_DLX]),
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
            self.follow_return()
            self.follow_expiry()
        assert not any(back_at <= self.clock.now for line in self.lines for back_at, _ in line.deferred)

    def end(self, last: bool) -> None:
        if last:
            self.batch()

    def batch(self) -> None:
        """What becomes possible is done by the end of the batch."""
        while self.surroundings.woken:
            woken, self.surroundings.woken = self.surroundings.woken, []
            for queue in woken:
                queue.run()
        assert not self.failures
        self.follow_expiry()
        for line in self.lines:
            for taker in self.takers(line):
                met = not any(taker.wants(item.key) for item in line.ready)
                assert met, "an entry and a willing consumer did not meet"

    # What must hold after each

    @invariant()
    def nothing_went_wrong_in_a_delivery(self) -> None:
        assert not self.failures

    @invariant()
    def all_the_dead_are_where_they_belong(self) -> None:
        """Dead letters arrive in the order in which they died, and say of what."""
        assert not self.failures
        found: dict[str, list[tuple[int, str]]] = {}
        while (entry := self.dead.get()) is not None:
            self.dead.accept(entry)
            message = entry.message
            number = int(message.body[:8])
            said = message.properties
            deaths = said.headers["x-death"]
            found.setdefault(deaths[0]["queue"], []).append((number, deaths[0]["reason"]))
            pairs = [(death["queue"], death["reason"]) for death in deaths]
            assert len(set(pairs)) == len(pairs)
            assert said.headers["x-first-death-queue"] in {queue for queue, _ in pairs}
            assert said.expiration_ms is None
            assert message.expires_at == 0.0
            self.letters.append(message)
        del self.letters[:-5]
        for line in self.lines:
            letters = found.pop(line.queue.name, [])
            if line.selects:  # in the order of their consumers' turns
                assert sorted(letters) == sorted(line.dead)
            else:
                assert letters == line.dead
            line.dead.clear()
        assert not found

    @invariant()
    def counts_agree(self) -> None:
        for line in self.lines:
            assert line.queue.ready_count == len(line.ready)
            assert line.queue.ready_bytes == line.ready_bytes
            assert line.queue.deferred_count == len(line.deferred)
            assert line.queue.unsettled_count == sum(at is line for _, _, at, _ in self.lent)
        assert self.surroundings.counters.dropped == self.dropped
        assert self.surroundings.counters.dead_lettered == self.buried

    @invariant()
    def memory_agrees(self) -> None:
        held = sum(line.memory for line in self.lines) + sum(item.cost for item, *_ in self.lent)
        places, rest = divmod(self.surroundings.usage.held_bytes - held, PLACE_COST_BYTES)
        assert not rest, "memory is held by something else than lines of places"
        assert 0 <= places <= sum(line.places_limit for line in self.lines)
        kept = sum(item.cost for line in self.lines for _, item in line.deferred)
        assert self.surroundings.usage.kept_bytes == kept

    @invariant()
    def credit_agrees(self) -> None:
        for line in self.lines:
            for consumer in line.consumers:
                assert consumer.credit == consumer.limit - self.held_by(consumer)
                assert consumer.credit >= 0
        assert self.shared.available == self.shared.limit - self.shared_held()

    def teardown(self) -> None:
        self.batch()
        self.all_the_dead_are_where_they_belong()
        assert not self.failures
        for _, entry, _, _ in self.lent:
            settle(entry, ACCEPT)
        for line in self.lines:
            self.vhost.remove_queue(line.queue)
        assert self.surroundings.usage.held_bytes == 0
        assert self.surroundings.timers.count == 0


TestQueue = QueueModel.TestCase
TestQueue.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
