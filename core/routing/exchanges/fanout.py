"""The fanout exchange: every binding, whatever the key (AMQP 0-9-1 §3.1.3.2)."""

from typing import ClassVar

from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.route import Collector


class FanoutExchange(Exchange):
    """Selects all bindings."""

    kind: ClassVar[str] = "fanout"

    def select(self, collector: Collector) -> list[Binding]:
        return list(self.bindings.values())
