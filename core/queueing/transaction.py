"""A transaction: publishes and settlements that happen together or not at all.

Everything that can be refused is checked when an operation is added, so that a commit cannot fail half way. What an open
transaction holds counts as unfinished; whoever ends one says so by `release`.
"""

from typing import Final

from core.model.errors import Limit
from core.model.message import Message
from core.queueing.entry import Entry
from core.queueing.usage import ENTRY_COST_BYTES, Usage
from core.routing.exchange import Exchange

ACCEPT: Final = 0
REQUEUE: Final = 1
DISCARD: Final = 2

OPERATIONS_LIMIT: Final = 65_536  # in one transaction
BYTES_LIMIT: Final = 256 << 20  # of bodies, in one transaction


class Transaction:
    """Operations in the order of the client."""

    def __init__(self, usage: Usage) -> None:
        self.publishes: list[tuple[Exchange, Message]] = []
        self.settlements: list[tuple[Entry, int]] = []
        self.bytes = 0  # of bodies
        self._usage = usage
        self._held_bytes = 0

    def publish(self, exchange: Exchange, message: Message) -> None:
        """Add a message that the client was authorised to publish to `exchange`."""
        self._count(len(message.body), message.size_bytes)
        self.publishes.append((exchange, message))

    def settle(self, entry: Entry, outcome: int) -> None:
        """Add a settlement: ACCEPT, REQUEUE or DISCARD."""
        self._count(0, 0)
        self.settlements.append((entry, outcome))

    def release(self) -> None:
        """Count what the transaction holds no longer: it is committed or given up."""
        self._usage.release_unfinished(self._held_bytes)
        self._held_bytes = 0

    def _count(self, size: int, held_bytes: int) -> None:
        if len(self.publishes) + len(self.settlements) >= OPERATIONS_LIMIT:
            raise Limit(f"transaction of more than {OPERATIONS_LIMIT} operations")
        if self.bytes + size > BYTES_LIMIT:
            raise Limit(f"transaction of more than {BYTES_LIMIT} bytes")
        self._usage.hold_unfinished(held_bytes + ENTRY_COST_BYTES)
        self._held_bytes += held_bytes + ENTRY_COST_BYTES
        self.bytes += size


def settle(entry: Entry, outcome: int) -> None:
    """Settle one entry with its queue."""
    if outcome == ACCEPT:
        entry.queue.accept(entry)
    elif outcome == REQUEUE:
        entry.queue.requeue(entry)
    else:
        entry.queue.discard(entry)
