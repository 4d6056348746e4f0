"""A subscription: what the topic space hands its messages to.

QoS 0 goes straight into the output of the connection, in one frame that all such subscribers share; QoS 1 and 2 go
through the session's queue. Of a session's subscriptions that match a message one is chosen, that with the highest
QoS, so the client gets one copy [MQTT-3.3.5-1].
"""

from core.model.message import FOR_MQTT, Message
from core.routing.sink import Sink
from protocols.mqtt.deliveries import Deliveries, Grant
from protocols.mqtt.topics import UNSAYABLE, topic_field
from protocols.mqtt.translate import from_core


class Subscription(Grant):
    """One topic filter of one session, with the QoS it was granted."""

    def __init__(self, deliveries: Deliveries, text: str, qos: int) -> None:
        super().__init__(qos)
        self.group = deliveries
        self.text = text  # the filter in the core's form, to authorise it again
        self._deliveries = deliveries

    def take(self, message: Message) -> bool:
        deliveries = self._deliveries
        if message.qos and self.qos:
            if topic_field(message.address) == UNSAYABLE:
                deliveries.counters.drop("not_a_topic")
                return True
            return deliveries.keep(message, self)
        connection = deliveries.connection
        if connection is None:
            deliveries.counters.drop("session_offline")
            return True
        if connection.overrun():
            deliveries.counters.drop("slow_subscriber")
            return True
        frame = message.encoded
        if message.encoded_for != FOR_MQTT:
            frame = from_core(message, deliveries.counters)
        if not frame:
            deliveries.counters.drop("not_a_topic")
            return True
        deliveries.counters.delivered += 1
        connection.write(frame)
        return True

    def failed(self, error: Exception) -> None:
        self._deliveries.failed(error)

    def merged(self, others: list[Sink]) -> Sink:
        chosen = self
        for other in others:
            assert isinstance(other, Subscription)
            if other.qos > chosen.qos:
                chosen = other
        return chosen
