"""PUBLISH from a client of MQTT 5.0: as in 3.1.1, with properties, topic aliases, and answers that say what went wrong.

Properties are checked once for all messages that have the same bytes of them, and are not decoded after that.
"""

from typing import Final

from core.client import Client
from core.model.message import FOR_MQTT5, FOR_NOBODY, Message
from core.model.properties import NO_PROPERTIES
from core.timers import Clock
from protocols.connection import Connection
from protocols.mqtt.acks import Acks
from protocols.mqtt.dialect5 import ALIAS_LIMIT, RECEIVE_LIMIT
from protocols.mqtt.errors import (
    NO_MATCHING_SUBSCRIBERS,
    NOT_AUTHORIZED,
    PROTOCOL_ERROR,
    QUOTA_EXCEEDED,
    RECEIVE_MAXIMUM_EXCEEDED,
    TOPIC_ALIAS_INVALID,
    Forbidden,
    Malformed,
)
from protocols.mqtt.frames import DUP, PUBACK, PUBLISH, PUBREC, RETAIN, read_length
from protocols.mqtt.packets5 import encode_ack, reason
from protocols.mqtt.publishing import EXACTLY_ONCE_TAG, Publishing
from protocols.mqtt.retaining import retain
from protocols.mqtt.session import MqttSession
from protocols.mqtt.translate5 import NO_EXPIRY, Published, published

PROPERTIES_KEPT: Final = 64  # different properties remembered by one connection; beyond it they are forgotten
KEPT_LIMIT_BYTES: Final = 256  # longer properties are read each time


class Publishing5(Publishing):
    """What one connection publishes by MQTT 5.0."""

    def __init__(self, connection: Connection, client: Client, session: MqttSession, acks: Acks) -> None:
        super().__init__(connection, client, session, acks)
        self._deliveries = session.deliveries
        self._clock: Clock = connection.broker.clock
        self._aliases: dict[int, bytes] = {}
        self._known: dict[bytes, Published] = {}  # properties by their bytes
        self._unconfirmed = 0  # messages of QoS 1 that the broker has not confirmed yet

    def publish(self, data: bytes, first: int, position: int, start: int, stop: int) -> None:
        topic_start = start + 2
        if topic_start > stop:
            raise Malformed("PUBLISH is shorter than its fields")
        at = topic_start + (data[start] << 8 | data[start + 1])
        topic = data[topic_start:at]
        qos = first >> 1 & 3
        tag = 0
        if qos:
            if at + 2 > stop:
                raise Malformed("PUBLISH is shorter than its fields")
            tag = data[at] << 8 | data[at + 1]
            at += 2
            if qos == 3:
                raise Malformed("PUBLISH with QoS 3 [MQTT-3.3.1-4]")
            if tag == 0:
                raise Forbidden("PUBLISH with packet id 0 [MQTT-2.2.1-3]")
        elif first & DUP:
            raise Malformed("PUBLISH of QoS 0 with the DUP flag [MQTT-3.3.1-2]")
        if at >= stop:
            raise Malformed("PUBLISH is shorter than its fields")
        size = data[at]
        body_start = at + 1
        if size > 0x7F:
            size, body_start = read_length(data[:stop], at)
            if size < 1 << (7 * (body_start - at - 1)):
                raise Malformed("PUBLISH with a length of properties in more bytes than it takes [MQTT-1.5.5-1]")
        body_start += size
        if body_start > stop:
            raise Malformed("PUBLISH is shorter than its properties")
        said: Published | None = None
        alias = 0
        if size:
            said = self._read(data[body_start - size : body_start])
            alias = said.alias
        if alias:
            topic = self._resolve(alias, topic)
        elif not topic:
            raise Forbidden("PUBLISH without a topic and without a topic alias (§3.3.2.1)", PROTOCOL_ERROR)
        self._publish(data, first, position, start, stop, topic, tag, said, body_start)

    def _publish(
        self,
        data: bytes,
        first: int,
        position: int,
        start: int,
        stop: int,
        topic: bytes,
        tag: int,
        said: Published | None,
        body_start: int,
    ) -> None:
        """Publish what has been parsed."""
        target = self._targets.get(topic)
        if target is None:
            target = self._find(topic)
        qos = first >> 1 & 3
        if qos == 2:
            if tag in self._received:  # [MQTT-4.3.3-10]
                self.confirmed(tag | EXACTLY_ONCE_TAG, routed=True)
                return
            tag |= EXACTLY_ONCE_TAG
        if target is None:
            self._answer(tag, NOT_AUTHORIZED, "the topic may not be published to")
            return
        if qos:
            if len(self._received) + self._unconfirmed >= RECEIVE_LIMIT:
                raise Forbidden(f"more than {RECEIVE_LIMIT} messages under way", RECEIVE_MAXIMUM_EXCEEDED)
            if qos == 2:
                self._received.add(tag & 0xFFFF)
            else:
                self._unconfirmed += 1
        message = Message(
            target.address, data[body_start:stop], qos, said.native if said is not None else NO_PROPERTIES
        )
        if said is not None and said.expiry_s != NO_EXPIRY:
            message.expires_at = self._clock.now + said.expiry_s
        elif first == PUBLISH and (said is None or not said.alias):
            header = start - position
            if header == 2 or (stop - start) >> (7 * (header - 2)):  # else its length took more bytes than needed
                message.encoded = data[position:stop]
                message.encoded_for = FOR_MQTT5
        if first & RETAIN:
            message.retain = True
        deliveries = self._deliveries
        deliveries.publishing = True
        self._client.publish(target.exchange, message, self if tag else None, tag)
        deliveries.publishing = False
        message.encoded = b""  # subscribers have it by now; a queue that keeps the message need not keep the frame
        message.encoded_for = FOR_NOBODY
        if first & RETAIN:
            retain(self._connection.outlet, self._client, message)

    def _read(self, raw: bytes) -> Published:
        """Return what properties say."""
        said = self._known.get(raw)
        if said is None:
            said = published(raw)
            if len(raw) <= KEPT_LIMIT_BYTES:
                if len(self._known) >= PROPERTIES_KEPT:
                    self._known.clear()
                self._known[raw] = said
        return said

    def _resolve(self, alias: int, topic: bytes) -> bytes:
        """Return the topic that an alias stands for, after it has been given the one in the packet, if any."""
        if alias > ALIAS_LIMIT:
            raise Forbidden(f"topic alias {alias} is above {ALIAS_LIMIT} [MQTT-3.3.2-9]", TOPIC_ALIAS_INVALID)
        if topic:
            self._aliases[alias] = topic
            return topic
        known = self._aliases.get(alias)
        if known is None:
            raise Forbidden(f"topic alias {alias} stands for no topic (§3.3.2.3.4)", PROTOCOL_ERROR)
        return known

    def confirmed(self, tag: int, *, routed: bool) -> None:
        if tag < EXACTLY_ONCE_TAG:
            self._unconfirmed -= 1
        if routed:
            super().confirmed(tag, routed=True)
        else:
            self._answer(tag, NO_MATCHING_SUBSCRIBERS, "")

    def refused(self, tag: int) -> None:
        if tag < EXACTLY_ONCE_TAG:
            self._unconfirmed -= 1
        self._received.discard(tag & 0xFFFF)
        self._answer(tag, QUOTA_EXCEEDED, "a queue that the message was routed to is full")

    def _answer(self, tag: int, code: int, text: str) -> None:
        """Acknowledge a message with a code of its own."""
        if not tag:
            return
        first = PUBACK if tag < EXACTLY_ONCE_TAG else PUBREC
        packet_id = tag & 0xFFFF
        dialect = self._deliveries.dialect
        if text and dialect.explains:
            explained = encode_ack(first, packet_id, code, reason(text))
            if dialect.fits(explained):  # [MQTT-3.4.2-2], [MQTT-3.5.2-2]
                self._acks.add(explained)
                return
        self._acks.add(encode_ack(first, packet_id, code, b""))
