"""The payloads of the methods that the broker sends (AMQP 0-9-1 §1.3 to §1.8, RabbitMQ's extensions)."""

from typing import Final

from core.model.properties import Headers
from protocols.amqp.table_encoding import encode_table

LOCALES: Final = b"en_US"

TUNE: Final = b"\x00\x0a\x00\x1e"
OPEN_OK: Final = b"\x00\x0a\x00\x29\x00"
CONNECTION_CLOSE: Final = b"\x00\x0a\x00\x32"
CONNECTION_CLOSE_OK: Final = b"\x00\x0a\x00\x33"
UNBLOCKED: Final = b"\x00\x0a\x00\x3d"
UPDATE_SECRET_OK: Final = b"\x00\x0a\x00\x47"
CHANNEL_OPEN_OK: Final = b"\x00\x14\x00\x0b\x00\x00\x00\x00"
FLOW_OK_ACTIVE: Final = b"\x00\x14\x00\x15\x01"
CHANNEL_CLOSE: Final = b"\x00\x14\x00\x28"
CHANNEL_CLOSE_OK: Final = b"\x00\x14\x00\x29"
ACCESS_REQUEST_OK: Final = b"\x00\x1e\x00\x0b\x00\x01"
EXCHANGE_DECLARE_OK: Final = b"\x00\x28\x00\x0b"
EXCHANGE_DELETE_OK: Final = b"\x00\x28\x00\x15"
EXCHANGE_BIND_OK: Final = b"\x00\x28\x00\x1f"
EXCHANGE_UNBIND_OK: Final = b"\x00\x28\x00\x33"
QUEUE_BIND_OK: Final = b"\x00\x32\x00\x15"
QUEUE_UNBIND_OK: Final = b"\x00\x32\x00\x33"
QOS_OK: Final = b"\x00\x3c\x00\x0b"
GET_EMPTY: Final = b"\x00\x3c\x00\x48\x00"
DELIVER: Final = b"\x00\x3c\x00\x3c"
RECOVER_OK: Final = b"\x00\x3c\x00\x6f"
CONFIRM_SELECT_OK: Final = b"\x00\x55\x00\x0b"
TX_SELECT_OK: Final = b"\x00\x5a\x00\x0b"
TX_COMMIT_OK: Final = b"\x00\x5a\x00\x15"
TX_ROLLBACK_OK: Final = b"\x00\x5a\x00\x1f"


def shortstr(text: str) -> bytes:
    """Encode a short string; the text must fit into 255 bytes."""
    octets = text.encode()
    return bytes([len(octets)]) + octets


def start(server_properties: Headers, mechanisms: tuple[str, ...]) -> bytes:
    """connection.start"""
    names = " ".join(mechanisms).encode()
    return b"".join(
        [
            b"\x00\x0a\x00\x0a\x00\x09",
            encode_table(server_properties),
            len(names).to_bytes(4, "big"),
            names,
            len(LOCALES).to_bytes(4, "big"),
            LOCALES,
        ]
    )


def tune(channel_max: int, frame_max: int, heartbeat_s: int) -> bytes:
    """connection.tune"""
    return TUNE + channel_max.to_bytes(2, "big") + frame_max.to_bytes(4, "big") + heartbeat_s.to_bytes(2, "big")


def close(method: bytes, code: int, text: str, offender: int) -> bytes:
    """connection.close or channel.close; `offender` is the class and method id of what went wrong, or 0."""
    return method + code.to_bytes(2, "big") + shortstr(text) + offender.to_bytes(4, "big")


def blocked(reason: str) -> bytes:
    """connection.blocked"""
    return b"\x00\x0a\x00\x3c" + shortstr(reason)


def queue_declare_ok(queue: str, message_count: int, consumer_count: int) -> bytes:
    """queue.declare-ok"""
    return b"\x00\x32\x00\x0b" + shortstr(queue) + _count(message_count) + _count(consumer_count)


def queue_purge_ok(message_count: int) -> bytes:
    """queue.purge-ok"""
    return b"\x00\x32\x00\x1f" + _count(message_count)


def queue_delete_ok(message_count: int) -> bytes:
    """queue.delete-ok"""
    return b"\x00\x32\x00\x29" + _count(message_count)


def _count(number: int) -> bytes:
    return min(number, 0xFFFF_FFFF).to_bytes(4, "big")


def consume_ok(tag: str) -> bytes:
    """basic.consume-ok"""
    return b"\x00\x3c\x00\x15" + shortstr(tag)


def cancel(tag: bytes) -> bytes:
    """basic.cancel, from the broker: nobody answers it. `tag` is a short string."""
    return b"\x00\x3c\x00\x1e" + tag + b"\x01"


def cancel_ok(tag: str) -> bytes:
    """basic.cancel-ok"""
    return b"\x00\x3c\x00\x1f" + shortstr(tag)


def deliver(tag: str, delivery_tag: int, destination: bytes) -> bytes:
    """basic.deliver of what was not delivered before; `destination` is exchange and routing key as short strings."""
    return b"".join([DELIVER, shortstr(tag), delivery_tag.to_bytes(8, "big"), b"\x00", destination])


def returned(code: int, text: str, destination: bytes) -> bytes:
    """basic.return; `destination` is exchange and routing key as short strings, here and below."""
    return b"\x00\x3c\x00\x32" + code.to_bytes(2, "big") + shortstr(text) + destination


def get_ok(delivery_tag: int, destination: bytes, message_count: int, *, redelivered: bool) -> bytes:
    """basic.get-ok"""
    flag = b"\x01" if redelivered else b"\x00"
    return b"\x00\x3c\x00\x47" + delivery_tag.to_bytes(8, "big") + flag + destination + _count(message_count)


def ack(delivery_tag: int, *, multiple: bool) -> bytes:
    """basic.ack, as a confirm"""
    return b"\x00\x3c\x00\x50" + delivery_tag.to_bytes(8, "big") + (b"\x01" if multiple else b"\x00")


def nack(delivery_tag: int) -> bytes:
    """basic.nack, as a refusal"""
    return b"\x00\x3c\x00\x78" + delivery_tag.to_bytes(8, "big") + b"\x00"
