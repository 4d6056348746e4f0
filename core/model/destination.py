"""Destinations as text: the address form that people write in STOMP frames, configurations and headers.

`/queue/NAME`, `/topic/KEY` and `/exchange/NAME[/KEY]`; several joined by commas are a composite destination. Inside a
part `%2F` is a slash, `%2C` a comma and `%25` a percent sign, so that every name can be said in one line of text.
"""

from typing import Final
from urllib.parse import unquote

from core.model.errors import Invalid
from core.model.names import DEFAULT_EXCHANGE, TOPIC_SPACE

SEPARATOR: Final = ","
ENCODED: Final = "%/,"  # beside control characters
COMPOSITE_LIMIT: Final = 64  # destinations in one composite


class Destination:
    """Where to publish: an exchange and a routing key in the core's form. `queue` is a name to declare before use."""

    def __init__(self, exchange: str, key: str) -> None:
        self.exchange = exchange
        self.key = key

    @property
    def queue(self) -> str | None:
        """The queue that this destination is, or None."""
        return self.key if self.exchange == DEFAULT_EXCHANGE else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Destination) and other.exchange == self.exchange and other.key == self.key

    def __hash__(self) -> int:
        return hash((self.exchange, self.key))

    def __repr__(self) -> str:
        return f"Destination({self.exchange!r}, {self.key!r})"


def parse_destination(text: str) -> Destination:
    """Parse one destination; Invalid names what is wrong with it."""
    if not text.startswith("/"):
        raise Invalid(f"unknown destination '{text}': it must begin with /queue/, /topic/ or /exchange/")
    kind, _, rest = text[1:].partition("/")
    if not rest:
        raise Invalid(f"destination '{text}' has no name")
    if kind == "queue":
        return Destination(DEFAULT_EXCHANGE, _whole(text, rest))
    if kind == "topic":
        return Destination(TOPIC_SPACE, _whole(text, rest))
    if kind == "exchange":
        name, _, key = rest.partition("/")
        if not name:
            raise Invalid(f"destination '{text}' has no name")
        return Destination(decoded(name), _whole(text, key))
    raise Invalid(f"unknown destination '{text}': there is no kind '/{kind}/'")


def split(text: str) -> list[str]:
    """Return the parts of what may be a composite destination. Spaces around the parts of a list are not theirs."""
    if SEPARATOR not in text:
        return [text]
    parts = text.split(SEPARATOR)
    if len(parts) > COMPOSITE_LIMIT:
        raise Invalid(f"composite destination of {len(parts)} parts is longer than {COMPOSITE_LIMIT}")
    return [part.strip(" ") for part in parts]


def decoded(part: str) -> str:
    """Return a name or key without its percent-encoding; Invalid when it is not UTF-8."""
    if "%" not in part:
        return part
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise Invalid(f"the percent-encoding of '{part}' is not UTF-8") from None


def encoded(name: str) -> str:
    """Return a name or key with everything percent-encoded that would end it or the line that it stands in."""
    if name.isprintable() and "%" not in name and "/" not in name and SEPARATOR not in name:
        return name
    return "".join([f"%{ord(c):02X}" if c in ENCODED or c < " " or c == "\x7f" else c for c in name])


def formatted(destination: Destination) -> str:
    """Return the text that `parse_destination` reads as this destination."""
    if destination.exchange == DEFAULT_EXCHANGE:
        return f"/queue/{encoded(destination.key)}"
    if destination.exchange == TOPIC_SPACE:
        return f"/topic/{encoded(destination.key)}"
    if not destination.key:
        return f"/exchange/{encoded(destination.exchange)}"
    return f"/exchange/{encoded(destination.exchange)}/{encoded(destination.key)}"


def _whole(text: str, part: str) -> str:
    if "/" in part:
        raise Invalid(f"destination '{text}' has too many parts: write a slash inside a name as %2F")
    return decoded(part)
