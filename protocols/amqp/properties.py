"""The content header: kept as it was sent, checked when it is published, decoded when somebody asks (AMQP 0-9-1 §4.2.6.1).

`AmqpNative` holds the whole header frame behind its channel number, so that another AMQP client gets it verbatim. The
properties follow two octets of flags, the first property in the highest bit.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from core.access import User, check_user_id
from core.model.names import REPLY_QUEUE
from core.model.properties import NATIVE_AMQP, Native, Properties
from protocols.amqp.errors import FRAME_ERROR, PRECONDITION_FAILED, UNEXPECTED_FRAME, PeerError, malformed
from protocols.amqp.header_fields import BLIND_COPIES, COPIES, copies, find_field, with_shortstr, without_field
from protocols.amqp.header_layout import (
    APP_ID,
    BASIC_CLASS,
    BODY_SIZE_AT,
    CLASS_AND_WEIGHT,
    CLASS_AT,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CORRELATION_ID,
    DELIVERY_MODE,
    EXPIRATION,
    FLAGS_AT,
    HEADERS,
    LONG_CORRELATION,
    MESSAGE_ID,
    PERSISTENT,
    PRIORITY,
    REPLY_TO,
    REPLY_TO_TOPIC,
    TIMESTAMP,
    TRANSIENT,
    TYPE,
    UNKNOWN,
    USER_ID,
    VALUES_AT,
    fits_shortstr,
)
from protocols.amqp.table import check_table, decode_table

NO_EXPIRATION: Final = -1
EXPIRATION_LIMIT_MS: Final = 315_360_000_000  # ten years; RabbitMQ's

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
        self.also_to: tuple[str, ...] = ()  # routing keys in CC and BCC
        self.reply_to_at = 0  # where a `reply_to` is that asks for a direct reply; 0: nowhere

        self.kind = NATIVE_AMQP

    def stored(self) -> bytes:
        return self.frame

    def decode(self) -> Properties:
        return decode_header(self.frame)

    def answered_at(self, key: str) -> "AmqpNative":
        """Return the same with `key` in place of the pseudo queue that stands for a direct reply."""
        native = AmqpNative(with_shortstr(self.frame, self.reply_to_at, key.encode()))
        native.body_size = self.body_size
        native.qos = self.qos
        native.expiration_ms = self.expiration_ms
        native.singular = self.singular
        native.also_to = self.also_to
        return native


def restore(frame: bytes) -> Native:
    """Return the properties of a message that was published before: nothing depends on them any more but deliveries."""
    native = AmqpNative(frame)
    native.body_size = int.from_bytes(frame[BODY_SIZE_AT:FLAGS_AT], "big")
    return native


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
    table_at = 0  # of a header table that names blind copies
    at = VALUES_AT
    bit = CONTENT_TYPE
    while bit > UNKNOWN:
        if flags & bit:
            start = at
            if bit == HEADERS:
                at = check_table(frame, at, end)
                if frame.find(COPIES, start, at) >= 0:
                    native.also_to = copies(frame, start)
                    if find_field(frame, start, BLIND_COPIES):
                        table_at = start
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
                elif bit == REPLY_TO and text == REPLY_QUEUE:
                    native.reply_to_at = start
        bit >>= 1
    if at != end:
        raise malformed("content header goes on behind its properties")
    if table_at:
        _hide_blind_copies(native, table_at)
    return native


def _hide_blind_copies(native: AmqpNative, table_at: int) -> None:
    size = len(native.frame)
    native.frame = without_field(native.frame, table_at, BLIND_COPIES)
    if native.reply_to_at:
        native.reply_to_at -= size - len(native.frame)


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
        reason = f"{{value_negative,{int(text)}}}"
    elif int(text) > EXPIRATION_LIMIT_MS:
        reason = f"{{value_too_large,{int(text)}}}"
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
    if properties.correlation_id is None and (
        isinstance(correlation, bytes) or (isinstance(correlation, str) and not fits_shortstr(correlation))
    ):
        properties.correlation_id = correlation
        del headers[LONG_CORRELATION]
