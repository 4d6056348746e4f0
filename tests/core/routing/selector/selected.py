"""A message to select, with one property of each kind."""

from decimal import Decimal

from core.model.message import Address, Message
from core.model.properties import Headers, Properties, Stated, Timestamp
from core.model.widths import Long
from core.routing.selector import parse_selector

HEADERS: Headers = {
    "whole": 7,
    "long": Long(1 << 40),
    "half": 0.5,
    "text": "abc",
    "digits": "12",
    "quoted": "it's",
    "yes": True,
    "no": False,
    "empty": "",
    "money": Decimal("2.50"),
    "when": Timestamp(1_000),
    "table": {"a": 1},
    "list": [1],
    "octets": b"abc",
    "void": None,
    "content-type": "text/plain",
    'odd "name"': 1,
    "AND_more": 1,
}


def a_message(said: Properties | None = None, *, qos: int = 0) -> Message:
    return Message(Address("ex", "key.of.it"), b"body", qos, Stated(said or Properties(dict(HEADERS))))


MESSAGE = a_message()


def matches(text: str, message: Message = MESSAGE) -> bool:
    return parse_selector(text).matches(message)


def outcome(text: str) -> bool | None:
    """Return what a condition is for the message: true, false, or unknown, which does not match either way."""
    true, false = matches(text), matches(f"NOT ({text})")
    assert not (true and false)
    return True if true else False if false else None
