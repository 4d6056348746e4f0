"""Between STOMP headers and the core's properties, both ways (docs/conversions.md); the only file that knows both.

A message from STOMP keeps the header lines as they were sent. They are read again when another protocol asks, and
said again once for each version of STOMP that asks. What cannot be said is counted and left out.
"""

from struct import Struct
from typing import Final

from core.access import User, check_user_id
from core.counters import Counters
from core.model.destination import Destination, formatted
from core.model.message import FOR_STOMP, Message
from core.model.names import TOPIC_SPACE
from core.model.properties import NATIVE_STOMP, NO_PROPERTIES, Native, Properties
from protocols.header_text import as_text
from protocols.stomp.destinations import DESTINATION_TYPE, Kind, parse, reply_text
from protocols.stomp.dialect import DIALECTS, Dialect
from protocols.stomp.errors import PeerError
from protocols.stomp.headers import decoded_headers, header_line, number

EXPIRATION_LIMIT_MS: Final = 0xFFFF_FFFF  # RabbitMQ's
EXPIRES_LIMIT_MS: Final = 1 << 53  # since the epoch: exact as a float
PRIORITY_LIMIT: Final = 255
TIMESTAMP_LIMIT_S: Final = (1 << 63) - 1
NEVER: Final = -1  # of a time to live
NOBODY: Final = User("")

_STORED: Final = Struct(">BBqH")  # version, dialect, time to live in milliseconds, length of the broker's own reply-to

# What SEND uses itself and the message does not carry on.
SEND_OWN: Final = frozenset({"destination", "content-length", "receipt", "transaction", "persistent", DESTINATION_TYPE})
# What MESSAGE says for itself: no publisher can put words into the broker's mouth.
MESSAGE_OWN: Final = frozenset(
    {
        *SEND_OWN,
        "message-id",
        "subscription",
        "ack",
        "redelivered",
        "expires",
        "browser",
        "x-delivery-count",
        "JMSXDeliveryCount",
    }
)
# The properties of the core, which a header table cannot pretend to be.
PROPERTIES: Final = frozenset(
    {
        "content-type",
        "content-encoding",
        "priority",
        "correlation-id",
        "reply-to",
        "expiration",
        "expires",
        "amqp-message-id",
        "timestamp",
        "type",
        "user-id",
        "app-id",
    }
)
RESERVED: Final = MESSAGE_OWN | PROPERTIES

PRIORITY_DEFAULT: Final = "4"  # of JMS, which ActiveMQ's clients are told
MARKS: Final = (
    b"\x00",
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x04",
    b"\x05",
)  # by form; stand before lines that a message keeps


class StompNative(Native):
    """The header lines of a SEND frame. Messages with the same lines share one, unless it is `singular`."""

    def __init__(
        self, lines: bytes, version: int, dialect: Dialect, headers: dict[str, str], user: User, now_ms: int
    ) -> None:
        """Check what the headers say. `now_ms` is the time since the epoch, which `expires` is compared with."""
        self._lines = lines
        self.size_bytes = 2 * len(lines)  # as they came, and as they are said again
        self._version = version
        self._dialect = dialect
        self.kind = NATIVE_STOMP
        self._said: list[bytes | None] = [None] * len(MARKS)  # MESSAGE header lines, by form
        self._reply_to: str | None = None
        self.origin = ""  # the connection that has sent it, while both last
        self.qos = 1 if headers.get("persistent") == "true" else 0
        self.expiration_ms = NEVER
        self.singular = "correlation-id" in headers or "amqp-message-id" in headers or "timestamp" in headers
        if "expiration" in headers:
            self.expiration_ms = number("expiration", headers["expiration"], EXPIRATION_LIMIT_MS)
        elif headers.get("expires", "0") != "0":  # 0 is ActiveMQ's word for never
            expires_ms = number("expires", headers["expires"], EXPIRES_LIMIT_MS)
            self.expiration_ms = min(max(0, expires_ms - now_ms), EXPIRATION_LIMIT_MS)
            self.singular = True
        if "priority" in headers:
            number("priority", headers["priority"], PRIORITY_LIMIT)
        if "timestamp" in headers:
            number("timestamp", headers["timestamp"], TIMESTAMP_LIMIT_S)
        if "user-id" in headers:
            check_user_id(user, headers["user-id"])

    def reply_to(self, destination: str) -> None:
        """Say another `reply-to` than the client, whose own word for it means nothing to others."""
        self._reply_to = destination
        self.singular = True

    def stored(self) -> bytes:
        reply_to = b"" if self._reply_to is None else self._reply_to.encode()
        return (
            _STORED.pack(self._version, self._dialect.number, self.expiration_ms, len(reply_to))
            + reply_to
            + self._lines
        )

    def decode(self) -> Properties:
        headers = self._headers()
        table = {name: value for name, value in headers.items() if name not in SEND_OWN and name not in PROPERTIES}
        properties = Properties(dict(table))
        properties.content_type = headers.get("content-type")
        properties.content_encoding = headers.get("content-encoding")
        properties.correlation_id = headers.get("correlation-id")
        properties.message_id = headers.get("amqp-message-id")
        properties.type = headers.get("type")
        properties.user_id = headers.get("user-id")
        properties.app_id = headers.get("app-id")
        if "priority" in headers:
            properties.priority = int(headers["priority"])
        if "timestamp" in headers:
            properties.timestamp_s = int(headers["timestamp"]) // self._ticks
        if self.expiration_ms != NEVER:
            properties.expiration_ms = self.expiration_ms
        if "reply-to" in headers:
            _set_reply_to(properties, headers["reply-to"], self._dialect)
        return properties

    @property
    def _ticks(self) -> int:
        return 1_000 if self._dialect.milliseconds else 1  # of a timestamp, in a second

    def lines(self, version: int, dialect: Dialect, counters: Counters) -> bytes:
        """Return the lines that MESSAGE repeats."""
        form = _form(version, dialect)
        said = self._said[form]
        if said is None:
            headers = self._headers()
            if self.expiration_ms != NEVER:
                headers["expiration"] = str(self.expiration_ms)
            if "timestamp" in headers and dialect is not self._dialect:
                headers["timestamp"] = _timestamp(int(headers["timestamp"]) // self._ticks, dialect)
            if dialect.says_defaults:
                headers.setdefault("priority", PRIORITY_DEFAULT)
            lines = Lines(version, counters)
            for name, value in headers.items():
                if name not in MESSAGE_OWN:
                    lines.add(name, value)
                elif name not in SEND_OWN and name != "expires":
                    counters.lose("header_reserved")
            said = self._said[form] = lines.joined()
        return said

    def _headers(self) -> dict[str, str]:
        headers = decoded_headers(self._lines, self._version)
        if self._reply_to is not None:
            headers["reply-to"] = self._reply_to
        return headers


def restore(data: bytes) -> Native:
    """Return the properties of a message that was published before: they were checked then."""
    version, dialect, expiration_ms, reply_to_bytes = _STORED.unpack_from(data)
    lines_at = _STORED.size + reply_to_bytes
    native = StompNative(data[lines_at:], version, DIALECTS[dialect], {}, NOBODY, 0)
    native.expiration_ms = expiration_ms
    if reply_to_bytes:
        native.reply_to(data[_STORED.size : lines_at].decode())
    return native


class Lines:
    """Header lines for one version. What it cannot say is counted and left out."""

    def __init__(self, version: int, counters: Counters) -> None:
        self._version = version
        self._counters = counters
        self._lines: list[bytes] = []

    def add(self, name: str, value: str | None) -> None:
        """Add a header, unless there is none."""
        if value is None:
            return
        line = header_line(name, value, self._version)
        if line is None:
            self._counters.lose("header_unsayable")
        else:
            self._lines.append(line)

    def joined(self) -> bytes:
        """Return the lines as one piece."""
        return b"".join(self._lines)


def _form(version: int, dialect: Dialect) -> int:
    return version * len(DIALECTS) + dialect.number


def _timestamp(seconds: int, dialect: Dialect) -> str:
    return str(seconds * 1_000 if dialect.milliseconds else seconds)


def message_lines(message: Message, version: int, dialect: Dialect, counters: Counters) -> bytes:
    """Return what MESSAGE says about a message beside what it says for itself."""
    native = message.native
    if native is NO_PROPERTIES:
        return b"priority:4\n" if dialect.says_defaults else b""
    if isinstance(native, StompNative):
        return native.lines(version, dialect, counters)
    form = _form(version, dialect)
    if message.encoded_for == FOR_STOMP and message.encoded[0] == form:
        return message.encoded[1:]
    lines = from_core(message.properties, version, dialect, counters)
    message.encoded = MARKS[form] + lines
    message.encoded_for = FOR_STOMP
    return lines


def from_core(properties: Properties, version: int, dialect: Dialect, counters: Counters) -> bytes:
    """Return properties of another protocol as header lines."""
    lines = Lines(version, counters)
    lines.add("content-type", properties.content_type)
    lines.add("content-encoding", properties.content_encoding)
    if properties.correlation_id is not None:
        lines.add("correlation-id", as_text(properties.correlation_id, counters))
    if properties.reply_to is not None:
        lines.add("reply-to", _reply_text(properties.reply_to))
    elif properties.reply_to_topic is not None:
        lines.add("reply-to", formatted(Destination(TOPIC_SPACE, properties.reply_to_topic)))
    if properties.priority is not None:
        lines.add("priority", str(properties.priority))
    elif dialect.says_defaults:
        lines.add("priority", PRIORITY_DEFAULT)
    if properties.expiration_ms is not None:
        lines.add("expiration", str(properties.expiration_ms))
    lines.add("amqp-message-id", properties.message_id)
    if properties.timestamp_s is not None:
        lines.add("timestamp", _timestamp(properties.timestamp_s, dialect))
    lines.add("type", properties.type)
    lines.add("user-id", properties.user_id)
    lines.add("app-id", properties.app_id)
    for name, value in properties.headers.items():
        if name in RESERVED:
            counters.lose("header_reserved")
        else:
            lines.add(name, as_text(value, counters))
    return lines.joined()


def _set_reply_to(properties: Properties, text: str, dialect: Dialect) -> None:
    """Say where to answer in the core's form; what is no queue and no topic stays as the client wrote it."""
    try:
        place = parse(text, dialect)
    except PeerError:
        properties.reply_to = text
        return
    if place.kind in {Kind.QUEUE, Kind.EXISTING, Kind.REPLY}:
        properties.reply_to = place.key
    elif place.exchange == TOPIC_SPACE:
        properties.reply_to_topic = place.key
    else:
        properties.reply_to = text


def _reply_text(reply_to: str) -> str:
    if reply_to.startswith("/exchange/"):
        return reply_to  # a STOMP client's own words, which came back
    return reply_text(reply_to)
