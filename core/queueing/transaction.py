"""A transaction: publishes and settlements that happen together or not at all.

Everything that can be refused is checked when an operation is added, so that a commit cannot fail half way.
"""

from typing import Final

from core.model.errors import Limit
from core.model.message import Message
from core.queueing.entry import Entry
from core.routing.exchange import Exchange

ACCEPT: Final = 0
REQUEUE: Final = 1
DISCARD: Final = 2

OPERATIONS_LIMIT: Final = 65_536  # in one transaction
BYTES_LIMIT: Final = 256 << 20  # of bodies, in one transaction


class Transaction:
    """Operations in the order of the client."""

    def __init__(self) -> None:
        self.publishes: list[tuple[Exchange, Message]] = []
        self.settlements: list[tuple[Entry, int]] = []
        self.bytes = 0

    def publish(self, exchange: Exchange, message: Message) -> None:
        """Add a message that the client was authorised to publish to `exchange`."""
        self._count(len(message.body))
        self.publishes.append((exchange, message))

    def settle(self, entry: Entry, outcome: int) -> None:
        """Add a settlement: ACCEPT, REQUEUE or DISCARD."""
        self._count(0)
        self.settlements.append((entry, outcome))

    def _count(self, size: int) -> None:
        if len(self.publishes) + len(self.settlements) >= OPERATIONS_LIMIT:
            raise Limit(f"transaction of more than {OPERATIONS_LIMIT} operations")
        if self.bytes + size > BYTES_LIMIT:
            raise Limit(f"transaction of more than {BYTES_LIMIT} bytes")
        self.bytes += size


def settle(entry: Entry, outcome: int) -> None:
    """Settle one entry with its queue."""
    if outcome == ACCEPT:
        entry.queue.accept(entry)
    elif outcome == REQUEUE:
        entry.queue.requeue(entry)
    else:
        entry.queue.discard(entry)
