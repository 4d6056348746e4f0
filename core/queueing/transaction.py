"""A transaction: publishes and settlements that happen together or not at all.

What can be refused is checked when an operation is added, and what a full queue would refuse before the first one is
done, so that a commit cannot fail half way. What an open transaction holds counts as unfinished; whoever ends one says so
by `release`.
"""

from typing import Final

from core.counters import Counters
from core.model.errors import Limit
from core.model.message import Message
from core.queueing.entry import Entry
from core.queueing.usage import ENTRY_COST_BYTES, Usage
from core.routing.exchange import Exchange
from core.routing.route import Route
from core.routing.sink import Sink, take_all

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
        self.unwanted: list[Message] = []  # those that had nowhere to go, once it is committed
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

    def carry_out(self, routed: list[tuple[Route, Message]], counters: Counters) -> bool:
        """Publish what was routed and settle, or do nothing and return False when a sink has no room for its share."""
        if not admitted(routed):
            return False
        for route, message in routed:
            counters.published += 1
            if not route.sinks:
                counters.unroutable += 1
                self.unwanted.append(message)
            take_all(route.sinks or route.keepers, message)
        for entry, outcome in self.settlements:
            settle(entry, outcome)
        return True

    def _count(self, size: int, held_bytes: int) -> None:
        if len(self.publishes) + len(self.settlements) >= OPERATIONS_LIMIT:
            raise Limit(f"transaction of more than {OPERATIONS_LIMIT} operations")
        if self.bytes + size > BYTES_LIMIT:
            raise Limit(f"transaction of more than {BYTES_LIMIT} bytes")
        self._usage.hold_unfinished(held_bytes + ENTRY_COST_BYTES)
        self._held_bytes += held_bytes + ENTRY_COST_BYTES
        self.bytes += size


def admitted(routed: list[tuple[Route, Message]]) -> bool:
    """Tell whether every sink takes its share of the messages, so that all of them can be given out, or none."""
    shares: dict[Sink, tuple[int, int]] = {}
    for route, message in routed:
        for sink in route.sinks:
            count, size_bytes = shares.get(sink, (0, 0))
            shares[sink] = count + 1, size_bytes + len(message.body)
    return all(sink.admits(count, size_bytes) for sink, (count, size_bytes) in shares.items())


def settle(entry: Entry, outcome: int) -> None:
    """Settle one entry with its queue."""
    if outcome == ACCEPT:
        entry.queue.accept(entry)
    elif outcome == REQUEUE:
        entry.queue.requeue(entry)
    else:
        entry.queue.discard(entry)
