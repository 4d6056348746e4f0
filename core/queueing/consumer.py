"""Whoever receives the entries of a queue."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from core.queueing.credit import UNLIMITED, Credit
from core.routing.selector.selector import Selector

if TYPE_CHECKING:
    from core.queueing.dead_letters import DeadLettering
    from core.queueing.entry import Entry, Lender


@mypyc_attr(allow_interpreted_subclasses=True)
class Consumer:
    """One subscription to one queue. The queue lends entries while there is credit.

    `credit` counts down with every entry that is lent and up with every one that is settled; `shared` is a second
    limit over several consumers; `suspended` withholds deliveries while the connection's output is full. A consumer
    that does not settle gets entries for good: they leave the queue when they are handed over (AMQP `no-ack`).
    """

    def __init__(self, *, credit: int = UNLIMITED, settles: bool = True, shared: Credit | None = None) -> None:
        self.credit = credit
        self.shared = shared
        self.settles = settles
        self.exclusive = False
        self.alone = False  # whether others wait while it is there (ActiveMQ's exclusive consumer); fixed before, too
        self.priority = 0  # consumers with a higher one are served first; fixed before the queue has the consumer
        self.selector: Selector | None = None  # what it wants of the queue; fixed before the queue has the consumer
        self.suspended = False
        self.dead_lettering: DeadLettering | None = None  # of what it discards, where its queue has none
        self.lender: Lender | None = None  # the queue that lends to it; written by the queue only
        self.in_ring = False  # whether the queue counts on this consumer; written by the queue only
        self.turn = 0  # when it was last served, among those that share its credit; written by Credit only
        self.served = 0  # when it was last served, on a queue with selectors; written by the queue only

    def willing(self) -> bool:
        """Tell whether the next entry may be lent to this consumer."""
        if self.credit <= 0 or self.suspended:
            return False
        shared = self.shared
        return shared is None or shared.available > 0

    def deliver(self, entry: "Entry") -> None:
        """Receive an entry, to be settled later with its queue (unless the consumer does not settle)."""
        raise AssertionError(f"{type(self).__name__} does not say how it delivers")

    def failed(self, error: Exception) -> None:
        """Learn that `deliver` raised: a bug, which costs this consumer's connection and nothing else."""
        raise error

    def browsed(self) -> None:
        """Learn that all has been delivered that was to be browsed (`Client.browse`)."""

    def cancelled(self) -> None:
        """Learn that the queue is gone; no more entries will come."""


class Nobody(Consumer):
    """Holds the entries that were fetched singly (AMQP `basic.get`): who asked has them already."""

    def deliver(self, entry: "Entry") -> None:
        pass


NOBODY: Final = Nobody()
