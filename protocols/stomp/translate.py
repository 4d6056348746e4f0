"""Between STOMP headers and the core's properties, both ways (docs/conversions.md); the only file that knows both.

A message from STOMP keeps the header lines as they were sent. They are read again when another protocol asks, and
said again once for each version of STOMP that asks. What cannot be said is counted and left out.
"""

from typing import Final

from core.access import User, check_user_id
from core.counters import Counters
from core.model.destination import Destination, formatted
from core.model.message import FOR_STOMP, Message
from core.model.names import TOPIC_SPACE
from core.model.properties import NO_PROPERTIES, Native, Properties
from protocols.header_text import as_text
from protocols.stomp.destinations import Kind, parse, reply_text
from protocols.stomp.errors import PeerError
from protocols.stomp.headers import decoded_headers, header_line, number

EXPIRATION_LIMIT_MS: Final = 0xFFFF_FFFF  # RabbitMQ's
EXPIRES_LIMIT_MS: Final = 1 << 53  # since the epoch: exact as a float
PRIORITY_LIMIT: Final = 255
TIMESTAMP_LIMIT_S: Final = (1 << 63) - 1
NEVER: Final = -1  # of a time to live

# What SEND uses itself and the message does not carry on.
SEND_OWN: Final = frozenset({"destination", "content-length", "receipt", "transaction", "persistent"})
# What MESSAGE says for itself: no publisher can put words into the broker's mouth.
MESSAGE_OWN: Final = frozenset({*SEND_OWN, "message-id", "subscription", "ack", "redelivered", "expires"})
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

VERSION_MARKS: Final = (b"\x00", b"\x01", b"\x02")  # by version; stand before lines that are kept with a message


class StompNative(Native):
    """The header lines of a SEND frame. Messages with the same lines share one, unless it is `singular`."""

    def __init__(self, lines: bytes, version: int, headers: dict[str, str], user: User, now_ms: int) -> None:
        """Check what the headers say. `now_ms` is the time since the epoch, which `expires` is compared with."""
        self._lines = lines
        self.size_bytes = 2 * len(lines)  # as they came, and as they are said again
        self._version = version
        self._said: list[bytes | None] = [None, None, None]  # MESSAGE header lines, by version
        self._reply_to: str | None = None
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
            properties.timestamp_s = int(headers["timestamp"])
        if self.expiration_ms != NEVER:
            properties.expiration_ms = self.expiration_ms
        if "reply-to" in headers:
            _set_reply_to(properties, headers["reply-to"])
        return properties

    def lines(self, version: int, counters: Counters) -> bytes:
        """Return the lines that MESSAGE repeats."""
        said = self._said[version]
        if said is None:
            headers = self._headers()
            if self.expiration_ms != NEVER:
                headers["expiration"] = str(self.expiration_ms)
            lines = Lines(version, counters)
            for name, value in headers.items():
                if name not in MESSAGE_OWN:
                    lines.add(name, value)
                elif name not in SEND_OWN and name != "expires":
                    counters.lose("header_reserved")
            said = self._said[version] = lines.joined()
        return said

    def _headers(self) -> dict[str, str]:
        headers = decoded_headers(self._lines, self._version)
        if self._reply_to is not None:
            headers["reply-to"] = self._reply_to
        return headers


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


def message_lines(message: Message, version: int, counters: Counters) -> bytes:
    """Return what MESSAGE says about a message beside what it says for itself."""
    native = message.native
    if native is NO_PROPERTIES:
        return b""
    if isinstance(native, StompNative):
        return native.lines(version, counters)
    if message.encoded_for == FOR_STOMP and message.encoded[0] == version:
        return message.encoded[1:]
    lines = from_core(message.properties, version, counters)
    message.encoded = VERSION_MARKS[version] + lines
    message.encoded_for = FOR_STOMP
    return lines


def from_core(properties: Properties, version: int, counters: Counters) -> bytes:
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
    if properties.expiration_ms is not None:
        lines.add("expiration", str(properties.expiration_ms))
    lines.add("amqp-message-id", properties.message_id)
    if properties.timestamp_s is not None:
        lines.add("timestamp", str(properties.timestamp_s))
    lines.add("type", properties.type)
    lines.add("user-id", properties.user_id)
    lines.add("app-id", properties.app_id)
    for name, value in properties.headers.items():
        if name in RESERVED:
            counters.lose("header_reserved")
        else:
            lines.add(name, as_text(value, counters))
    return lines.joined()


def _set_reply_to(properties: Properties, text: str) -> None:
    """Say where to answer in the core's form; what is no queue and no topic stays as the client wrote it."""
    try:
        place = parse(text)
    except PeerError:
        properties.reply_to = text
        return
    if place.kind not in {Kind.EXCHANGE, Kind.TEMPORARY}:
        properties.reply_to = place.key
    elif place.exchange == TOPIC_SPACE:
        properties.reply_to_topic = place.key
    else:
        properties.reply_to = text


def _reply_text(reply_to: str) -> str:
    if reply_to.startswith("/exchange/"):
        return reply_to  # a STOMP client's own words, which came back
    return reply_text(reply_to)
