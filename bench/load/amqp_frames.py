"""AMQP 0-9-1 frames, as the generator sends them (AMQP 0-9-1 §2.3.5, §4.2.3)."""

from typing import Final

END: Final = 0xCE
ACK_BYTES: Final = 21  # a whole frame with Basic.Ack
EMPTY_TABLE: Final = b"\x00\x00\x00\x00"
EXCLUSIVE: Final = 0x04  # of a queue: it goes with its connection
AUTO_DELETE: Final = 0x08
DURABLE: Final = 0x02  # of a queue
PERSISTENT: Final = 2  # delivery mode
TRANSIENT: Final = 1  # delivery mode


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return bytes((kind,)) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"


def method(channel: int, class_id: int, method_id: int, arguments: bytes = b"") -> bytes:
    return frame(1, channel, class_id.to_bytes(2, "big") + method_id.to_bytes(2, "big") + arguments)


def shortstr(value: str) -> bytes:
    raw = value.encode()
    return bytes((len(raw),)) + raw


def longstr(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def start_ok() -> bytes:
    return method(0, 10, 11, EMPTY_TABLE + shortstr("PLAIN") + longstr(b"\0guest\0guest") + shortstr("en_US"))


def tune_ok(offer: bytes) -> bytes:
    """Accept what Tune offers (channels, frame size), but no heartbeats."""
    return method(0, 10, 31, offer[:6] + b"\x00\x00")


def open_connection() -> bytes:
    return method(0, 10, 40, shortstr("/") + b"\x00\x00")


def open_channel(channel: int = 1) -> bytes:
    return method(channel, 20, 10, b"\x00")


def close_channel(channel: int) -> bytes:
    return method(channel, 20, 40, (200).to_bytes(2, "big") + shortstr("") + b"\x00\x00\x00\x00")


def declare_exchange(name: str, kind: str) -> bytes:
    """Declare a transient exchange that goes with its last binding."""
    return method(1, 40, 10, b"\x00\x00" + shortstr(name) + shortstr(kind) + b"\x04" + EMPTY_TABLE)


def delete_exchange(name: str) -> bytes:
    return method(1, 40, 20, b"\x00\x00" + shortstr(name) + b"\x00")


def declare_queue(name: str, flags: int = AUTO_DELETE) -> bytes:
    """Declare a transient queue that goes with its last consumer, or as `flags` say."""
    return method(1, 50, 10, b"\x00\x00" + shortstr(name) + bytes((flags,)) + EMPTY_TABLE)


def delete_queue(name: str) -> bytes:
    return method(1, 50, 40, b"\x00\x00" + shortstr(name) + b"\x00")


def bind_queue(name: str, exchange: str, key: str) -> bytes:
    return method(1, 50, 20, b"\x00\x00" + shortstr(name) + shortstr(exchange) + shortstr(key) + b"\x00" + EMPTY_TABLE)


def qos(prefetch: int) -> bytes:
    return method(1, 60, 10, b"\x00\x00\x00\x00" + prefetch.to_bytes(2, "big") + b"\x00")


def consume(queue: str) -> bytes:
    return method(1, 60, 20, b"\x00\x00" + shortstr(queue) + shortstr("bench") + b"\x00" + EMPTY_TABLE)


def select_confirms() -> bytes:
    return method(1, 85, 10, b"\x00")


def publish(exchange: str, key: str, content: bytes, delivery_mode: int) -> bytes:
    """Encode one publication: method, content header with delivery mode only, and body."""
    start = method(1, 60, 40, b"\x00\x00" + shortstr(exchange) + shortstr(key) + b"\x00")
    header = b"\x00\x3c\x00\x00" + len(content).to_bytes(8, "big") + b"\x10\x00" + bytes((delivery_mode,))
    return start + frame(2, 1, header) + frame(3, 1, content)


def ack_up_to(tag: int) -> bytes:
    """Encode an acknowledgement of every delivery up to `tag`."""
    return method(1, 60, 80, tag.to_bytes(8, "big") + b"\x01")
