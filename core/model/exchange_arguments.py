"""The arguments of exchanges: which are known, and what they must look like (RabbitMQ's)."""

from typing import Final

from core.model.arguments import type_name, unsupported
from core.model.errors import Invalid
from core.model.properties import Headers

ALTERNATE_EXCHANGE: Final = "alternate-exchange"


def check_exchange_arguments(what: str, arguments: Headers) -> None:
    """Refuse arguments that are wrong or not supported for an exchange."""
    if ALTERNATE_EXCHANGE not in arguments:
        return
    value = arguments[ALTERNATE_EXCHANGE]
    if not isinstance(value, str):
        raise Invalid(f"invalid type '{type_name(value)}' for arg '{ALTERNATE_EXCHANGE}' in {what}")
    raise unsupported(ALTERNATE_EXCHANGE, what)
