"""Retained messages on the way to a new subscriber, no faster than it reads (MQTT 3.1.1 §3.3.1.3).

Those of QoS 1 and 2 wait in the session's queue like any other. Those of QoS 0 wait here while the output is full,
since a subscriber that just came is owed all of them and not only what fits.
"""

from collections import deque
from typing import Final

from core.counters import Counters
from core.model.message import Message
from protocols.connection import Connection
from protocols.mqtt.deliveries import Deliveries
from protocols.mqtt.subscription import Subscription
from protocols.mqtt.topics import UNSAYABLE, topic_field
from protocols.mqtt.translate import publish_at_most_once

WAITING_LIMIT: Final = 100_000  # messages, as many as a virtual host retains


class Greeting:
    """The retained messages that one connection has been promised."""

    def __init__(self, connection: Connection, deliveries: Deliveries) -> None:
        self._connection = connection
        self._deliveries = deliveries
        self._counters: Counters = deliveries.counters
        self._waiting: deque[Message] = deque()

    @property
    def full(self) -> bool:
        """Whether nothing more should be promised: whoever keeps subscribing without reading gets no more."""
        return len(self._waiting) >= WAITING_LIMIT or self._deliveries.full

    def add(self, subscription: Subscription, messages: list[Message]) -> None:
        """Send retained messages to a subscription that was made just now."""
        for message in messages:
            if topic_field(message.address) == UNSAYABLE:
                self._counters.drop("not_a_topic")
            elif message.qos and subscription.qos:
                self._deliveries.keep(message, subscription)
            else:
                self._waiting.append(message)
        self.go_on()

    def go_on(self) -> None:
        """Send what waits, as far as the output has room."""
        waiting = self._waiting
        connection = self._connection
        while waiting and not connection.congested:
            self._counters.delivered += 1
            connection.write(publish_at_most_once(waiting.popleft(), self._counters))
