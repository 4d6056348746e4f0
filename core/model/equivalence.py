"""Whether a declare describes what exists already: the rules and the words of RabbitMQ.

Only the arguments that mean something to the broker are compared; a client's own may differ from one declare to the
next.
"""

from typing import Final

from core.model.errors import Mismatch
from core.model.properties import Headers, Value

EXCHANGE_ARGUMENTS: Final[tuple[str, ...]] = ("alternate-exchange",)
QUEUE_ARGUMENTS: Final[tuple[str, ...]] = (
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-message-ttl",
    "x-overflow",
    "x-queue-type",
    "x-single-active-consumer",
)


def check_same(attribute: str, what: str, received: bool | str, current: bool | str) -> None:
    """Raise Mismatch unless both are the same."""
    if received != current:
        raise Mismatch(_text(attribute, what, f"'{_shown(received)}'", f"'{_shown(current)}'"))


def check_arguments(compared: tuple[str, ...], what: str, received: Headers, current: Headers) -> None:
    """Raise Mismatch unless the `compared` arguments are the same in both tables."""
    for name in compared:
        new, old = received.get(name), current.get(name)
        if new == old and type(new) is type(old):
            continue
        if new is None:
            raise Mismatch(_text(name, what, "none", f"the value '{_shown(old)}' of type '{_type(old)}'"))
        if old is None:
            raise Mismatch(_text(name, what, f"the value '{_shown(new)}' of type '{_type(new)}'", "none"))
        raise Mismatch(_text(name, what, f"'{_shown(new)}'", f"'{_shown(old)}'"))


def _text(attribute: str, what: str, received: str, current: str) -> str:
    return f"inequivalent arg '{attribute}' for {what}: received {received} but current is {current}"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}"


def _type(value: Value) -> str:
    """Return the name of a value's type in RabbitMQ's words; the width of an integer is not known any more."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "signedint" if -(1 << 31) <= value < 1 << 31 else "long"
    if isinstance(value, str):
        return "longstr"
    return "double" if isinstance(value, float) else "table" if isinstance(value, dict) else "array"
