"""The content header of a message that AMQP did not publish, or that the broker says something else about (AMQP 0-9-1 §4.2.6.1).

What AMQP has no room for is left out and counted by its name.
"""

from core.counters import Counters
from core.model.properties import Headers, Properties
from protocols.amqp.frames import END
from protocols.amqp.header_layout import (
    APP_ID,
    CLASS_AND_WEIGHT,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CORRELATION_ID,
    DELIVERY_MODE,
    EXPIRATION,
    HEADERS,
    LONG_CORRELATION,
    MESSAGE_ID,
    PRIORITY,
    REPLY_TO,
    REPLY_TO_TOPIC,
    SHORT_LIMIT_BYTES,
    TIMESTAMP,
    TIMESTAMP_LIMIT_S,
    TYPE,
    USER_ID,
    VALUES_AT,
    fits_shortstr,
)
from protocols.amqp.table_encoding import encode_table


def encode_header(
    properties: Properties, delivery_mode: int, body_size: int, counters: Counters, *, with_headers: bool = True
) -> bytes:
    """Encode a content header frame from its size to its end octet. What does not fit is counted by its name."""
    headers = _packed_headers(properties, counters) if with_headers else {}
    flags = DELIVERY_MODE
    values: list[bytes] = []
    correlation_id = properties.correlation_id
    if not isinstance(correlation_id, str) or not fits_shortstr(correlation_id):
        correlation_id = None
    expiration = properties.expiration_ms
    for bit, name, text in (
        (CONTENT_TYPE, "content_type", properties.content_type),
        (CONTENT_ENCODING, "content_encoding", properties.content_encoding),
        (HEADERS, "headers", None),
        (DELIVERY_MODE, "delivery_mode", None),
        (PRIORITY, "priority", None),
        (CORRELATION_ID, "correlation_id", correlation_id),
        (REPLY_TO, "reply_to", properties.reply_to),
        (EXPIRATION, "expiration", str(expiration) if expiration is not None else None),
        (MESSAGE_ID, "message_id", properties.message_id),
        (TIMESTAMP, "timestamp", None),
        (TYPE, "type", properties.type),
        (USER_ID, "user_id", properties.user_id),
        (APP_ID, "app_id", properties.app_id),
    ):
        value = b""
        if text is not None:
            octets = text.encode()
            if len(octets) > SHORT_LIMIT_BYTES:
                counters.lose(name)
                continue
            value = bytes([len(octets)]) + octets
        elif bit == HEADERS and headers:
            value = encode_table(headers)
        elif bit == DELIVERY_MODE:
            value = bytes([delivery_mode])
        elif bit == PRIORITY and properties.priority is not None:
            value = bytes([max(0, min(properties.priority, 0xFF))])
        elif bit == TIMESTAMP and properties.timestamp_s is not None:
            value = max(0, min(properties.timestamp_s, TIMESTAMP_LIMIT_S)).to_bytes(8, "big")
        if value:
            flags |= bit
            values.append(value)
    return header_frame(flags, b"".join(values), body_size)


def header_frame(flags: int, values: bytes, body_size: int) -> bytes:
    """Return a content header frame from its size to its end octet."""
    payload_size = VALUES_AT - 4 + len(values)
    return b"".join(
        [
            payload_size.to_bytes(4, "big"),
            CLASS_AND_WEIGHT,
            body_size.to_bytes(8, "big"),
            flags.to_bytes(2, "big"),
            values,
            END,
        ]
    )


def _packed_headers(properties: Properties, counters: Counters) -> Headers:
    headers: Headers = {}
    for name, value in properties.headers.items():
        if not fits_shortstr(name):
            counters.lose("header_name_too_long")
        else:
            headers[name] = value
    if properties.reply_to_topic is not None:
        headers[REPLY_TO_TOPIC] = properties.reply_to_topic
    correlation_id = properties.correlation_id
    if isinstance(correlation_id, bytes) or (isinstance(correlation_id, str) and not fits_shortstr(correlation_id)):
        headers[LONG_CORRELATION] = correlation_id
    return headers
