"""Whether a declare describes what exists already: the rules and the words of RabbitMQ.

Only the arguments that mean something to the broker are compared; a client's own may differ from one declare to the
next.
"""

from typing import Final

from core.model.arguments import CLASSIC, QUEUE_TYPE, type_name
from core.model.errors import Mismatch
from core.model.properties import Headers, Value

EXCHANGE_ARGUMENTS: Final[tuple[str, ...]] = ("alternate-exchange",)
_UNSAID: Final[dict[str, Value]] = {QUEUE_TYPE: CLASSIC}  # what an argument that is missing means


def check_same(attribute: str, what: str, received: bool | str, current: bool | str) -> None:
    """Raise Mismatch unless both are the same."""
    if received != current:
        raise Mismatch(_text(attribute, what, f"'{_shown(received)}'", f"'{_shown(current)}'"))


def check_arguments(compared: tuple[str, ...], what: str, received: Headers, current: Headers) -> None:
    """Raise Mismatch unless the `compared` arguments are the same in both tables."""
    for name in compared:
        new, old = received.get(name), current.get(name)
        unsaid = _UNSAID.get(name)
        wanted = new if name in received else unsaid
        present = old if name in current else unsaid
        both_said = unsaid is not None or (name in received) == (name in current)
        if both_said and wanted == present and _kind(wanted) is _kind(present):
            continue
        if name not in received:
            raise Mismatch(_text(name, what, "none", f"the value '{_shown(old)}' of type '{type_name(old)}'"))
        if name not in current:
            raise Mismatch(_text(name, what, f"the value '{_shown(new)}' of type '{type_name(new)}'", "none"))
        raise Mismatch(_text(name, what, f"'{_shown(new)}'", f"'{_shown(old)}'"))


def _kind(value: Value) -> type:
    """Return the type, which for whole numbers of any width and sign is one."""
    return int if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _text(attribute: str, what: str, received: str, current: str) -> str:
    return f"inequivalent arg '{attribute}' for {what}: received {received} but current is {current}"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "undefined"
    return f"{value}"
