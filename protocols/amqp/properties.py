"""The content header: kept as it was sent, checked when it is published, decoded when somebody asks (AMQP 0-9-1 §4.2.6.1).

`AmqpNative` holds the whole header frame behind its channel number, so that another AMQP client gets it verbatim. The
properties follow two octets of flags, the first property in the highest bit.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from core.access import User, check_user_id
from core.counters import Counters
from core.model.properties import Headers, Native, Properties
from protocols.amqp.errors import FRAME_ERROR, PRECONDITION_FAILED, UNEXPECTED_FRAME, PeerError, malformed
from protocols.amqp.frames import END
from protocols.amqp.table import check_table, decode_table, encode_table

CONTENT_TYPE: Final = 1 << 15
CONTENT_ENCODING: Final = 1 << 14
HEADERS: Final = 1 << 13
DELIVERY_MODE: Final = 1 << 12
PRIORITY: Final = 1 << 11
CORRELATION_ID: Final = 1 << 10
REPLY_TO: Final = 1 << 9
EXPIRATION: Final = 1 << 8
MESSAGE_ID: Final = 1 << 7
TIMESTAMP: Final = 1 << 6
TYPE: Final = 1 << 5
USER_ID: Final = 1 << 4
APP_ID: Final = 1 << 3
CLUSTER_ID: Final = 1 << 2
UNKNOWN: Final = 0b11  # the lowest bit announces more flags, and there are no more properties

BASIC_CLASS: Final = 60
CLASS_AT: Final = 4  # behind the frame's size, and so on
BODY_SIZE_AT: Final = 8
FLAGS_AT: Final = 16
VALUES_AT: Final = 18
TRANSIENT: Final = 1  # values of delivery_mode
PERSISTENT: Final = 2
SHORT_LIMIT_BYTES: Final = 255  # of a short string
NO_EXPIRATION: Final = -1
REPLY_TO_TOPIC: Final = "x-reply-to-topic"
LONG_CORRELATION: Final = "x-correlation-id"
CLASS_AND_WEIGHT: Final = b"\x00\x3c\x00\x00"
TIMESTAMP_LIMIT_S: Final = 0xFFFF_FFFF_FFFF_FFFF

# What tells messages of one publisher apart: a header with one of these is not worth remembering.
_SINGULAR: Final = MESSAGE_ID | TIMESTAMP | CORRELATION_ID


@mypyc_attr(acyclic=True)
class AmqpNative(Native):
    """The content header frame of a published message, from its size to its end octet."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.size_bytes = 2 * len(frame)  # as it came, and as another protocol may have it said
        self.body_size = 0
        self.qos = 0
        self.expiration_ms = NO_EXPIRATION
        self.singular = False  # whether no other message is likely to have the same header

    def decode(self) -> Properties:
        return decode_header(self.frame)


def inspect(frame: bytes, user: User) -> AmqpNative:
    """Check a content header frame and return it with what its publish depends on."""
    native = AmqpNative(frame)
    end = len(frame) - 1
    if end < VALUES_AT:
        raise malformed("content header ends before its property flags")
    if frame[CLASS_AT:BODY_SIZE_AT] != CLASS_AND_WEIGHT:
        raise _wrong_class(frame)
    native.body_size = int.from_bytes(frame[BODY_SIZE_AT:FLAGS_AT], "big")
    flags = frame[FLAGS_AT] << 8 | frame[FLAGS_AT + 1]
    if flags & UNKNOWN:
        raise malformed("content header has unknown property flags")
    native.singular = (flags & _SINGULAR) != 0
    at = VALUES_AT
    bit = CONTENT_TYPE
    while bit > UNKNOWN:
        if flags & bit:
            start = at
            if bit == HEADERS:
                at = check_table(frame, at, end)
            elif bit == DELIVERY_MODE:
                at = _within(at + 1, end)
                native.qos = _qos(frame[start])
            elif bit == PRIORITY:
                at = _within(at + 1, end)
            elif bit == TIMESTAMP:
                at = _within(at + 8, end)
            else:
                at = _within(at + 1, end)
                at = _within(at + frame[start], end)
                text = _checked_text(frame[start + 1 : at])
                if bit == EXPIRATION:
                    native.expiration_ms = _expiration(text)
                elif bit == USER_ID:
                    check_user_id(user, text)
        bit >>= 1
    if at != end:
        raise malformed("content header goes on behind its properties")
    return native


def _wrong_class(frame: bytes) -> PeerError:
    class_id = int.from_bytes(frame[CLASS_AT : CLASS_AT + 2], "big")
    got = "non content header frame" if class_id == BASIC_CLASS else f"one for class {class_id}"
    return PeerError(UNEXPECTED_FRAME, f"expected content header for class {BASIC_CLASS}, got {got} instead")


def _qos(delivery_mode: int) -> int:
    if delivery_mode == PERSISTENT:
        return 1
    if delivery_mode == TRANSIENT:
        return 0
    raise PeerError(PRECONDITION_FAILED, f"invalid message: {{delivery_mode_unknown,{delivery_mode}}}")


def _within(at: int, end: int) -> int:
    if at > end:
        raise malformed("content header ends before its properties do")
    return at


def _checked_text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise PeerError(FRAME_ERROR, "Malformed UTF-8 in shortstr") from None


def _expiration(text: str) -> int:
    """Return a time to live in milliseconds; the reasons for refusing one are named as RabbitMQ names them."""
    at = 1 if text[:1] in {"+", "-"} else 0
    start = at
    while at < len(text) and "0" <= text[at] <= "9":
        at += 1
    if at == start:
        reason = "no_integer"
    elif at < len(text):
        reason = f'{{leftover_string,"{text[at:]}"}}'
    elif int(text) < 0:
        reason = f"{{value_negative,{text}}}"
    else:
        return int(text)
    raise PeerError(PRECONDITION_FAILED, f"invalid expiration '{text}': {reason}")


def decode_header(frame: bytes) -> Properties:
    """Return the properties in a header frame that was checked, in the core's form."""
    flags = frame[FLAGS_AT] << 8 | frame[FLAGS_AT + 1]
    properties = Properties()
    at = VALUES_AT
    bit = CONTENT_TYPE
    while bit > UNKNOWN:
        if flags & bit:
            start = at
            if bit == HEADERS:
                properties.headers = decode_table(frame, at)
                at += 4 + int.from_bytes(frame[at : at + 4], "big")
            elif bit == DELIVERY_MODE:
                at += 1
            elif bit == PRIORITY:
                properties.priority = frame[at]
                at += 1
            elif bit == TIMESTAMP:
                at += 8
                properties.timestamp_s = int.from_bytes(frame[start:at], "big")
            else:
                at += 1 + frame[at]
                _set_text(properties, bit, frame[start + 1 : at].decode())
        bit >>= 1
    _unpack_headers(properties)
    return properties


def _set_text(properties: Properties, bit: int, text: str) -> None:
    if bit == CONTENT_TYPE:
        properties.content_type = text
    elif bit == CONTENT_ENCODING:
        properties.content_encoding = text
    elif bit == CORRELATION_ID:
        properties.correlation_id = text
    elif bit == REPLY_TO:
        properties.reply_to = text
    elif bit == EXPIRATION:
        properties.expiration_ms = int(text)
    elif bit == MESSAGE_ID:
        properties.message_id = text
    elif bit == TYPE:
        properties.type = text
    elif bit == USER_ID:
        properties.user_id = text
    elif bit == APP_ID:
        properties.app_id = text


def _unpack_headers(properties: Properties) -> None:
    # AMQP has no place of its own for these two, so they travel as headers (docs/conversions.md).
    headers = properties.headers
    topic = headers.get(REPLY_TO_TOPIC)
    if isinstance(topic, str):
        properties.reply_to_topic = topic
        del headers[REPLY_TO_TOPIC]
    correlation = headers.get(LONG_CORRELATION)
    if properties.correlation_id is None and isinstance(correlation, (str, bytes)):
        properties.correlation_id = correlation
        del headers[LONG_CORRELATION]


def encode_header(
    properties: Properties, delivery_mode: int, body_size: int, counters: Counters, *, with_headers: bool = True
) -> bytes:
    """Encode a content header frame from its size to its end octet. What does not fit is counted by its name."""
    headers = _packed_headers(properties, counters) if with_headers else {}
    flags = DELIVERY_MODE
    values: list[bytes] = []
    correlation_id = properties.correlation_id
    if not isinstance(correlation_id, str) or len(correlation_id.encode()) > SHORT_LIMIT_BYTES:
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
        if len(name.encode()) > SHORT_LIMIT_BYTES:
            counters.lose("header_name_too_long")
        else:
            headers[name] = value
    if properties.reply_to_topic is not None:
        headers[REPLY_TO_TOPIC] = properties.reply_to_topic
    correlation_id = properties.correlation_id
    if isinstance(correlation_id, bytes) or (
        isinstance(correlation_id, str) and len(correlation_id.encode()) > SHORT_LIMIT_BYTES
    ):
        headers[LONG_CORRELATION] = correlation_id
    return headers
