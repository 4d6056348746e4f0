"""Between the properties of an MQTT 5.0 PUBLISH and the core's, both ways (docs/conversions.md); the only file that knows both.

A message from MQTT 5.0 keeps its properties as they were sent, so other such clients get them unread. They are decoded
when another protocol asks. What the core knows and MQTT 5.0 has no property for travels as a user property of that name,
and becomes the core's again when it comes back.
"""

from struct import Struct
from typing import Final

from core.counters import Counters
from core.model.message import Message
from core.model.properties import NATIVE_MQTT5, NO_PROPERTIES, Headers, Native, Properties
from protocols.header_text import as_text
from protocols.mqtt.errors import Forbidden
from protocols.mqtt.properties import (
    CONTENT_TYPE,
    CORRELATION_DATA,
    IN_PUBLISH,
    MESSAGE_EXPIRY,
    PAYLOAD_FORMAT,
    RESPONSE_TOPIC,
    TOPIC_ALIAS,
    PropertySet,
    field,
    flag,
    pair,
    read_properties,
)
from protocols.mqtt.topics import SWAP

NO_EXPIRY: Final = -1

_EXPIRY: Final = Struct(">q")
FIELD_LIMIT_BYTES: Final = 65_535  # of a string (§1.5.4)
NATIVE_COST_BYTES: Final = 64  # of memory, beside what it keeps

# User properties that stand for properties of the core. Numbers have a limit, beyond which they are headers like any.
CONTENT_ENCODING: Final = "content-encoding"
MESSAGE_ID: Final = "message-id"
TYPE: Final = "type"
APP_ID: Final = "app-id"
PRIORITY: Final = "priority"
TIMESTAMP: Final = "timestamp"
REPLY_TO: Final = "reply-to"
USER_ID: Final = "user-id"  # out only: nobody may say in whose name a message comes
PAYLOAD_FORMAT_HEADER: Final = "payload-format-indicator"
PRIORITY_LIMIT: Final = 255
TIMESTAMP_LIMIT_S: Final = (1 << 63) - 1


class Mqtt5Native(Native):
    """What a message carries to its subscribers, as it was sent, and for how many seconds it is of use."""

    def __init__(self, carried: bytes, expiry_s: int) -> None:
        self.carried = carried
        self.expiry_s = expiry_s
        self.size_bytes = len(carried) + NATIVE_COST_BYTES
        self.kind = NATIVE_MQTT5

    def stored(self) -> bytes:
        return _EXPIRY.pack(self.expiry_s) + self.carried

    def decode(self) -> Properties:
        said = read_properties(self.carried, IN_PUBLISH)
        properties = Properties()
        properties.content_type = said.texts.get(CONTENT_TYPE)
        response_topic = said.texts.get(RESPONSE_TOPIC)
        if response_topic:
            properties.reply_to_topic = response_topic.encode().translate(SWAP).decode()
        correlation = said.binaries.get(CORRELATION_DATA)
        if correlation is not None:
            properties.correlation_id = _text_or_bytes(correlation)
        if self.expiry_s != NO_EXPIRY:
            properties.expiration_ms = self.expiry_s * 1_000
        for name, value in said.pairs:
            _add_user_property(properties, name, value)
        if PAYLOAD_FORMAT in said.numbers:
            properties.headers[PAYLOAD_FORMAT_HEADER] = said.numbers[PAYLOAD_FORMAT]
        return properties


def restore(data: bytes) -> Native:
    """Return the properties of a message that was published before."""
    return Mqtt5Native(data[_EXPIRY.size :], _EXPIRY.unpack_from(data)[0])


class Published:
    """The properties of one PUBLISH or will."""

    def __init__(self, said: PropertySet) -> None:
        """Check what `read_properties` does not know of."""
        response_topic = said.texts.get(RESPONSE_TOPIC)
        if response_topic is not None:
            if not response_topic:
                raise Forbidden("response topic is empty [MQTT-4.7.3-1]")
            if "+" in response_topic or "#" in response_topic:
                raise Forbidden("response topic contains a wildcard [MQTT-3.3.2-14]")
        self.expiry_s = said.number(MESSAGE_EXPIRY, NO_EXPIRY)
        self.alias = said.number(TOPIC_ALIAS, 0)
        self.native = NO_PROPERTIES
        if said.carried or self.expiry_s != NO_EXPIRY:
            self.native = Mqtt5Native(said.carried, self.expiry_s)


def published(data: bytes) -> Published:
    """Read the properties of a PUBLISH; a PeerError says what is wrong with them."""
    return Published(read_properties(data, IN_PUBLISH))


def carried_by(message: Message, counters: Counters) -> bytes:
    """Return what a message says about itself, as properties of a PUBLISH."""
    native = message.native
    if native is NO_PROPERTIES:
        return b""
    if isinstance(native, Mqtt5Native):
        return native.carried
    return from_core(message.properties, counters)


def from_core(properties: Properties, counters: Counters) -> bytes:
    """Return properties of another protocol as those of a PUBLISH. Expiry is not among them: it shrinks on the way."""
    parts: list[bytes] = []
    headers = properties.headers
    payload_format = _payload_format(headers)
    if payload_format >= 0:
        parts.append(flag(PAYLOAD_FORMAT, payload_format))
    if properties.content_type is not None:
        _add_field(parts, CONTENT_TYPE, properties.content_type, "content_type", counters)
    if properties.reply_to_topic is not None:
        _add_response_topic(parts, properties.reply_to_topic, counters)
    correlation = properties.correlation_id
    if isinstance(correlation, str):
        correlation = correlation.encode(
            "utf-8", "surrogatepass"
        )  # binary data: any octets will do (MQTT 5.0 §3.3.2.3.6)
    if correlation is not None:
        if len(correlation) <= FIELD_LIMIT_BYTES:
            parts.append(field(CORRELATION_DATA, correlation))
        else:
            counters.lose("correlation_id")
    _add_pair(parts, CONTENT_ENCODING, properties.content_encoding, counters)
    _add_pair(parts, MESSAGE_ID, properties.message_id, counters)
    _add_pair(parts, TYPE, properties.type, counters)
    _add_pair(parts, APP_ID, properties.app_id, counters)
    _add_pair(parts, USER_ID, properties.user_id, counters)
    _add_pair(parts, REPLY_TO, properties.reply_to, counters)
    if properties.priority is not None:
        _add_pair(parts, PRIORITY, str(properties.priority), counters)
    if properties.timestamp_s is not None:
        _add_pair(parts, TIMESTAMP, str(properties.timestamp_s), counters)
    for name, value in headers.items():
        if name != PAYLOAD_FORMAT_HEADER or payload_format < 0:
            _add_pair(parts, name, as_text(value, counters), counters)
    return b"".join(parts)


def _add_user_property(properties: Properties, name: str, value: str) -> None:
    """Note a user property in the core's form. Of one that is repeated the first counts, as with STOMP's headers."""
    if name == CONTENT_ENCODING and properties.content_encoding is None:
        properties.content_encoding = value
    elif name == MESSAGE_ID and properties.message_id is None:
        properties.message_id = value
    elif name == TYPE and properties.type is None:
        properties.type = value
    elif name == APP_ID and properties.app_id is None:
        properties.app_id = value
    elif name == REPLY_TO and properties.reply_to is None:
        properties.reply_to = value
    elif name == PRIORITY and properties.priority is None and _is_number(value, PRIORITY_LIMIT):
        properties.priority = int(value)
    elif name == TIMESTAMP and properties.timestamp_s is None and _is_number(value, TIMESTAMP_LIMIT_S):
        properties.timestamp_s = int(value)
    else:
        properties.headers.setdefault(name, value)


def _payload_format(headers: Headers) -> int:
    """Return what a header says about the body, 0 or 1, or -1 when it says nothing of the kind."""
    value = headers.get(PAYLOAD_FORMAT_HEADER)
    if isinstance(value, str):
        return int(value) if value == "0" or value == "1" else -1
    if isinstance(value, int):
        return int(value) if 0 <= value <= 1 else -1
    return -1


def _is_number(value: str, limit: int) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= len(str(limit)) and int(value) <= limit


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _add_response_topic(parts: list[bytes], key: str, counters: Counters) -> None:
    raw = _field_of(key)
    if raw is None or "+" in key or "#" in key:
        counters.lose("reply_to")
    else:
        parts.append(field(RESPONSE_TOPIC, raw.translate(SWAP)))


def _add_field(parts: list[bytes], identifier: int, text: str, reason: str, counters: Counters) -> None:
    raw = _field_of(text)
    if raw is None:
        counters.lose(reason)
    else:
        parts.append(field(identifier, raw))


def _add_pair(parts: list[bytes], name: str, value: str | None, counters: Counters) -> None:
    if value is None:
        return
    raw_name, raw_value = _field_of(name), _field_of(value)
    if raw_name is None or raw_value is None:
        counters.lose("header_unsayable")
    else:
        parts.append(pair(raw_name, raw_value))


def _field_of(text: str) -> bytes | None:
    """Return text as MQTT writes it, or None when it cannot [MQTT-1.5.4-1], [MQTT-1.5.4-2]."""
    if "\0" in text:
        return None
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return None
    return raw if len(raw) <= FIELD_LIMIT_BYTES else None
