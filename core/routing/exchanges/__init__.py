"""The exchange types, one file each. A new type is a subclass of `Exchange` with a line in `AT_ONCE`."""

from typing import Final

from core.routing.exchange import Exchange
from core.routing.exchanges.at_once import AT_ONCE
from core.routing.exchanges.delayed import DelayedExchange

TYPES: Final[dict[str, type[Exchange]]] = {**AT_ONCE, "x-delayed-message": DelayedExchange}
