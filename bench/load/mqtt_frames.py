"""MQTT 3.1.1 control packets, as the generator sends them."""

from typing import Final

PUBACK: Final = 0x40
PUBREC: Final = 0x50
PUBREL: Final = 0x62
PUBCOMP: Final = 0x70
SUBSCRIBE: Final = 0x82
SUBACK: Final = 0x90


def remaining_length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        digit = value & 0x7F
        value >>= 7
        if not value:
            encoded.append(digit)
            return bytes(encoded)
        encoded.append(digit | 0x80)


def packet(first: int, content: bytes) -> bytes:
    return bytes((first,)) + remaining_length(len(content)) + content


def text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def connect(client_id: str, *, clean: bool = True) -> bytes:
    """Encode a CONNECT with a clean session, or one that stays, and no keep-alive, as guest."""
    head = b"\x00\x04MQTT\x04" + (b"\xc2" if clean else b"\xc0") + b"\x00\x00"
    return packet(0x10, head + text(client_id) + text("guest") + text("guest"))


def subscribe(topic_filter: str, qos: int) -> bytes:
    return packet(SUBSCRIBE, b"\x00\x01" + text(topic_filter) + bytes((qos,)))


def publish(topic: str, qos: int, packet_id: int, content: bytes) -> bytes:
    """Encode a PUBLISH; `packet_id` counts for QoS 1 and 2 only."""
    identifier = packet_id.to_bytes(2, "big") if qos else b""
    return packet(0x30 | qos << 1, text(topic) + identifier + content)


def packet_size(data: bytes, start: int) -> int:
    """Return the size in bytes of the whole packet at `start`, or 0 while its header is incomplete."""
    size = 0
    shift = 0
    position = start + 1
    end = len(data)
    while position < end:
        digit = data[position]
        position += 1
        size |= (digit & 0x7F) << shift
        if digit < 0x80:
            return position - start + size
        shift += 7
    return 0
