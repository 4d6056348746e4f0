"""The properties of MQTT 5.0 packets: which there are, what type each has, and in which packets it may stand (§2.2.2.2).

A property that is not known, or is cut off, makes the packet malformed. One that is known and must not stand in this
packet, comes twice or has a value that is not allowed is a protocol error.
"""

from typing import Final

from protocols.mqtt.errors import MALFORMED, PROTOCOL_ERROR, TOPIC_ALIAS_INVALID, Forbidden, Malformed
from protocols.mqtt.frames import BYTE, encode_length, two_bytes
from protocols.mqtt.reader import Reader

PAYLOAD_FORMAT: Final = 0x01
MESSAGE_EXPIRY: Final = 0x02
CONTENT_TYPE: Final = 0x03
RESPONSE_TOPIC: Final = 0x08
CORRELATION_DATA: Final = 0x09
SUBSCRIPTION_IDENTIFIER: Final = 0x0B
SESSION_EXPIRY: Final = 0x11
ASSIGNED_CLIENT_ID: Final = 0x12
SERVER_KEEP_ALIVE: Final = 0x13
AUTHENTICATION_METHOD: Final = 0x15
AUTHENTICATION_DATA: Final = 0x16
REQUEST_PROBLEM_INFORMATION: Final = 0x17
WILL_DELAY: Final = 0x18
REQUEST_RESPONSE_INFORMATION: Final = 0x19
RESPONSE_INFORMATION: Final = 0x1A
SERVER_REFERENCE: Final = 0x1C
REASON_STRING: Final = 0x1F
RECEIVE_MAXIMUM: Final = 0x21
TOPIC_ALIAS_MAXIMUM: Final = 0x22
TOPIC_ALIAS: Final = 0x23
MAXIMUM_QOS: Final = 0x24
RETAIN_AVAILABLE: Final = 0x25
USER_PROPERTY: Final = 0x26
MAXIMUM_PACKET_SIZE: Final = 0x27
WILDCARD_AVAILABLE: Final = 0x28
IDENTIFIERS_AVAILABLE: Final = 0x29
SHARED_AVAILABLE: Final = 0x2A

# Types.
FLAG: Final = 0  # one byte, 0 or 1: no property has any other
SHORT: Final = 1
LONG: Final = 2
VARIABLE: Final = 3
TEXT: Final = 4
BINARY: Final = 5
PAIR: Final = 6

# Packets that a client sends, and the will, as bits.
IN_CONNECT: Final = 1
IN_WILL: Final = 2
IN_PUBLISH: Final = 4
IN_ACK: Final = 8
IN_SUBSCRIBE: Final = 16
IN_UNSUBSCRIBE: Final = 32
IN_DISCONNECT: Final = 64
IN_AUTH: Final = 128
IN_MESSAGE: Final = IN_PUBLISH | IN_WILL

PACKETS: Final[dict[int, str]] = {
    IN_CONNECT: "CONNECT",
    IN_WILL: "will",
    IN_PUBLISH: "PUBLISH",
    IN_ACK: "acknowledgement",
    IN_SUBSCRIBE: "SUBSCRIBE",
    IN_UNSUBSCRIBE: "UNSUBSCRIBE",
    IN_DISCONNECT: "DISCONNECT",
    IN_AUTH: "AUTH",
}

# Type, and the packets from a client that it may stand in.
PROPERTIES: Final[dict[int, tuple[int, int]]] = {
    PAYLOAD_FORMAT: (FLAG, IN_MESSAGE),
    MESSAGE_EXPIRY: (LONG, IN_MESSAGE),
    CONTENT_TYPE: (TEXT, IN_MESSAGE),
    RESPONSE_TOPIC: (TEXT, IN_MESSAGE),
    CORRELATION_DATA: (BINARY, IN_MESSAGE),
    SUBSCRIPTION_IDENTIFIER: (VARIABLE, IN_SUBSCRIBE),  # not in PUBLISH [MQTT-3.3.4-6]
    SESSION_EXPIRY: (LONG, IN_CONNECT | IN_DISCONNECT),
    ASSIGNED_CLIENT_ID: (TEXT, 0),
    SERVER_KEEP_ALIVE: (SHORT, 0),
    AUTHENTICATION_METHOD: (TEXT, IN_CONNECT | IN_AUTH),
    AUTHENTICATION_DATA: (BINARY, IN_CONNECT | IN_AUTH),
    REQUEST_PROBLEM_INFORMATION: (FLAG, IN_CONNECT),
    WILL_DELAY: (LONG, IN_WILL),
    REQUEST_RESPONSE_INFORMATION: (FLAG, IN_CONNECT),
    RESPONSE_INFORMATION: (TEXT, 0),
    SERVER_REFERENCE: (TEXT, IN_DISCONNECT),  # a server's word, and Mosquitto lets clients say it too
    REASON_STRING: (TEXT, IN_ACK | IN_DISCONNECT | IN_AUTH),
    RECEIVE_MAXIMUM: (SHORT, IN_CONNECT),
    TOPIC_ALIAS_MAXIMUM: (SHORT, IN_CONNECT),
    TOPIC_ALIAS: (SHORT, IN_PUBLISH),
    MAXIMUM_QOS: (FLAG, 0),
    RETAIN_AVAILABLE: (FLAG, 0),
    USER_PROPERTY: (PAIR, 0xFF),
    MAXIMUM_PACKET_SIZE: (LONG, IN_CONNECT),
    WILDCARD_AVAILABLE: (FLAG, 0),
    IDENTIFIERS_AVAILABLE: (FLAG, 0),
    SHARED_AVAILABLE: (FLAG, 0),
}
NEVER_ZERO: Final = frozenset({SUBSCRIPTION_IDENTIFIER, RECEIVE_MAXIMUM, MAXIMUM_PACKET_SIZE, TOPIC_ALIAS})


class PropertySet:
    """The properties of one packet."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.texts: dict[int, str] = {}
        self.binaries: dict[int, bytes] = {}
        self.pairs: list[tuple[str, str]] = []  # user properties, in order [MQTT-3.3.2-18]
        self.carried = b""  # what a message carries to its subscribers, as it was sent [MQTT-3.3.2-4], [MQTT-3.3.2-17]

    def number(self, identifier: int, default: int) -> int:
        """Return the value of a property that is a number, or what its absence means."""
        return self.numbers.get(identifier, default)


NONE: Final = PropertySet()
CARRIED: Final = frozenset({PAYLOAD_FORMAT, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA, USER_PROPERTY})


def read_properties(data: bytes, packet: int) -> PropertySet:
    """Read the properties of a packet (IN_CONNECT, …) from their bytes; a PeerError says what is wrong with them."""
    if not data:
        return NONE
    name = PACKETS[packet]
    properties = PropertySet()
    reader = Reader(f"properties of {name}", data)
    carried: list[bytes] = []
    while not reader.finished:
        start = reader.position
        identifier = reader.variable()
        known = PROPERTIES.get(identifier)
        if known is None:
            raise Malformed(f"{name} with unknown property 0x{identifier:02x}")
        kind, packets = known
        repeated = _read(reader, properties, identifier, kind)
        if not packets & packet:
            # Mosquitto tells these two apart in the same way.
            code = MALFORMED if packet & (IN_SUBSCRIBE | IN_UNSUBSCRIBE) else PROTOCOL_ERROR
            raise Forbidden(f"{name} with property 0x{identifier:02x}, which has no place in it", code)
        if repeated:
            raise Forbidden(f"{name} with property 0x{identifier:02x} twice")
        if packet & IN_MESSAGE and identifier in CARRIED:
            carried.append(data[start : reader.position])
    properties.carried = b"".join(carried)
    return properties


def _read(reader: Reader, properties: PropertySet, identifier: int, kind: int) -> bool:
    """Read one value; True when there was one before. Only user properties may be repeated."""
    if kind == PAIR:
        properties.pairs.append((reader.text("name"), reader.text("value")))
        return False
    if kind == TEXT:
        repeated = identifier in properties.texts
        properties.texts[identifier] = reader.text(f"property 0x{identifier:02x}")
        return repeated
    if kind == BINARY:
        repeated = identifier in properties.binaries
        properties.binaries[identifier] = reader.binary()
        return repeated
    repeated = identifier in properties.numbers
    properties.numbers[identifier] = _read_number(reader, identifier, kind)
    return repeated


def _read_number(reader: Reader, identifier: int, kind: int) -> int:
    if kind == FLAG:
        value = reader.byte()
        if value > 1:
            raise Forbidden(f"property 0x{identifier:02x} is {value} and not 0 or 1")
        return value
    if kind == SHORT:
        value = reader.number()
    elif kind == LONG:
        value = reader.long_number()
    else:
        value = reader.variable()
    if value == 0 and identifier in NEVER_ZERO:
        code = TOPIC_ALIAS_INVALID if identifier == TOPIC_ALIAS else PROTOCOL_ERROR  # [MQTT-3.3.2-8]
        raise Forbidden(f"property 0x{identifier:02x} is 0", code)
    return value


def flag(identifier: int, value: int) -> bytes:
    """Encode a property of one byte."""
    return BYTE[identifier] + BYTE[value]


def short(identifier: int, value: int) -> bytes:
    """Encode a property of two bytes."""
    return BYTE[identifier] + two_bytes(value)


def long(identifier: int, value: int) -> bytes:
    """Encode a property of four bytes."""
    return BYTE[identifier] + value.to_bytes(4, "big")


def variable(identifier: int, value: int) -> bytes:
    """Encode a property of one to four bytes."""
    return BYTE[identifier] + encode_length(value)


def field(identifier: int, raw: bytes) -> bytes:
    """Encode a property that is text or binary data, of 65,535 bytes at most."""
    return BYTE[identifier] + two_bytes(len(raw)) + raw


def pair(name: bytes, value: bytes) -> bytes:
    """Encode a user property."""
    return BYTE[USER_PROPERTY] + two_bytes(len(name)) + name + two_bytes(len(value)) + value
