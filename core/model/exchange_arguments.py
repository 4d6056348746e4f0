"""The arguments that every exchange may have, and what they must look like (RabbitMQ's).

Those of one exchange type are checked in its file. An argument that nobody knows is kept and has no effect.
"""

from typing import Final

from core.model.arguments import type_name
from core.model.errors import Invalid
from core.model.properties import Headers, Value

ALTERNATE_EXCHANGE: Final = "alternate-exchange"


def in_erlang(value: Value) -> str:
    """Return a simple value as RabbitMQ's texts show it."""
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'<<"{value}">>' if value else "<<>>"
    return f"{value}"


def check_exchange_arguments(what: str, arguments: Headers) -> None:
    """Refuse arguments that are wrong for an exchange; `what` names it in the error's text."""
    if ALTERNATE_EXCHANGE not in arguments:
        return
    value = arguments[ALTERNATE_EXCHANGE]
    if not isinstance(value, str):
        raise Invalid(f"invalid type '{type_name(value)}' for arg '{ALTERNATE_EXCHANGE}' in {what}")
