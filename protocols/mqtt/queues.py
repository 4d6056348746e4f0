"""Subscriptions to a queue: `$queue/NAME` consumes the core's queue NAME, beside consumers of every protocol.

An acknowledgement is what takes an entry off the queue, so it is delivered with the QoS that the subscription was
granted, whatever it was published with. QoS 0 takes it off when it is sent. A client that is not there consumes
nothing: with its connection it loses the queue, and what it has not acknowledged goes back. What was sent with QoS 2
stays with a session that goes on, since the client may have it already.
"""

from typing import TYPE_CHECKING, Final

from core.access import READ
from core.client import Client
from core.model.errors import BrokerError, Invalid
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.vhost import VirtualHost
from protocols.mqtt.destinations import QUEUE, ensure_queue
from protocols.mqtt.errors import ADMINISTRATIVE_ACTION
from protocols.mqtt.frames import two_bytes
from protocols.mqtt.queue_fed import QueueFed

if TYPE_CHECKING:
    from protocols.mqtt.deliveries import Deliveries

SUBSCRIPTION_COST_BYTES: Final = 2_048  # of memory, for one that may outlive its connection, beside its text


def parse_queue(text: str) -> str:
    """Return the name in the filter of a subscription to a queue; everything in it is taken literally."""
    name = text[len(QUEUE) :]
    if not name:
        raise Invalid(f"topic filter '{text}' has no name of a queue")
    if "+" in name or "#" in name:
        raise Invalid(f"topic filter '{text}' has a wildcard: one queue is subscribed to at a time")
    return name


class QueueSubscription(QueueFed):
    """One session's part in a queue."""

    def __init__(self, deliveries: "Deliveries", text: str, name: str, qos: int, identifier: int) -> None:
        super().__init__(deliveries, text, qos, identifier)
        raw = text.encode()
        self.topic = two_bytes(len(raw)) + raw
        self._name = name
        self._consumer = QueueConsumer(self)
        self._queue: Queue | None = None  # while it is consumed
        self._vhost: VirtualHost | None = None
        self._cost_bytes = SUBSCRIPTION_COST_BYTES + 4 * len(raw)

    def start(self, client: Client) -> None:
        usage = client.vhost.surroundings.usage
        usage.define(self._cost_bytes)
        try:
            self._consume(client)
        except BrokerError:
            usage.undefine(self._cost_bytes)
            raise
        self.deliveries.add_feed(self)

    def restore(self, vhost: VirtualHost) -> None:
        vhost.surroundings.usage.define(self._cost_bytes)
        self.deliveries.add_feed(self)

    def _consume(self, client: Client) -> None:
        client.authorize(READ, "queue", self._name)  # before the queue is declared
        ensure_queue(client, self._name)
        self._consumer.suspended = True
        self._queue = client.consume(self._name, self._consumer)
        self._vhost = client.vhost

    def end(self, vhost: VirtualHost) -> None:
        self.deliveries.remove_feed(self)
        self.disconnected()
        vhost.surroundings.usage.undefine(self._cost_bytes)

    def authorize_again(self, client: Client) -> None:
        if self._queue is None:
            self._consume(client)

    def connected(self) -> None:
        self.lend(self._consumer)

    def pause(self) -> None:
        self._consumer.suspended = True

    def go_on(self) -> None:
        self._consumer.suspended = False
        if self._queue is not None:
            self._queue.resume(self._consumer)

    def disconnected(self) -> None:
        self._consumer.suspended = True
        queue, vhost = self._queue, self._vhost
        if queue is not None and vhost is not None:
            self._queue = None
            vhost.cancel(queue, self._consumer)

    def goes_back(self, entry: Entry) -> bool:
        return self.qos == 1

    def abandon(self, entry: Entry) -> None:
        entry.queue.requeue(entry)

    def unsendable(self, entry: Entry) -> None:
        entry.queue.discard(entry)  # somebody may have asked for what cannot be delivered

    def deleted(self) -> None:
        """Close the connection, since there is no other way to say that the queue is no more."""
        connection = self.deliveries.connection
        if connection is not None:
            connection.close("subscription ended", f"queue '{self._name}' was deleted", ADMINISTRATIVE_ACTION)


class QueueConsumer(Consumer):
    """What the queue knows of a subscription."""

    def __init__(self, subscription: QueueSubscription) -> None:
        super().__init__(settles=subscription.qos > 0)
        self._subscription = subscription

    def deliver(self, entry: Entry) -> None:
        self._subscription.deliver(entry)

    def failed(self, error: Exception) -> None:
        self._subscription.deliveries.failed(error)

    def cancelled(self) -> None:
        self._subscription.deleted()
