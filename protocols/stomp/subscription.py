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
from protocols.connection import DIRECT_LIMIT_BYTES
from protocols.stomp.acknowledgement import AUTO, CLIENT, Unsettled
from protocols.stomp.errors import PeerError
from protocols.stomp.messages import MessageWriter
from protocols.stomp.speaker import Speaker


class QueueConsumer(Consumer):
    """Takes the entries of a queue for one subscription."""

    def __init__(self, speaker: Speaker, writer: MessageWriter, mode: int, prefetch: int) -> None:
        super().__init__(credit=prefetch or UNLIMITED, settles=mode != AUTO)
        self.unsettled = Unsettled(cumulative=mode == CLIENT)
        self._speaker = speaker
        self._writer = writer
        self.suspended = speaker.congested

    def deliver(self, entry: Entry) -> None:
        writer = self._writer
        if self.settles:
            self.unsettled.add(writer.count + 1, entry)
        writer.write(entry.message, redelivered=entry.redelivered)

    def failed(self, error: Exception) -> None:
        self._speaker.outlet.failed(error)

    def cancelled(self) -> None:
        self._speaker.fail(PeerError("Server cancelled subscription", "the queue was deleted"), None)


class TopicListener(Sink):
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
        if speaker.output_bytes > DIRECT_LIMIT_BYTES:
            counters.drop("slow_subscriber")
            return True
        counters.delivered += 1
        try:
            self._writer.write(message, redelivered=False)
        except Exception as error:  # noqa: BLE001 - a bug here must not cost the publishing connection
            speaker.outlet.failed(error)
        return True


class Subscription:
    """What SUBSCRIBE made and UNSUBSCRIBE ends: either a queue with a consumer, or a listener."""

    def __init__(
        self, key: str, name: bytes, queue: Queue | None, consumer: QueueConsumer | None, listener: Sink | None
    ) -> None:
        self.key = key  # as the client names it
        self.name = name  # as the ids of its messages begin
        self.outlives = False  # whether the queue stays when the connection is gone
        self.ended = False
        self.queue = queue
        self.consumer = consumer
        self.listener = listener

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
            consumer.unsettled.put_back(numbered)
            return
        for _, entry in numbered:
            entry.queue.requeue(entry)

    def end(self, client: Client) -> None:
        """Let go of the queue or the topics; what is not acknowledged goes back."""
        self.ended = True
        if self.listener is not None:
            client.unsubscribe(self.listener)
        if self.consumer is not None and self.queue is not None:
            client.cancel(self.queue, self.consumer)
            for entry in self.consumer.unsettled.clear():
                entry.queue.requeue(entry)
