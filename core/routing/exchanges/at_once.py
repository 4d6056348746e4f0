"""The exchange types that route a message when it is published: all but the delayed one, which stands in front of one."""

from typing import Final

from core.routing.exchange import Exchange
from core.routing.exchanges.by_chance import RandomExchange
from core.routing.exchanges.consistent_hash import ConsistentHashExchange
from core.routing.exchanges.direct import DirectExchange
from core.routing.exchanges.fanout import FanoutExchange
from core.routing.exchanges.headers import HeadersExchange
from core.routing.exchanges.modulus_hash import ModulusHashExchange
from core.routing.exchanges.recent_history import RecentHistoryExchange
from core.routing.exchanges.topic import TopicExchange

AT_ONCE: Final[dict[str, type[Exchange]]] = {
    "direct": DirectExchange,
    "fanout": FanoutExchange,
    "topic": TopicExchange,
    "headers": HeadersExchange,
    "x-consistent-hash": ConsistentHashExchange,
    "x-modulus-hash": ModulusHashExchange,
    "x-random": RandomExchange,
    "x-recent-history": RecentHistoryExchange,
}
