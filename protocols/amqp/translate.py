"""Between the wire and the core: the only file that knows a content header and `core.model.message.Message` both.

What another AMQP client published is passed on as it was sent. For a message of another protocol the content header is
made once and kept with the message, since every AMQP consumer of it gets the same.
"""

from typing import Final

from core.counters import Counters
from core.model.message import FOR_AMQP, Address, Message
from core.model.properties import NO_PROPERTIES
from protocols.amqp.frames import END
from protocols.amqp.header_layout import CLASS_AND_WEIGHT, DELIVERY_MODE, PERSISTENT, SHORT_LIMIT_BYTES, TRANSIENT
from protocols.amqp.properties import NO_EXPIRATION, AmqpNative
from protocols.amqp.properties_encoding import encode_header

_PLAIN_START: Final = b"\x00\x00\x00\x0f" + CLASS_AND_WEIGHT
_PLAIN_TRANSIENT_END: Final = DELIVERY_MODE.to_bytes(2, "big") + bytes([TRANSIENT]) + END
_PLAIN_PERSISTENT_END: Final = DELIVERY_MODE.to_bytes(2, "big") + bytes([PERSISTENT]) + END


def to_core(address: Address, native: AmqpNative, body: bytes, now: float) -> Message:
    """Return a published message in the core's form; `now` is when its time to live begins."""
    message = Message(address, body, native.qos, native)
    if native.expiration_ms != NO_EXPIRATION:
        message.expires_at = now + native.expiration_ms / 1000
    if native.also_to:
        message.also_to = native.also_to
    return message


def from_core(message: Message, counters: Counters) -> bytes:
    """Return the content header frame of a message, from its size to its end octet."""
    native = message.native
    if isinstance(native, AmqpNative):
        return native.frame
    if message.encoded_for == FOR_AMQP:
        return message.encoded
    if native is NO_PROPERTIES:
        end = _PLAIN_PERSISTENT_END if message.qos else _PLAIN_TRANSIENT_END
        header = b"".join([_PLAIN_START, len(message.body).to_bytes(8, "big"), end])
    else:
        header = encode_header(message.properties, _delivery_mode(message), len(message.body), counters)
    message.encoded = header
    message.encoded_for = FOR_AMQP
    return header


def _delivery_mode(message: Message) -> int:
    return PERSISTENT if message.qos else TRANSIENT


def without_headers(message: Message, counters: Counters) -> bytes:
    """Return the content header without its header table, for a peer with small frames: a header cannot be split."""
    properties = message.properties
    counters.lose("headers_too_large", len(properties.headers))
    return encode_header(properties, _delivery_mode(message), len(message.body), counters, with_headers=False)


def destination(address: Address, counters: Counters) -> bytes:
    """Return exchange and routing key as short strings; a key that is too long for one is cut, and counted."""
    encoded = address.encoded[FOR_AMQP]
    if not encoded:
        exchange, key = address.exchange.encode(), address.key.encode()
        if len(key) > SHORT_LIMIT_BYTES:
            counters.lose("routing_key_too_long")
            key = key[:SHORT_LIMIT_BYTES].decode(errors="ignore").encode()
        encoded = b"".join([bytes([len(exchange)]), exchange, bytes([len(key)]), key])
        address.encoded[FOR_AMQP] = encoded
    return encoded
