"""The direct exchange: the routing key equals the binding key (AMQP 0-9-1 §3.1.3.1)."""

from typing import ClassVar

from core.model.properties import Headers
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.route import Collector
from core.routing.site import Site


class DirectExchange(Exchange):
    """Selects bindings by equality."""

    kind: ClassVar[str] = "direct"

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__(name, site, arguments)
        self._by_key: dict[str, dict[Binding, None]] = {}  # as ordered sets: thousands may share one key

    def select(self, collector: Collector) -> list[Binding]:
        found: list[Binding] = []
        for key in collector.keys:
            bindings = self._by_key.get(key)
            if bindings is not None:
                found.extend(bindings)
        return found

    def added(self, binding: Binding) -> None:
        self._by_key.setdefault(binding.key, {})[binding] = None

    def removed(self, binding: Binding) -> None:
        bindings = self._by_key[binding.key]
        del bindings[binding]
        if not bindings:
            del self._by_key[binding.key]

    def only_key(self, binding: Binding) -> str | None:
        return binding.key
