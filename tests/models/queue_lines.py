"""What the model of two queues (`test_queue_model.py`) knows of a message and of a queue, and the arguments it tries."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from core.model.message import Address, Message
from core.model.properties import Headers
from core.queueing.credit import UNLIMITED
from core.queueing.ordered_backlog import OrderedBacklog
from core.queueing.priority_backlog import LINE_COST_BYTES
from core.queueing.queue import Queue
from core.queueing.selecting import STALE_LIMIT
from core.queueing.usage import ENTRY_COST_BYTES

if TYPE_CHECKING:
    from tests.models.queue_knowledge import Watched

Wish = Callable[[str | None], bool]  # whether somebody wants a message with this key

# What consumers want, by selector: found by a text or asked in turn, and overlapping.
WISHES: dict[str, Wish] = {
    "": lambda key: True,
    "key = 'a'": lambda key: key == "a",
    "key = 'b'": lambda key: key == "b",
    "key IN ('a', 'b') AND 1 = 1": lambda key: key in {"a", "b"},
    "NOT key = 'a'": lambda key: key is not None and key != "a",
    "key IS NULL": lambda key: key is None,
}

ADDRESS = Address("", "q")
DEAD = "dead"

ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "x-message-ttl": st.sampled_from([0, 1_000, 3_000]),
        "x-max-priority": st.sampled_from([1, 2, 255]),
        "x-dead-letter-exchange": st.just(""),
        "x-single-active-consumer": st.booleans(),
        "x-delivery-limit": st.sampled_from([0, 1, 2]),
    },
)


def checked(arguments: Headers) -> Headers:
    """Return arguments that go together."""
    arguments = dict(arguments)
    if "x-dead-letter-exchange" in arguments:
        arguments["x-dead-letter-routing-key"] = DEAD
    return arguments


def key_of(message: Message) -> str | None:
    """Return what selectors ask about."""
    key = message.properties.headers.get("key")
    assert key is None or isinstance(key, str)
    return key


class Item:
    """What the model knows of one message in one queue."""

    def __init__(self, number: int, message: Message, priority: int) -> None:
        self.number = number
        self.size = len(message.body)
        self.cost = message.size_bytes + ENTRY_COST_BYTES
        self.message = message
        self.priority = priority
        self.key = key_of(message)
        self.expires_at = message.expires_at
        self.attempts = 0
        self.returned = False


class Line:
    """What the model knows of one queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.ready: list[Item] = []
        self.deferred: list[tuple[float, Item]] = []  # when it comes back, and what
        self.consumers: list[Watched] = []
        self.active: Watched | None = None
        self.limit_entries = UNLIMITED
        self.limit_bytes = UNLIMITED
        self.dead: list[tuple[int, str]] = []  # what has become a dead letter since the last look
        arguments = queue.arguments
        self.ttl_s: float | None = arguments["x-message-ttl"] / 1000 if "x-message-ttl" in arguments else None
        self.highest: int = arguments.get("x-max-priority", 0)
        self.buries = "x-dead-letter-exchange" in arguments
        self.delivery_limit: int = arguments.get("x-delivery-limit", UNLIMITED)
        self.single: bool = arguments.get("x-single-active-consumer", False)

    def file(self, item: Item) -> None:
        """Put an item to its place."""
        self.ready.append(item)
        self.ready.sort(key=lambda each: (-each.priority, each.number))

    @property
    def selects(self) -> bool:
        """Whether a consumer has a selector."""
        return any(consumer.selector is not None for consumer in self.consumers)

    @property
    def memory(self) -> int:
        backlog = self.queue.backlog
        in_lines = backlog.rest if isinstance(backlog, OrderedBacklog) else backlog.entries()
        lines = len(
            {min(entry.message.properties.priority or 0, self.highest) for entry in in_lines} if self.highest else ()
        )
        items = [*self.ready, *[item for _, item in self.deferred]]
        return sum(item.cost for item in items) + LINE_COST_BYTES * lines

    @property
    def places_limit(self) -> int:
        """How many places the lines of selectors may hold at the most."""
        selectors = {consumer.selector.text for consumer in self.consumers if consumer.selector is not None}
        return len(selectors) * (2 * len(self.ready) + STALE_LIMIT + 1)

    @property
    def ready_bytes(self) -> int:
        return sum(item.size for item in self.ready)
