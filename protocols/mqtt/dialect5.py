"""MQTT 5.0: reason codes, properties, the client's limits, and topic aliases towards it.

Frames of QoS 0 are shared among clients as long as nothing in them is for one client alone: no topic aliases, no limit
of the packet size, no subscription identifiers, no expiry.
"""

from typing import Final

from core.counters import Counters
from core.model.message import FOR_MQTT5, Message
from core.timers import Clock
from protocols.mqtt.dialect import Dialect, Terms
from protocols.mqtt.errors import (
    FAILURE,
    IMPLEMENTATION_ERROR,
    NO_MATCHING_SUBSCRIBERS,
    NOT_AUTHORIZED,
    QUOTA_EXCEEDED,
    TOPIC_INVALID,
    UNKNOWN_PACKET_ID,
)
from protocols.mqtt.frames import (
    BYTE,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    RETAIN,
    encode_length,
    two_bytes,
)
from protocols.mqtt.packets import V5, Connect, Subscribe, Unsubscribe
from protocols.mqtt.packets5 import (
    Auth,
    Disconnect,
    decode_ack,
    decode_auth,
    decode_disconnect,
    decode_subscribe,
    decode_unsubscribe,
    encode_auth,
    encode_codes,
    encode_connack,
    encode_disconnect,
    reason,
)
from protocols.mqtt.properties import (
    ASSIGNED_CLIENT_ID,
    MAXIMUM_PACKET_SIZE,
    MESSAGE_EXPIRY,
    RECEIVE_MAXIMUM,
    REQUEST_PROBLEM_INFORMATION,
    SERVER_KEEP_ALIVE,
    SESSION_EXPIRY,
    TOPIC_ALIAS_MAXIMUM,
    field,
    long,
    short,
)
from protocols.mqtt.subscription import Grant
from protocols.mqtt.topics import UNSAYABLE, topic_field
from protocols.mqtt.translate5 import carried_by

RECEIVE_LIMIT: Final = 1_024  # messages of QoS 1 and 2 that a client may have under way to us
ALIAS_LIMIT: Final = 64  # topics that a client may give a number, and that we give one to a client
PACKET_MOST_BYTES: Final = 268_435_460  # fixed header and the largest remaining length (§2.1.4)
NO_LIMIT: Final = 1 << 32
SHARES_NOTHING: Final = -2  # equal to no `Message.encoded_for`

# Reason codes that a client may acknowledge with (§3.4.2.1, §3.5.2.1, §3.6.2.1, §3.7.2.1).
TAKEN_OR_NOT: Final = frozenset(
    {
        0,
        NO_MATCHING_SUBSCRIBERS,
        FAILURE,
        IMPLEMENTATION_ERROR,
        NOT_AUTHORIZED,
        TOPIC_INVALID,
        0x91,  # packet identifier in use
        QUOTA_EXCEEDED,
        0x99,  # payload format invalid
    }
)
KNOWN_OR_NOT: Final = frozenset({0, UNKNOWN_PACKET_ID})
ALLOWED: Final = {PUBACK: TAKEN_OR_NOT, PUBREC: TAKEN_OR_NOT, PUBREL: KNOWN_OR_NOT, PUBCOMP: KNOWN_OR_NOT}


class Dialect5(Dialect):
    """MQTT 5.0 as one client asked for it in its CONNECT."""

    def __init__(self, counters: Counters, clock: Clock) -> None:
        super().__init__(V5, counters)
        self._clock = clock
        self.explains = True  # [MQTT-3.1.2-29]
        self._limit_bytes = NO_LIMIT  # of a packet to the client
        self._alias_limit = 0
        self._aliases: dict[bytes, int] = {}  # by topic as a field, towards the client
        self.shares = FOR_MQTT5

    def heed(self, connect: Connect) -> None:
        """Take what the client asks for."""
        said = connect.properties
        self.explains = said.number(REQUEST_PROBLEM_INFORMATION, 1) == 1
        self._limit_bytes = said.number(MAXIMUM_PACKET_SIZE, NO_LIMIT)
        self._alias_limit = min(ALIAS_LIMIT, said.number(TOPIC_ALIAS_MAXIMUM, 0))
        if self._alias_limit or self._limit_bytes != NO_LIMIT:
            self.shares = SHARES_NOTHING

    # What the client says

    def first_byte(self, first: int) -> int:
        return first

    def read_ack(self, first: int, data: bytes) -> tuple[int, int]:
        return decode_ack(data, ALLOWED[first])

    def read_subscribe(self, data: bytes) -> Subscribe:
        return decode_subscribe(data)

    def read_unsubscribe(self, data: bytes) -> Unsubscribe:
        return decode_unsubscribe(data)

    def read_disconnect(self, data: bytes) -> Disconnect:
        return decode_disconnect(data)

    def read_auth(self, data: bytes) -> Auth:
        return decode_auth(data)

    # What the broker says

    def accept(self, terms: Terms) -> bytes:
        said: list[bytes] = []
        if terms.session_expiry_s >= 0:
            said.append(long(SESSION_EXPIRY, terms.session_expiry_s))
        said.append(short(RECEIVE_MAXIMUM, RECEIVE_LIMIT))
        if terms.packet_limit_bytes < PACKET_MOST_BYTES:
            said.append(long(MAXIMUM_PACKET_SIZE, terms.packet_limit_bytes))
        if terms.assigned_client_id:
            said.append(field(ASSIGNED_CLIENT_ID, terms.assigned_client_id.encode()))
        said.append(short(TOPIC_ALIAS_MAXIMUM, ALIAS_LIMIT))
        if terms.keep_alive_s >= 0:
            said.append(short(SERVER_KEEP_ALIVE, terms.keep_alive_s))
        said.append(terms.authentication)
        frame = encode_connack(0, b"".join(said), session_present=terms.session_present)
        return frame if self.fits(frame) else b""

    def refuse(self, code: int, text: str) -> bytes:
        explained = encode_connack(code, reason(text), session_present=False)  # [MQTT-3.2.2-6]
        return self._fitting(explained, encode_connack(code, b"", session_present=False))

    def mistake(self, code: int, text: str) -> bytes:
        return self.refuse(code, text)

    def goodbye(self, code: int, text: str) -> bytes:
        return self._fitting(encode_disconnect(code, reason(text)), encode_disconnect(code, b""))

    def auth(self, code: int, properties: bytes) -> bytes:
        packet = encode_auth(code, properties)
        return packet if self.fits(packet) else b""

    def suback(self, packet_id: int, codes: list[int], text: str) -> bytes:
        plain = encode_codes(0x90, packet_id, codes, b"")
        if not text or not self.explains:
            return plain if self.fits(plain) else b""
        return self._fitting(encode_codes(0x90, packet_id, codes, reason(text)), plain)  # [MQTT-3.9.2-1]

    def unsuback(self, packet_id: int, codes: list[int]) -> bytes:
        plain = encode_codes(0xB0, packet_id, codes, b"")
        return plain if self.fits(plain) else b""

    def fits(self, packet: bytes) -> bool:
        return len(packet) <= self._limit_bytes  # [MQTT-3.1.2-24]

    def _fitting(self, explained: bytes, plain: bytes) -> bytes:
        """Return the packet with a reason string, or without it, or nothing, as the client can take it."""
        if self.fits(explained):
            return explained
        return plain if self.fits(plain) else b""

    # Messages

    def at_most_once(self, message: Message, grant: Grant) -> bytes:
        shareable = (
            self.shares == FOR_MQTT5
            and not grant.identifiers
            and not grant.topic
            and not message.retained
            and message.expires_at == 0.0
            and not (message.retain and grant.as_published)
        )
        if shareable and message.encoded_for == FOR_MQTT5:
            return message.encoded
        header = self._header(message, grant, self._first(message, grant), b"")
        if not header:
            return b""
        frame = header + message.body
        if shareable:
            message.encoded = frame
            message.encoded_for = FOR_MQTT5
        return frame

    def header(self, message: Message, grant: Grant, qos: int, dup: int, packet_id: int) -> bytes:
        return self._header(message, grant, self._first(message, grant) | dup | qos << 1, two_bytes(packet_id))

    def _first(self, message: Message, grant: Grant) -> int:
        if message.retained or (message.retain and grant.as_published):  # [MQTT-3.3.1-12], [MQTT-3.3.1-13]
            return PUBLISH | RETAIN
        return PUBLISH

    def _header(self, message: Message, grant: Grant, first: int, packet_id: bytes) -> bytes:
        """Return what stands before the body, or nothing, and count it, when the client cannot take the message."""
        topic = grant.topic or topic_field(message.address)
        if topic == UNSAYABLE:
            self.counters.drop("not_a_topic")
            return b""
        properties = grant.identifiers + carried_by(message, self.counters)
        if message.expires_at != 0.0:
            left_s = max(0, -int((self._clock.now - message.expires_at) // 1))  # rounded up [MQTT-3.3.2-6]
            properties = long(MESSAGE_EXPIRY, min(left_s, NO_LIMIT - 1)) + properties
        alias = 0
        if self._alias_limit:
            alias = self._aliases.get(topic, 0)
            if alias:
                topic = b"\0\0"
        return self._assembled(message, first, topic, packet_id, properties, alias)

    def _assembled(
        self, message: Message, first: int, topic: bytes, packet_id: bytes, properties: bytes, alias: int
    ) -> bytes:
        number = alias
        if not number and len(self._aliases) < self._alias_limit:
            number = len(self._aliases) + 1
        if number:
            properties = b"\x23" + two_bytes(number) + properties
        size = encode_length(len(properties))
        length = len(topic) + len(packet_id) + len(size) + len(properties) + len(message.body)
        remaining = encode_length(length)
        if 1 + len(remaining) + length > min(self._limit_bytes, PACKET_MOST_BYTES):
            self.counters.drop("packet_too_large")  # [MQTT-3.1.2-24], [MQTT-3.1.2-25]
            return b""
        if number and not alias:
            self._aliases[topic] = number  # from now on: the client gets to know of it by this packet
        return b"".join([BYTE[first], remaining, topic, packet_id, size, properties])
