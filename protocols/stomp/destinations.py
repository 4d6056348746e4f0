"""The destinations of SEND and SUBSCRIBE (RabbitMQ's forms; ActiveMQ's bare names and lists).

Beside those that the core knows (`/queue/`, `/topic/`, `/exchange/`) there are `/amq/queue/NAME`, a queue that must
exist; `/reply-queue/NAME`, where an answer goes; `/temp-queue/NAME`, a queue of this connection only; and a bare name,
which is a queue.
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
from protocols.stomp.errors import PeerError

EXISTING: Final = "/amq/queue/"
REPLY: Final = "/reply-queue/"
TEMPORARY: Final = "/temp-queue/"
KINDS: Final = "/queue/, /topic/, /exchange/, /amq/queue/, /reply-queue/, /temp-queue/"


class Kind(Enum):
    """What has to be done before a destination can be used."""

    QUEUE = 1  # declared by whoever comes first
    EXISTING = 2  # must exist
    REPLY = 3  # exists as long as whoever asked is there
    TEMPORARY = 4  # made for this connection; `key` is the client's name for it
    EXCHANGE = 5  # an exchange with a routing key or binding key, the topic space included


class StompDestination:
    """One place, with the text that named it."""

    def __init__(self, kind: Kind, place: Destination, text: str) -> None:
        self.kind = kind
        self.exchange = place.exchange
        self.key = place.key
        self.text = text


def parse(text: str) -> StompDestination:
    """Parse one destination."""
    try:
        parsed = _parsed(text)
        check_name("exchange", parsed.exchange)
        check_name("queue" if parsed.exchange == DEFAULT_EXCHANGE else "routing key", parsed.key)
    except Invalid as error:
        raise PeerError("Invalid destination", error.text) from None
    if parsed.key.count(".") >= TOPIC_LEVELS_LIMIT:
        raise PeerError("Invalid destination", f"destination '{text}' has more than {TOPIC_LEVELS_LIMIT} levels")
    return parsed


def parse_all(text: str) -> list[StompDestination]:
    """Parse what may be a list of destinations; each place is named once."""
    try:
        parts = split(text)
    except Invalid as error:
        raise PeerError("Invalid destination", error.text) from None
    found: dict[tuple[Kind, str, str], StompDestination] = {}
    for part in parts:
        parsed = parse(part)
        found.setdefault((parsed.kind, parsed.exchange, parsed.key), parsed)
    return list(found.values())


def _parsed(text: str) -> StompDestination:
    if not text.startswith("/"):
        if not text:
            raise PeerError("Invalid destination", "the destination is empty")
        return _queue(Kind.QUEUE, text, text)
    for prefix, kind in ((EXISTING, Kind.EXISTING), (REPLY, Kind.REPLY), (TEMPORARY, Kind.TEMPORARY)):
        if text.startswith(prefix):
            return _queue(kind, text, text[len(prefix) :])
    if not text.startswith(("/queue/", "/topic/", "/exchange/")):
        raise PeerError("Unknown destination", f"'{text}' is not a valid destination. Valid kinds are {KINDS}")
    place = parse_destination(text)
    return StompDestination(Kind.QUEUE if place.queue is not None else Kind.EXCHANGE, place, text)


def _queue(kind: Kind, text: str, name: str) -> StompDestination:
    if not name:
        raise Invalid(f"destination '{text}' has no name")
    if "/" in name:
        raise Invalid(f"destination '{text}' has too many parts: write a slash inside a name as %2F")
    return StompDestination(kind, Destination(DEFAULT_EXCHANGE, decoded(name)), text)


def address_line(address: Address) -> bytes:
    """Return the `destination` header of what was aimed at `address`, escaped; kept with the address.

    It is the same in all versions that escape; 1.0 has no escapes, see `raw_address_line`.
    """
    line = address.encoded[FOR_STOMP]
    if not line:
        text = formatted(Destination(address.exchange, address.key))
        text = text.replace("\\", "\\\\").replace(":", "\\c")
        line = address.encoded[FOR_STOMP] = f"destination:{text}\n".encode()
    return line


def raw_address_line(address: Address) -> bytes:
    """Return the `destination` header for STOMP 1.0, which has no escapes and needs none: `formatted` is one line."""
    return f"destination:{formatted(Destination(address.exchange, address.key))}\n".encode()


def reply_text(queue: str) -> str:
    """Return where to send an answer for a queue: a queue that the broker named is nobody's to declare."""
    if queue.startswith(RESERVED_PREFIX):
        return REPLY + encoded(queue)
    return f"/queue/{encoded(queue)}"
