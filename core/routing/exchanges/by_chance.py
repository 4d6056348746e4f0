"""The random exchange: one of all bindings, by chance, whatever the key."""

from typing import ClassVar

from core.routing.binding import Binding
from core.routing.exchanges.one_of_many import OneOfManyExchange
from core.routing.route import Collector


class RandomExchange(OneOfManyExchange):
    """Selects anew for each message."""

    kind: ClassVar[str] = "x-random"

    def choose(self, collector: Collector, bindings: list[Binding]) -> Binding:
        return bindings[self._site.chance.below(len(bindings))]

    def select(self, collector: Collector) -> list[Binding]:
        collector.by_message = True
        return super().select(collector)
