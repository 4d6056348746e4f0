"""One message in one queue.

Entries are `acyclic` (see `core.model.message`) although they know their queue and consumer: those forget an entry when
it is settled, purged or given up, and so end the cycle themselves. Publish to a queue and deliver, compiled: 0.5 µs
against 1.2 µs with the collector.
"""

from mypy_extensions import mypyc_attr

from core.model.message import Message
from core.queueing.consumer import Consumer
from core.routing.sink import Sink
from core.store.shelf import Shelf


@mypyc_attr(acyclic=True)
class Entry:
    """A message's place in a queue, and, while it is lent, the consumer that has it.

    `via` is the subscription that the message came in by, where the consumer needs to know (MQTT: granted QoS).
    """

    def __init__(self, queue: "Lender", message: Message, sequence: int, via: Sink | None) -> None:
        self.queue = queue
        self.message = message
        self.sequence = sequence
        self.via = via
        self.expires_at = message.expires_at  # monotonic seconds, earlier where the queue says so; 0 means never
        self.attempts = 0  # times lent to a consumer
        self.redelivered = False
        self.consumer: Consumer | None = None
        self.row = 0  # in the store (see `core.store.journal`); 0: not there


@mypyc_attr(allow_interpreted_subclasses=True)
class Lender(Sink):
    """What the holder of an entry may do with it: settle it. A queue lends its entries, a browser copies of them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.shelf: Shelf | None = None  # of a durable queue in the store
        self.counts_deliveries = False  # whether consumers are told how often an entry was delivered before

    def run_out(self) -> None:
        """Refuse messages until what is there is gone: the store has no positions for more (`core.store.positions`)."""
        raise AssertionError("run_out is the queue's")

    def resume(self, consumer: Consumer) -> None:
        """Count on `consumer` again, because its credit or its connection's output has room."""
        raise AssertionError("resume is the queue's")

    def run(self) -> None:
        """Hand over what has become possible, because this was woken (`Surroundings.woken`)."""
        raise AssertionError("run is the queue's")

    def accept(self, entry: Entry) -> None:
        """Forget the entry: it was processed."""
        raise AssertionError("accept is the queue's")

    def requeue(self, entry: Entry) -> None:
        """Put the entry back to its place, marked as redelivered."""
        raise AssertionError("requeue is the queue's")

    def requeue_later(self, entry: Entry, delay_s: float) -> None:
        """Put the entry back to its place, marked as redelivered, when some seconds have passed."""
        raise AssertionError("requeue_later is the queue's")

    def discard(self, entry: Entry) -> None:
        """Give the entry up: nobody wants it."""
        raise AssertionError("discard is the queue's")
