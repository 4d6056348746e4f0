"""The exchange types, one file each. A new type is a subclass of `Exchange` with a line in `TYPES`."""

from typing import Final

from core.routing.exchange import Exchange
from core.routing.exchanges.direct import DirectExchange
from core.routing.exchanges.fanout import FanoutExchange
from core.routing.exchanges.headers import HeadersExchange
from core.routing.exchanges.topic import TopicExchange

TYPES: Final[dict[str, type[Exchange]]] = {
    "direct": DirectExchange,
    "fanout": FanoutExchange,
    "topic": TopicExchange,
    "headers": HeadersExchange,
}
