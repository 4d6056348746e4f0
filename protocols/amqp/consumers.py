"""The consumers of one channel by tag, and the two limits on what they hold (AMQP 0-9-1 §1.8.3.1, RabbitMQ "Prefetch").

`basic.qos` with `global` false is a limit for each consumer that starts afterwards; with `global` true it is one more
limit, which all consumers of the channel share.
"""

from typing import Final

from core.client import Client
from core.queueing.credit import UNLIMITED, Credit
from protocols.amqp import replies
from protocols.amqp.basic_methods import Consume, Qos
from protocols.amqp.consumer import AmqpConsumer
from protocols.amqp.errors import NOT_ALLOWED, NOT_IMPLEMENTED, PeerError
from protocols.amqp.frames import Framing
from protocols.connection import Connection
from protocols.unsettled import Unsettled

CONSUMERS_LIMIT: Final = 16_384  # on one connection
TAG_PREFIX: Final = "amq.ctag-"


class Room:
    """How many consumers a connection may still start, on all its channels."""

    def __init__(self) -> None:
        self.left = CONSUMERS_LIMIT


class Consumers:
    """Starts, stops, suspends and resumes the consumers of a channel. `notify`: tell the client of lost ones."""

    def __init__(
        self,
        connection: Connection,
        client: Client,
        framing: Framing,
        unsettled: Unsettled,
        room: Room,
        *,
        notify: bool,
    ) -> None:
        self.framing = framing
        self.unsettled = unsettled
        self.shared: Credit | None = None
        self._connection = connection
        self._client = client
        self._room = room
        self._notify = notify
        self._credit = UNLIMITED  # of each consumer that starts from now on
        self._by_tag: dict[str, AmqpConsumer] = {}
        self._silent = False
        self._lost: list[str] = []

    def free_tag(self, wish: str) -> str:
        """Return the tag of a new consumer: the one that the client wishes for, or a new one for an empty wish."""
        if wish in self._by_tag:
            raise PeerError(NOT_ALLOWED, f"attempt to reuse consumer tag '{wish}'")
        return wish or f"{TAG_PREFIX}{self._connection.broker.unique()}"

    def consume(self, tag: str, method: Consume, queue_name: str) -> None:
        """Start a consumer. Nothing is delivered before the present batch ends."""
        if not self._room.left:
            raise PeerError(NOT_ALLOWED, f"reached maximum ({CONSUMERS_LIMIT}) of consumers per connection")
        consumer = AmqpConsumer(self, self._connection, tag, settles=method.settles)
        if method.settles:
            consumer.credit = self._credit
            consumer.shared = self.shared
        consumer.suspended = self._connection.congested
        consumer.queue = self._client.consume(
            queue_name, consumer, exclusive=method.exclusive, arguments=method.arguments
        )
        self._by_tag[tag] = consumer
        self._room.left -= 1

    def cancel(self, tag: str) -> None:
        """Stop a consumer; one that is missing counts as stopped. What it holds is still to be settled."""
        consumer = self._forget(tag)
        if consumer is not None and consumer.queue is not None:
            self._client.cancel(consumer.queue, consumer)

    def _forget(self, tag: str) -> AmqpConsumer | None:
        consumer = self._by_tag.pop(tag, None)
        if consumer is not None:
            self._room.left += 1
        return consumer

    def cancel_all(self) -> None:
        """Stop all consumers."""
        for tag in list(self._by_tag):
            self.cancel(tag)

    def lost(self, consumer: AmqpConsumer) -> None:
        """Learn that a consumer's queue is gone (RabbitMQ "Consumer Cancel Notification")."""
        if self._forget(consumer.tag) is None or not self._notify:
            return
        if self._silent:
            self._lost.append(consumer.tag)
        else:
            self._tell(consumer.tag)

    def be_silent(self) -> None:
        """Keep the news of lost consumers back: a channel that deletes a queue has its answer first, as in RabbitMQ."""
        self._silent = True

    def speak(self) -> None:
        """Tell what was kept back, and from now on everything at once."""
        self._silent = False
        if self._lost:
            for tag in self._lost:
                self._tell(tag)
            self._lost = []

    def _tell(self, tag: str) -> None:
        self._connection.write(self.framing.method(replies.cancel(replies.shortstr(tag))))

    # Limits

    def limit(self, method: Qos) -> None:
        """Change a limit on unsettled deliveries; a count of 0 means none."""
        if method.prefetch_bytes:
            raise PeerError(NOT_IMPLEMENTED, f"prefetch_size!=0 ({method.prefetch_bytes})")
        limit = method.prefetch_count or UNLIMITED
        if not method.shared:
            self._credit = limit
            return
        if self.shared is None:
            self.shared = self._share(limit)
        else:
            self.shared.resize(limit)
        self._resume()

    def _share(self, limit: int) -> Credit:
        credit = Credit(limit)
        for consumer in self._by_tag.values():
            if consumer.settles:
                consumer.shared = credit
        for entry in self.unsettled.entries():
            holder = entry.consumer
            if holder is not None and holder.shared is credit:
                credit.available -= 1
        return credit

    def hold(self) -> None:
        """Deliver nothing for now: the output is full."""
        for consumer in self._by_tag.values():
            consumer.suspended = True

    def release(self) -> None:
        """Deliver again."""
        for consumer in self._by_tag.values():
            consumer.suspended = False
        self._resume()

    def _resume(self) -> None:
        for consumer in self._by_tag.values():
            if consumer.queue is not None:
                consumer.queue.resume(consumer)
