"""A broker that soon holds more than half of what it may, and one queue of it."""

from core.broker import Broker
from core.model.message import AT_MOST_ONCE, plain_message
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.recovery import Recovered, recover
from core.store.kinds import VOLATILE
from core.store.memory import MemoryStore
from tests.core.parts import a_broker, a_client
from tests.core.queueing.windows import ENTRY_BYTES, commit, make_small

TURNS = 200


class Scene:
    """A broker that holds much once it has ten messages, and a queue."""

    def __init__(self, arguments: dict[str, object] | None = None, *, durable: bool = False) -> None:
        self.store = MemoryStore()
        self.arguments = arguments
        self.durable = durable
        self.start()

    def start(self) -> None:
        self.broker: Broker = a_broker()
        make_small(self.broker)
        self.found: Recovered = recover(self.broker, self.store)
        self.client = a_client(self.broker)
        self.queue = self.declare("q", durable=self.durable, arguments=self.arguments)

    def declare(self, name: str, *, durable: bool = False, arguments: dict[str, object] | None = None) -> Queue:
        usage = self.broker.surroundings.usage
        usage.limit_bytes = 1 << 30
        queue = self.client.declare_queue(name, durable=durable, arguments=arguments)
        usage.limit_bytes = 20 * ENTRY_BYTES
        return queue

    def publish(self, *bodies: bytes, qos: int = AT_MOST_ONCE, queue: str = "q") -> None:
        target = self.client.target("", queue)
        for body in bodies:
            self.client.publish(target.exchange, plain_message(target.address, body, qos), None, 0)

    def turns(self, count: int = TURNS) -> None:
        for _ in range(count):
            commit(self.broker, self.store)

    def take(self, count: int) -> list[bytes]:
        entries = self.lent(count)
        for entry in entries:
            self.queue.accept(entry)
        return [entry.message.body for entry in entries]

    def lent(self, count: int) -> list[Entry]:
        found = [self.queue.get() for _ in range(count)]
        return [entry for entry in found if entry is not None]

    def stored(self) -> list[int]:
        return sorted(self.store._rows)

    def noted(self) -> list[str]:
        return [key for kind, key, _ in self.store.definitions() if kind == VOLATILE]


def bodies(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]
