"""What the exchanges have in common that select one of all their bindings, by its place among them."""

from core.model.properties import Headers
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.route import Collector
from core.routing.site import Site


class OneOfManyExchange(Exchange):
    """Selects the binding that the subclass chooses. A sink with two bindings has two chances, as in RabbitMQ."""

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__(name, site, arguments)
        self._listed: list[Binding] | None = None  # the bindings in a list, until they change

    def choose(self, collector: Collector, bindings: list[Binding]) -> Binding:
        """Return one of the bindings; there is at least one."""
        raise AssertionError(f"exchange type {self.kind!r} does not choose")

    def select(self, collector: Collector) -> list[Binding]:
        bindings = self._listed
        if bindings is None:
            bindings = self._listed = list(self.bindings.values())
        return [self.choose(collector, bindings)] if bindings else []

    def added(self, binding: Binding) -> None:
        self._listed = None

    def removed(self, binding: Binding) -> None:
        self._listed = None
