"""One subscription, in its two kinds: a consumer of a queue, or a direct subscription to the topic space.

A direct subscription keeps nothing: a message goes into the output at once, or, when the client is too slow, is
dropped and counted. Where messages are acknowledged there is always a queue.
"""

from core.client import Client
from core.model.message import Message
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.routing.sink import Sink
from protocols.stomp.acknowledgement import AUTO, CLIENT
from protocols.stomp.errors import PeerError
from protocols.stomp.messages import MessageWriter
from protocols.stomp.speaker import Speaker
from protocols.unsettled import Unsettled


class QueueConsumer(Consumer):
    """Takes the entries of a queue for one subscription."""

    def __init__(self, speaker: Speaker, writer: MessageWriter, mode: int, prefetch: int) -> None:
        super().__init__(credit=prefetch or UNLIMITED, settles=mode != AUTO)
        self.unsettled = Unsettled()  # numbered as the writer numbers what it writes
        self._cumulative = mode == CLIENT
        self._speaker = speaker
        self._writer = writer
        self.suspended = speaker.congested

    def deliver(self, entry: Entry) -> None:
        if self.settles:
            self.unsettled.lend(entry)
        self._writer.write(entry.message, redelivered=entry.redelivered)

    def take(self, number: int) -> list[tuple[int, Entry]] | None:
        """Give out what an acknowledgement of `number` covers, oldest first; None when that number is not held."""
        if self._cumulative:
            return self.unsettled.take_through(number)
        entry = self.unsettled.take(number)
        return [(number, entry)] if entry is not None else None

    def failed(self, error: Exception) -> None:
        self._speaker.outlet.failed(error)

    def cancelled(self) -> None:
        self._speaker.fail(PeerError("Server cancelled subscription", "the queue was deleted"), None)


class DirectSubscription(Sink):
    """Takes what is published to a part of the topic space for one subscription."""

    def __init__(self, speaker: Speaker, writer: MessageWriter) -> None:
        super().__init__()
        self._speaker = speaker
        self._writer = writer

    def take(self, message: Message) -> bool:
        speaker = self._speaker
        if speaker.closed:
            return True
        counters = speaker.broker.counters
        if speaker.overrun():
            counters.drop("slow_subscriber")
            return True
        counters.delivered += 1
        self._writer.write(message, redelivered=False)
        return True

    def failed(self, error: Exception) -> None:
        self._speaker.outlet.failed(error)


class Subscription:
    """What SUBSCRIBE made and UNSUBSCRIBE ends: either a queue with a consumer, or a direct subscription."""

    def __init__(
        self, key: str, name: bytes, queue: Queue | None, consumer: QueueConsumer | None, direct: Sink | None
    ) -> None:
        self.key = key  # as the client names it
        self.name = name  # as the ids of its messages begin
        self.outlives = False  # whether the queue stays when the connection is gone
        self.ended = False
        self.queue = queue
        self.consumer = consumer
        self.direct = direct

    def suspend(self) -> None:
        """Take no more from the queue: the client does not keep up."""
        if self.consumer is not None:
            self.consumer.suspended = True

    def resume(self) -> None:
        """Take from the queue again."""
        if self.consumer is not None and self.queue is not None:
            self.consumer.suspended = False
            self.queue.resume(self.consumer)

    def put_back(self, numbered: list[tuple[int, Entry]]) -> None:
        """Wait for an acknowledgement of entries again, or give them back when the subscription has ended."""
        consumer = self.consumer
        if consumer is not None and not self.ended:
            for number, entry in numbered:
                consumer.unsettled.restore(number, entry)
            return
        for _, entry in numbered:
            entry.queue.requeue(entry)

    def end(self, client: Client) -> None:
        """Let go of the queue or the topics; what is not acknowledged goes back."""
        self.ended = True
        if self.direct is not None:
            client.unsubscribe(self.direct)
        if self.consumer is not None and self.queue is not None:
            client.cancel(self.queue, self.consumer)
            for _, entry in self.consumer.unsettled.take_all():
                entry.queue.requeue(entry)
