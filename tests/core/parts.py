"""What the tests of the core share: sinks and consumers that remember, a broker with users, and the naive matcher."""

import itertools

from core.access import EVERYTHING, NOTHING, NamePattern, Permission, User
from core.broker import Broker
from core.client import Client
from core.model.message import Address, Message, plain_message
from core.model.names import DEFAULT_VHOST
from core.publisher import Publisher
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED, Credit
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.routing.pattern import MANY, ONE, Pattern, Token
from core.routing.sink import Sink
from core.timers import Clock


def naive_match(tokens: tuple[Token, ...], words: tuple[str, ...]) -> bool:
    """Tell whether a pattern matches, straight from the definition of its tokens."""
    if not tokens:
        return not words
    first, rest = tokens[0], tokens[1:]
    if first.kind == MANY:
        return naive_match(rest, words) or (bool(words) and naive_match(tokens, words[1:]))
    return bool(words) and (first.kind == ONE or first.text == words[0]) and naive_match(rest, words[1:])


def naive_topic_match(pattern: Pattern, topic: str) -> bool:
    """The same for a whole topic, `$` hidden from leading wildcards where the pattern says so."""
    if pattern.hides_dollar and topic.startswith("$"):
        return False
    return naive_match(pattern.tokens, tuple(topic.split(".")) if topic else ())


class Recorder(Sink):
    """Remembers what it took; refuses when told to."""

    def __init__(self, name: str = "", *, refuses: bool = False) -> None:
        super().__init__()
        self.name = name
        self.refuses = refuses
        self.taken: list[Message] = []

    def take(self, message: Message) -> bool:
        if self.refuses:
            return False
        self.taken.append(message)
        return True

    def __repr__(self) -> str:
        return f"Recorder({self.name!r})"


class Holder(Consumer):
    """Keeps what it is lent until the test settles it."""

    def __init__(self, *, credit: int = UNLIMITED, settles: bool = True, shared: Credit | None = None) -> None:
        super().__init__(credit=credit, settles=settles, shared=shared)
        self.held: list[Entry] = []
        self.cancellations = 0

    def deliver(self, entry: Entry) -> None:
        self.held.append(entry)

    def cancelled(self) -> None:
        self.cancellations += 1

    @property
    def bodies(self) -> list[bytes]:
        return [entry.message.body for entry in self.held]


class Outcomes(Publisher):
    """Remembers what became of each tag."""

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []

    def confirmed(self, tag: int, *, routed: bool) -> None:
        self.said.append((tag, "routed" if routed else "unroutable"))

    def refused(self, tag: int) -> None:
        self.said.append((tag, "refused"))


class Only(NamePattern):
    """Covers the names it is given."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def matches(self, name: str) -> bool:
        return name in self.names


def a_broker() -> Broker:
    numbers = itertools.count(1)
    return Broker(lambda: f"unique-{next(numbers)}")


def a_user(
    name: str = "guest",
    *,
    configure: NamePattern = EVERYTHING,
    write: NamePattern = EVERYTHING,
    read: NamePattern = EVERYTHING,
    write_topics: NamePattern = EVERYTHING,
    read_topics: NamePattern = EVERYTHING,
) -> User:
    user = User(name)
    user.permissions[DEFAULT_VHOST] = Permission(configure, write, read, write_topics, read_topics)
    return user


def a_client(broker: Broker | None = None, user: User | None = None) -> Client:
    return (broker or a_broker()).open(user or a_user(), DEFAULT_VHOST, "test", "test client")


def powerless() -> User:
    return a_user("nobody", configure=NOTHING, write=NOTHING, read=NOTHING)


def a_message(client: Client, exchange: str, key: str, body: bytes = b"body") -> Message:
    return plain_message(client.target(exchange, key).address, body)


def publish(client: Client, exchange: str, key: str, body: bytes = b"body") -> bool:
    """Publish as a protocol does, without a tag; False when nobody wanted the message."""
    target = client.target(exchange, key)
    return client.publish(target.exchange, plain_message(target.address, body), None, 0)


def a_queue(name: str = "q", surroundings: Surroundings | None = None) -> Queue:
    return Queue(name, surroundings or Surroundings(Clock(100.0)))


def put(queue: Queue, *bodies: bytes) -> None:
    for body in bodies:
        assert queue.take(plain_message(Address("", queue.name), body))


def run_queues(surroundings: Surroundings) -> None:
    """End a batch without a broker: hand over until nothing is left to hand over."""
    while surroundings.woken:
        woken, surroundings.woken = surroundings.woken, []
        for queue in woken:
            queue.run()


def run(broker: Broker) -> None:
    """End a batch: hand over until nothing is left to hand over."""
    while broker.surroundings.woken:
        broker.run()
