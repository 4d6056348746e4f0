"""Whether a declare describes what exists already: the rules and the words of RabbitMQ.

Only the arguments that mean something to the broker are compared; a client's own may differ from one declare to the
next.
"""

from typing import Final

from core.model.arguments import type_name
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
    "x-queue-mode",
    "x-queue-type",
    "x-queue-version",
    "x-single-active-consumer",
)
_UNSAID: Final[dict[str, Value]] = {"x-queue-type": "classic"}  # what an argument that is missing means


def check_same(attribute: str, what: str, received: bool | str, current: bool | str) -> None:
    """Raise Mismatch unless both are the same."""
    if received != current:
        raise Mismatch(_text(attribute, what, f"'{_shown(received)}'", f"'{_shown(current)}'"))


def check_arguments(compared: tuple[str, ...], what: str, received: Headers, current: Headers) -> None:
    """Raise Mismatch unless the `compared` arguments are the same in both tables."""
    for name in compared:
        new, old = received.get(name), current.get(name)
        unsaid = _UNSAID.get(name)
        wanted = unsaid if new is None else new
        present = unsaid if old is None else old
        if wanted == present and type(wanted) is type(present):
            continue
        if new is None:
            raise Mismatch(_text(name, what, "none", f"the value '{_shown(old)}' of type '{type_name(old)}'"))
        if old is None:
            raise Mismatch(_text(name, what, f"the value '{_shown(new)}' of type '{type_name(new)}'", "none"))
        raise Mismatch(_text(name, what, f"'{_shown(new)}'", f"'{_shown(old)}'"))


def _text(attribute: str, what: str, received: str, current: str) -> str:
    return f"inequivalent arg '{attribute}' for {what}: received {received} but current is {current}"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}"
