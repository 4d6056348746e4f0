"""The outermost layer of a packet: first byte, remaining length, limits, and the packets that are nothing else.

Bytes are built by joining ready pieces, since a table of 256 one-byte strings is cheaper than any call that formats.
"""

from typing import Final

from protocols.mqtt.errors import Malformed

# First bytes, type and flags together (MQTT 3.1.1 §2.2).
CONNECT: Final = 0x10
PUBLISH: Final = 0x30
PUBLISH_LAST: Final = 0x3F
PUBACK: Final = 0x40
PUBREC: Final = 0x50
PUBREL: Final = 0x62
PUBCOMP: Final = 0x70
SUBSCRIBE: Final = 0x82
UNSUBSCRIBE: Final = 0xA2
PINGREQ: Final = 0xC0
DISCONNECT: Final = 0xE0
AUTH: Final = 0xF0

MARKED_TYPES: Final = (6, 8, 10)  # types that clients send and that have a flag set
RESERVED_TYPE: Final = 0

DUP: Final = 0x08
RETAIN: Final = 0x01

LENGTH_MOST_BYTES: Final = 268_435_455  # remaining length, four bytes of seven bits (§2.2.3)
HANDSHAKE_LIMIT_BYTES: Final = 65_536  # remaining length before login; RabbitMQ's max_packet_size_unauthenticated
CONTROL_LIMIT_BYTES: Final = 1 << 20  # remaining length of all packets but PUBLISH: SUBSCRIBE with some 20,000 filters
PUBLISH_HEADER_BYTES: Final = 2 + 65_535 + 2  # the longest topic and a packet id
PROPERTIES_LIMIT_BYTES: Final = 262_144  # of a PUBLISH of MQTT 5.0: its longest response topic, data and some more

BYTE: Final[tuple[bytes, ...]] = tuple([bytes([value]) for value in range(256)])
PUBACK_START: Final[tuple[bytes, ...]] = tuple([b"\x40\x02" + high for high in BYTE])
PUBREC_START: Final[tuple[bytes, ...]] = tuple([b"\x50\x02" + high for high in BYTE])
PUBREL_START: Final[tuple[bytes, ...]] = tuple([b"\x62\x02" + high for high in BYTE])
PUBCOMP_START: Final[tuple[bytes, ...]] = tuple([b"\x70\x02" + high for high in BYTE])
PINGRESP: Final = b"\xd0\x00"


def encode_length(length: int) -> bytes:
    """Return a remaining length in as few bytes as it takes (§2.2.3)."""
    if length < 0x80:
        return BYTE[length]
    if length < 0x4000:
        return BYTE[length & 0x7F | 0x80] + BYTE[length >> 7]
    encoded = b""
    while length >= 0x80:
        encoded += BYTE[length & 0x7F | 0x80]
        length >>= 7
    return encoded + BYTE[length]


def read_length(data: bytes, position: int) -> tuple[int, int]:
    """Read the remaining length at `position`; return it and where it ends, or -1 while its bytes are incomplete."""
    length = 0
    for count in range(4):
        at = position + count
        if at >= len(data):
            return -1, position
        byte = data[at]
        length |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return length, at + 1
    raise Malformed("remaining length of more than four bytes")


def two_bytes(value: int) -> bytes:
    """Return a packet id or a string's length, most significant byte first (§1.5.2)."""
    return BYTE[value >> 8] + BYTE[value & 0xFF]
