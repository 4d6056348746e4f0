"""The destinations of SEND and SUBSCRIBE (RabbitMQ's forms; ActiveMQ's temporary ones, bare names and lists).

Beside those that the core knows (`/queue/`, `/topic/`, `/exchange/`) there are `/amq/queue/NAME`, a queue that must
exist; `/reply-queue/NAME`, where an answer goes; `/temp-queue/NAME` and `/temp-topic/NAME`, which are this connection's
only; and a bare name, which is a queue.
"""

from enum import Enum
from typing import Final

from core.model.destination import (
    Destination,
    decoded,
    encoded,
    formatted,
    parse_destination,
    split,
)
from core.model.errors import Invalid
from core.model.message import FOR_STOMP, Address
from core.model.names import DEFAULT_EXCHANGE, RESERVED_PREFIX, TOPIC_LEVELS_LIMIT, check_name
from protocols.stomp.dialect import Dialect
from protocols.stomp.errors import PeerError
from protocols.stomp.versions import V1_0

QUEUE: Final = "/queue/"
TOPIC: Final = "/topic/"
REPLY: Final = "/reply-queue/"
TEMPORARY_QUEUE: Final = "/temp-queue/"
TEMPORARY_TOPIC: Final = "/temp-topic/"
DESTINATION_TYPE: Final = "destination-type"
EXCHANGE_LINE: Final = b"destination:/exchange/"


class Kind(Enum):
    """What has to be done before a destination can be used."""

    QUEUE = 1  # declared by whoever comes first
    EXISTING = 2  # must exist
    REPLY = 3  # exists as long as whoever asked is there
    TEMPORARY_QUEUE = 4  # made for this connection; `key` is the client's name for it
    TEMPORARY_TOPIC = 5  # likewise
    TOPIC = 6  # a key or pattern of the topic space
    EXCHANGE = 7  # an exchange with a routing key or binding key


# Destinations that are all key. `remote-temp` is what ActiveMQ calls an answer's way.
KEYED: Final[dict[str, Kind]] = {
    "/amq/queue/": Kind.EXISTING,
    REPLY: Kind.REPLY,
    "/remote-temp-queue/": Kind.REPLY,
    "/remote-temp-topic/": Kind.REPLY,
    TEMPORARY_QUEUE: Kind.TEMPORARY_QUEUE,
    TEMPORARY_TOPIC: Kind.TEMPORARY_TOPIC,
}
KINDS: Final = "/queue/, /topic/, /exchange/, /amq/queue/, /reply-queue/, /temp-queue/, /temp-topic/"


class StompDestination:
    """One place, with the text that named it."""

    def __init__(self, kind: Kind, place: Destination, text: str) -> None:
        self.kind = kind
        self.exchange = place.exchange
        self.key = place.key
        self.text = text

    @property
    def name(self) -> str:
        """The part of the text behind its kind, as it was written: where wildcards are looked for."""
        if self.kind is Kind.TOPIC:
            return self.text[len(TOPIC) :]
        return self.text.removeprefix(QUEUE)


def parse(text: str, dialect: Dialect) -> StompDestination:
    """Parse one destination."""
    try:
        parsed = _parsed(text, dialect)
        check_name("exchange", parsed.exchange)
        check_name("queue" if parsed.exchange == DEFAULT_EXCHANGE else "routing key", parsed.key)
    except Invalid as error:
        raise PeerError("Invalid destination", error.text) from None
    if parsed.key.count(".") >= TOPIC_LEVELS_LIMIT:
        raise PeerError("Invalid destination", f"destination '{text}' has more than {TOPIC_LEVELS_LIMIT} levels")
    return parsed


def parse_all(text: str, dialect: Dialect) -> list[StompDestination]:
    """Parse what may be a list of destinations; each place is named once."""
    try:
        parts = split(text)
    except Invalid as error:
        raise PeerError("Invalid destination", error.text) from None
    found: dict[tuple[Kind, str, str], StompDestination] = {}
    for part in parts:
        parsed = parse(part, dialect)
        found.setdefault((parsed.kind, parsed.exchange, parsed.key), parsed)
    return list(found.values())


def destination_of(headers: dict[str, str]) -> str | None:
    """Return what a frame says of its destination: in Artemis' way a bare name may be called a topic."""
    text = headers.get("destination")
    if text is not None and not text.startswith("/") and headers.get(DESTINATION_TYPE) == "MULTICAST":
        return TOPIC + text
    return text


def _parsed(text: str, dialect: Dialect) -> StompDestination:
    if not text.startswith("/"):
        if not text:
            raise PeerError("Invalid destination", "the destination is empty")
        return _keyed(Kind.QUEUE, text, text, dialect)
    for prefix, kind in KEYED.items():
        if text.startswith(prefix):
            return _keyed(kind, text, text[len(prefix) :], dialect)
    if text.startswith(QUEUE):
        return _keyed(Kind.QUEUE, text, text[len(QUEUE) :], dialect)
    if not text.startswith((TOPIC, "/exchange/")):
        raise PeerError("Unknown destination", f"'{text}' is not a valid destination. Valid kinds are {KINDS}")
    if text.startswith(TOPIC):
        whole = TOPIC + text[len(TOPIC) :].replace("/", "%2F") if dialect.slashes else text
        return StompDestination(Kind.TOPIC, parse_destination(whole), text)
    return StompDestination(Kind.EXCHANGE, parse_destination(text), text)


def _keyed(kind: Kind, text: str, name: str, dialect: Dialect) -> StompDestination:
    if not name:
        raise Invalid(f"destination '{text}' has no name")
    if "/" in name and not dialect.slashes:
        raise Invalid(f"destination '{text}' has too many parts: write a slash inside a name as %2F")
    return StompDestination(kind, Destination(DEFAULT_EXCHANGE, decoded(name)), text)


def address_line(address: Address, version: int, dialect: Dialect) -> bytes:
    """Return the `destination` header of what was aimed at `address`, escaped where the version does that.

    What RabbitMQ would say is kept with the address. 1.0 has no escapes and needs none: `formatted` is one line.
    """
    if version == V1_0:
        line = f"destination:{formatted(Destination(address.exchange, address.key))}\n".encode()
    else:
        line = address.encoded[FOR_STOMP]
        if not line:
            text = formatted(Destination(address.exchange, address.key))
            text = text.replace("\\", "\\\\").replace(":", "\\c")
            line = address.encoded[FOR_STOMP] = f"destination:{text}\n".encode()
    if dialect.slashes and b"%2F" in line and not line.startswith(EXCHANGE_LINE):
        return line.replace(b"%2F", b"/")
    return line


def reply_text(queue: str) -> str:
    """Return where to send an answer for a queue: a queue that the broker named is nobody's to declare."""
    if queue.startswith(RESERVED_PREFIX):
        return REPLY + encoded(queue)
    return f"{QUEUE}{encoded(queue)}"
