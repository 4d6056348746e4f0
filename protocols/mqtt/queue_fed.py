"""A subscription that a queue feeds which others consume too: a shared subscription, or one to a queue by its name.

All such subscriptions of a session and its own queue have the one window of the connection between them. An entry knows by
which subscription it came (`Entry.via`), also when that has ended: what was begun is brought to its end.
"""

from typing import TYPE_CHECKING

from core.client import Client
from core.model.message import Message
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.vhost import VirtualHost
from protocols.mqtt.subscription import Subscription
from protocols.mqtt.topics import UNSAYABLE, topic_field

if TYPE_CHECKING:
    from protocols.mqtt.deliveries import Deliveries


class QueueFed(Subscription):
    """What shared subscriptions and those to queues have in common. Retained messages are not sent to them."""

    def __init__(self, deliveries: "Deliveries", text: str, qos: int, identifier: int) -> None:
        super().__init__(deliveries, text, qos)
        self.identify(identifier)

    def start(self, client: Client) -> None:
        """Begin to consume. A BrokerError changes nothing."""
        raise AssertionError(f"{type(self).__name__} does not say how it starts")

    def restore(self, vhost: VirtualHost) -> None:
        raise AssertionError(f"{type(self).__name__} does not say how it starts again")

    # The store

    def stored_note(self) -> bytes:
        return b""  # what waits is for whoever comes: it is in a queue that others consume too

    def kept_state(self) -> int:
        """Return what a store is to keep with the packet id of an entry that came by this; 0: after a stop it is the queue's."""
        return 0

    def may_have_been_sent(self, entry: Entry) -> bool:
        """Whether an earlier process may have sent the entry to somebody who cannot be told any more."""
        return False

    def leaves_store(self, entry: Entry) -> bool:
        """Whether an entry is out of the store as soon as it is sent to a session that the store knows nothing of."""
        return False

    # The connection

    def connected(self) -> None:
        """Learn that there is a connection; nothing is delivered to it before `go_on`."""

    def pause(self) -> None:
        """Deliver nothing for the time being: the output is full."""
        raise AssertionError(f"{type(self).__name__} does not pause")

    def go_on(self) -> None:
        """Deliver what there is."""
        raise AssertionError(f"{type(self).__name__} does not go on")

    def disconnected(self) -> None:
        """Deliver nothing more, because the connection is gone."""
        raise AssertionError(f"{type(self).__name__} does not say what becomes of it without a connection")

    # Entries

    def deliver(self, entry: Entry) -> None:
        """Send what a queue lends."""
        deliveries = self.deliveries
        if not self.topic and topic_field(entry.message.address) == UNSAYABLE:
            deliveries.counters.drop("not_a_topic")
            if self.qos:
                entry.queue.accept(entry)
        elif self.qos:
            entry.via = self
            deliveries.deliver(entry)
        else:
            self.send(entry.message)

    def send(self, message: Message) -> bool:
        """Send a message with QoS 0; False when there is no room for it in the output."""
        deliveries = self.deliveries
        connection = deliveries.connection
        if connection is None or connection.overrun():
            return False
        frame = deliveries.dialect.at_most_once(message, self)
        if frame:
            connection.write(frame)
        return True

    def goes_back(self, entry: Entry) -> bool:
        """Whether the entry, sent and not acknowledged, is for somebody else now that the connection is gone."""
        raise AssertionError(f"{type(self).__name__} does not say what goes back")

    def abandon(self, entry: Entry) -> None:
        """Settle an entry that was sent and not acknowledged, because the session has ended."""
        raise AssertionError(f"{type(self).__name__} does not say what becomes of what it holds")

    def unsendable(self, entry: Entry) -> None:
        """Settle an entry that is too large for the client."""
        raise AssertionError(f"{type(self).__name__} does not say what becomes of what is too large")

    def lend(self, consumer: Consumer) -> None:
        """Have what the consumer holds count against the window of the connection."""
        if consumer.settles:
            consumer.shared = self.deliveries.share_window()
