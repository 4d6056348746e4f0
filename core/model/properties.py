"""The properties of a message in the core's form, and what a protocol hands over instead of decoding them.

A message keeps its properties as received (`Native`). They are decoded to `Properties` when somebody of another
protocol, a headers exchange or a selector first asks, and then kept.
"""

from typing import Any, Final

from mypy_extensions import mypyc_attr

# None, bool, int, float, Decimal, str, bytes, Timestamp, list[Value] or dict[str, Value]: the union of what the
# protocols' header tables can hold.
Value = Any
Headers = dict[str, Value]

# Kinds of `Native`, as a store knows them: never to be numbered anew.
NATIVE_NONE: Final = 0
NATIVE_STATED: Final = 1
NATIVE_AMQP: Final = 2
NATIVE_STOMP: Final = 3
NATIVE_MQTT5: Final = 4

VALUE_COST_BYTES: Final = 64  # of memory, for one value or name beside its text


class Timestamp:
    """A point in time inside a header table, in whole seconds since the epoch (AMQP 0-9-1 §4.2.5.4)."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and other.seconds == self.seconds

    def __hash__(self) -> int:
        return hash(self.seconds)

    def __repr__(self) -> str:
        return f"Timestamp({self.seconds})"


@mypyc_attr(acyclic=True)
class Properties:
    """What a publisher said about a message. `None` means that it said nothing.

    Durability is not here: it belongs to the message (`Message.qos`), since every protocol states it.
    """

    def __init__(self, headers: Headers | None = None) -> None:
        self.content_type: str | None = None
        self.content_encoding: str | None = None
        self.headers: Headers = headers if headers is not None else {}
        self.priority: int | None = None
        self.correlation_id: str | bytes | None = None
        self.reply_to: str | None = None  # the name of a queue
        self.reply_to_topic: str | None = None  # a key in topic space, in the core's form
        self.expiration_ms: int | None = None
        self.message_id: str | None = None
        self.timestamp_s: int | None = None
        self.type: str | None = None
        self.user_id: str | None = None
        self.app_id: str | None = None

    def with_headers(self, headers: Headers) -> "Properties":
        """Return a copy that says the same with other headers."""
        copy = Properties(headers)
        copy.content_type = self.content_type
        copy.content_encoding = self.content_encoding
        copy.priority = self.priority
        copy.correlation_id = self.correlation_id
        copy.reply_to = self.reply_to
        copy.reply_to_topic = self.reply_to_topic
        copy.expiration_ms = self.expiration_ms
        copy.message_id = self.message_id
        copy.timestamp_s = self.timestamp_s
        copy.type = self.type
        copy.user_id = self.user_id
        copy.app_id = self.app_id
        return copy

    def fields(self) -> list[Value]:
        """Return everything that is said, as a list that `from_fields` understands."""
        return [
            self.content_type,
            self.content_encoding,
            self.headers,
            self.priority,
            self.correlation_id,
            self.reply_to,
            self.reply_to_topic,
            self.expiration_ms,
            self.message_id,
            self.timestamp_s,
            self.type,
            self.user_id,
            self.app_id,
        ]

    @classmethod
    def from_fields(cls, fields: list[Value]) -> "Properties":
        """Return what `fields` has listed."""
        said = Properties(fields[2])
        said.content_type, said.content_encoding = fields[:2]
        said.priority, said.correlation_id, said.reply_to, said.reply_to_topic = fields[3:7]
        said.expiration_ms, said.message_id, said.timestamp_s, said.type, said.user_id, said.app_id = fields[7:]
        return said

    def cost_bytes(self) -> int:
        """Return about how many bytes of memory they take."""
        texts = [
            self.content_type,
            self.content_encoding,
            self.correlation_id,
            self.reply_to,
            self.reply_to_topic,
            self.message_id,
            self.type,
            self.user_id,
            self.app_id,
        ]
        return cost_of([self.headers, *[text for text in texts if text is not None]])


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class Native:
    """The properties of one message as its protocol received them. Immutable, so that messages may share one."""

    size_bytes: int = 0  # of memory
    kind: int = NATIVE_NONE  # what a store calls it

    def stored(self) -> bytes:
        """Return the bytes from which the same properties can be made again, in another process too."""
        return b""

    def decode(self) -> Properties:
        """Translate to the core's form. Bytes that were accepted at publish never fail here."""
        return Properties()


NO_PROPERTIES: Final = Native()


@mypyc_attr(acyclic=True)
class Stated(Native):
    """Properties that the broker itself has stated, in the core's form."""

    def __init__(self, properties: Properties, size_bytes: int = -1) -> None:
        self._properties = properties
        self.kind = NATIVE_STATED
        self.size_bytes = size_bytes if size_bytes >= 0 else properties.cost_bytes()

    def decode(self) -> Properties:
        return self._properties


def cost_of(value: Value) -> int:
    """Return about how many bytes of memory a value takes, with all that is in it."""
    cost = 0
    pending: list[Value] = [value]
    while pending:
        part = pending.pop()
        cost += VALUE_COST_BYTES
        if isinstance(part, (str, bytes)):
            cost += len(part)
        elif isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            pending.extend(part)
            pending.extend(part.values())
    return cost
