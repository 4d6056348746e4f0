"""PUBLISH from a client of MQTT 3.1.1: parsed in place, authorised once for each topic, acknowledged when the broker confirms.

The topic's bytes lead to its target in one look-up; nothing of a packet is decoded on the way. A PUBLISH of QoS 0 is
at the same time the frame that subscribers of QoS 0 get. What a client may not publish is acknowledged and dropped,
since MQTT 3.1.1 has no word for it [MQTT-3.3.5-2].
"""

from typing import Final

from core.client import Client
from core.model.errors import BrokerError
from core.model.message import FOR_MQTT, FOR_NOBODY
from core.publisher import Publisher, Target
from protocols.connection import Connection
from protocols.mqtt.acks import Acks
from protocols.mqtt.destinations import QUEUE_BYTES, REMEMBERED, QueueTarget, find_queue, find_target
from protocols.mqtt.errors import TOPIC_INVALID, Forbidden, Malformed, outcome_of
from protocols.mqtt.frames import BYTE, DUP, PUBACK_START, PUBCOMP_START, PUBLISH, PUBREC_START, RETAIN
from protocols.mqtt.retaining import retain
from protocols.mqtt.session import MqttSession
from protocols.mqtt.translate import to_core

TARGETS_LIMIT: Final = 512  # topics remembered by one connection; beyond it they are forgotten
REMEMBERED_TOPIC_LIMIT_BYTES: Final = 256  # longer topics are authorised each time
EXACTLY_ONCE_TAG: Final = 0x10000  # added to the packet id in the tag of a QoS 2 publish


class Publishing(Publisher):
    """What one connection publishes."""

    def __init__(self, connection: Connection, client: Client, session: MqttSession, acks: Acks) -> None:
        self._connection = connection
        self._client = client
        self._received = session.received
        self._acks = acks
        self._targets: dict[bytes, Target] = {}  # by topic as received
        self._queues: dict[bytes, QueueTarget] = {}  # by topic, too
        self._denied_noted = False

    def forget(self) -> None:
        """Ask anew what the client may publish to."""
        self._targets.clear()
        self._queues.clear()

    def publish(self, data: bytes, first: int, position: int, start: int, stop: int) -> None:
        """Handle the PUBLISH at `data[position:stop]`, whose variable header begins at `start`.

        One long function, because each call in here costs every message: compiled, a QoS 0 message takes 0.2 µs.
        """
        if start + 2 > stop:
            raise Malformed("PUBLISH is shorter than its fields")
        topic_start = start + 2
        body_start = topic_start + (data[start] << 8 | data[start + 1])
        if body_start > stop:
            raise Malformed("PUBLISH is shorter than its fields")
        topic = data[topic_start:body_start]
        target = self._targets.get(topic)
        if target is None:
            target = self._find(topic)

        if first == PUBLISH:
            if target is None:
                return
            message = to_core(target.address, data[body_start:stop], 0)
            header = start - position
            if header == 2 or (stop - start) >> (7 * (header - 2)):  # else its length took more bytes than needed
                message.encoded = data[position:stop]
                message.encoded_for = FOR_MQTT
            self._client.publish(target.exchange, message, None, 0)
            # Subscribers have it by now; a queue that keeps the message need not keep the frame.
            message.encoded = b""
            message.encoded_for = FOR_NOBODY
            return

        qos = first >> 1 & 3
        tag = 0
        if qos:
            if body_start + 2 > stop:
                raise Malformed("PUBLISH is shorter than its fields")
            tag = data[body_start] << 8 | data[body_start + 1]
            if tag == 0:
                raise Malformed("PUBLISH with packet id 0 [MQTT-2.3.1-1]")
            body_start += 2
            if qos == 2:
                if tag in self._received:  # whatever its DUP flag says: the id alone decides [MQTT-4.3.3-2]
                    self.confirmed(tag | EXACTLY_ONCE_TAG, routed=False)
                    return
                self._received.add(tag)
                tag |= EXACTLY_ONCE_TAG
            elif qos == 3:
                raise Malformed("PUBLISH with QoS 3 [MQTT-3.3.1-4]")
        elif first & DUP:
            raise Malformed("PUBLISH of QoS 0 with the DUP flag [MQTT-3.3.1-2]")
        if target is None:
            if tag:
                self.confirmed(tag, routed=False)
            return
        message = to_core(target.address, data[body_start:stop], qos)
        if first & RETAIN:
            message.retain = True
        self._client.publish(target.exchange, message, self if tag else None, tag)
        if first & RETAIN:
            retain(self._connection.outlet, self._client, message)

    def release(self, packet_id: int) -> None:
        """Handle PUBREL; the id may be used anew [MQTT-4.3.3-2]."""
        self._received.discard(packet_id)
        self._acks.add(PUBCOMP_START[packet_id >> 8] + BYTE[packet_id & 0xFF])

    def confirmed(self, tag: int, *, routed: bool) -> None:
        if tag < EXACTLY_ONCE_TAG:
            self._acks.add(PUBACK_START[tag >> 8] + BYTE[tag & 0xFF])
        else:
            self._acks.add(PUBREC_START[tag >> 8 & 0xFF] + BYTE[tag & 0xFF])

    def refused(self, tag: int) -> None:
        """Close the connection, so that the client sends the message again; no acknowledgement can say no."""
        self._received.discard(tag & 0xFFFF)
        self._connection.outlet.note("publish refused", "a queue that the message was routed to is full")
        self._connection.closed = True

    def _find(self, topic: bytes) -> Target | None:
        """Return where a topic leads, or None when the client may not publish to it."""
        self._connection.publishes = True
        if topic.startswith(QUEUE_BYTES):
            known = self._queues.get(topic)
            if known is not None and not known.gone:
                return known.target
        try:
            if topic.startswith(QUEUE_BYTES):
                return self._remembered(topic, find_queue(self._client, topic))
            target = find_target(self._client, topic)
        except BrokerError as error:
            if outcome_of(error).publish_closes:
                raise Forbidden(error.text, TOPIC_INVALID) from None
            self._client.counters.drop("denied")
            if not self._denied_noted:  # one line for each connection: the counter has the number
                self._denied_noted = True
                self._connection.outlet.note("publish denied", error.text)
            return None
        if len(topic) <= REMEMBERED_TOPIC_LIMIT_BYTES:
            if len(self._targets) >= TARGETS_LIMIT:
                self._targets.clear()
            self._targets[topic] = target
        return target

    def _remembered(self, topic: bytes, found: QueueTarget) -> Target:
        if len(self._queues) >= REMEMBERED:
            self._queues.clear()
        self._queues[topic] = found
        return found.target
