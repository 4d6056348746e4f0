"""What the model of two queues (`test_queue_model.py`) knows of a message and of a queue, and the arguments it tries."""

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from core.model.message import Address, Message
from core.model.properties import Headers
from core.queueing.credit import UNLIMITED
from core.queueing.priority_backlog import LINE_COST_BYTES
from core.queueing.queue import Queue
from core.queueing.usage import ENTRY_COST_BYTES

if TYPE_CHECKING:
    from tests.models.test_queue_model import Watched

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


class Item:
    """What the model knows of one message in one queue."""

    def __init__(self, number: int, message: Message, priority: int) -> None:
        self.number = number
        self.size = len(message.body)
        self.cost = message.size_bytes + ENTRY_COST_BYTES
        self.message = message
        self.priority = priority
        self.expires_at = message.expires_at
        self.attempts = 0
        self.returned = False


class Line:
    """What the model knows of one queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.ready: list[Item] = []
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
    def memory(self) -> int:
        priorities = {item.priority for item in self.ready} if self.highest else set()
        return sum(item.cost for item in self.ready) + LINE_COST_BYTES * len(priorities)

    @property
    def ready_bytes(self) -> int:
        return sum(item.size for item in self.ready)
