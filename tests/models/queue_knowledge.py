"""What the model of two queues (`test_queue_model.py`) knows of them, and what it checks of each delivery."""

from hypothesis.stateful import RuleBasedStateMachine

from core.model.message import Message
from core.model.names import DEFAULT_VHOST
from core.queueing.consumer import Consumer
from core.queueing.credit import Credit
from core.queueing.entry import Entry
from core.queueing.stock import DROP_HEAD
from core.routing.selector import parse_selector
from tests.core.parts import a_broker
from tests.models.queue_lines import DEAD, WISHES, Item, Line, Wish, key_of


class Watched(Consumer):
    """A consumer that shows each delivery to the model."""

    def __init__(
        self, model: "QueueKnowledge", line: Line, credit: int, *, settles: bool, shared: Credit | None
    ) -> None:
        super().__init__(credit=credit, settles=settles, shared=shared)
        self.model = model
        self.line = line
        self.limit = credit
        self.wants: Wish = WISHES[""]

    def wish_for(self, text: str) -> None:
        """Want what a selector matches."""
        self.selector = parse_selector(text) if text else None
        self.wants = WISHES[text]

    def deliver(self, entry: Entry) -> None:
        self.model.delivered(self, entry)


class QueueKnowledge(RuleBasedStateMachine):
    """What the model knows of the queues, and what it checks of each delivery."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = a_broker()
        self.vhost = self.broker.vhosts[DEFAULT_VHOST]
        self.surroundings = self.broker.surroundings
        self.clock = self.surroundings.clock
        self.clock.now = 100.0
        self.shared = Credit(2)
        self.lines = [Line(self.vhost.add_queue(f"q{number}")) for number in range(2)]
        self.dead = self.vhost.add_queue(DEAD)
        self.letters: list[Message] = []  # that were taken out of the queue of the dead
        self.lent: list[tuple[Item, Entry, Line, Watched | None]] = []
        self.dropped: dict[str, int] = {}
        self.buried: dict[str, int] = {}
        self.numbers = 0
        self.failures: list[str] = []

    # What the model knows

    def expired(self, item: Item) -> bool:
        return 0.0 < item.expires_at <= self.clock.now

    def give_up(self, line: Line, item: Item, reason: str) -> None:
        counts = self.buried if line.buries else self.dropped
        counts[reason] = counts.get(reason, 0) + 1
        if line.buries:
            line.dead.append((item.number, reason))

    def drop_heads(self, line: Line) -> None:
        while len(line.ready) > line.limit_entries or line.ready_bytes > line.limit_bytes:
            self.give_up(line, line.ready.pop(0), "maxlen")

    def takers(self, line: Line) -> list[Watched]:
        """Return the consumers that would take an entry now."""
        consumers = line.consumers
        if line.single:
            active = self.active(line)
            consumers = [active] if active is not None else []
        return [consumer for consumer in consumers if self.willing(consumer)]

    def held_by(self, consumer: Watched) -> int:
        return sum(holder is consumer for *_, holder in self.lent)

    def shared_held(self) -> int:
        return sum(holder is not None and holder.shared is self.shared for *_, holder in self.lent)

    def willing(self, consumer: Watched) -> bool:
        if consumer.suspended or self.held_by(consumer) >= consumer.limit:
            return False
        return consumer.shared is None or self.shared_held() < self.shared.limit

    def give(self, line: Line, entry: Entry, wants: Wish, *, fresh: bool) -> Item:
        """Take the entry out of the model; what has expired before it and had a taker must be gone."""
        number = int(entry.message.body[:8])
        self.follow_expiry_of(line, number)
        place = [item.number for item in line.ready].index(number)
        earlier = [item.number for item in line.ready[:place] if wants(item.key)]
        assert not earlier, f"{number} was given before {earlier}"
        item = line.ready.pop(place)
        assert wants(item.key), f"{number} was given to somebody who does not want it"
        assert fresh or not self.expired(item), f"{number} was given although it had expired"
        item.attempts += 1
        assert entry.attempts == item.attempts
        assert entry.redelivered == item.returned
        assert entry.queue is line.queue
        return item

    def give_head(self, line: Line, entry: Entry) -> Item:
        """Take the first entry that has not expired out of the model, for whom nobody was asked."""
        while line.ready and self.expired(line.ready[0]):
            self.give_up(line, line.ready.pop(0), "expired")
        return self.give(line, entry, WISHES[""], fresh=False)

    def delivered(self, consumer: Watched, entry: Entry) -> None:
        try:
            line = consumer.line
            assert consumer in line.consumers, "a consumer that has left got an entry"
            assert self.willing(consumer), "a consumer without credit got an entry"
            if line.single:
                assert consumer is self.active(line), "a consumer that has to wait got an entry"
            else:
                better = [other for other in line.consumers if other.priority > consumer.priority]
                passed_over = [other for other in better if self.willing(other) and other.wants(key_of(entry.message))]
                assert not passed_over, "a better consumer was passed over"
            item = self.give(line, entry, consumer.wants, fresh=self.publishing)
            if consumer.settles:
                self.lent.append((item, entry, line, consumer))
        except AssertionError as failure:  # the queue takes what `deliver` raises for the consumer's fault
            self.failures.append(str(failure))

    publishing = False

    def active(self, line: Line) -> "Watched | None":
        active = line.active
        if active not in line.consumers:
            active = line.active = max(line.consumers, key=lambda each: each.priority, default=None)
        return active

    def taken_at_once(self, line: Line, key: str | None) -> bool:
        """Tell whether a new entry goes to a consumer directly: nobody who wants it has to have an older one first."""
        takers = [taker for taker in self.takers(line) if taker.wants(key)]
        return bool(takers) and not any(taker.wants(item.key) for taker in takers for item in line.ready)

    def follow_expiry(self) -> None:
        """Drop from the model what the queues have dropped."""
        for line in self.lines:
            self.follow_expiry_of(line, None)

    def follow_expiry_of(self, line: Line, given: int | None) -> None:
        """Drop what is no more in a queue: it must have expired, at the head or where a consumer would have taken it."""
        if len(line.ready) == line.queue.ready_count + (given is not None):
            return
        there = {int(entry.message.body[:8]) for entry in line.queue.backlog.entries()}
        for item in list(line.ready):
            if item.number not in there and item.number != given:
                assert self.expired(item), f"{item.number} was dropped although it had not expired"
                met = any(consumer.wants(item.key) for consumer in line.consumers)
                first = next(each for each in line.ready if each.number != given)
                assert met or item is first, f"{item.number} was dropped before its turn"
                line.ready.remove(item)
                self.give_up(line, item, "expired")

    def put_back(self, line: Line, item: Item) -> None:
        """Have an item ready again."""
        item.returned = True
        line.file(item)
        if line.queue.overflow == DROP_HEAD:
            self.drop_heads(line)

    def follow_return(self) -> None:
        """Have ready again what was to come back by now."""
        for line in self.lines:
            line.deferred.sort(key=lambda each: (each[0], each[1].number))
            while len(line.deferred) > line.queue.deferred_count:
                back_at, item = line.deferred.pop(0)
                assert back_at <= self.clock.now, f"{item.number} came back early"
                self.put_back(line, item)
