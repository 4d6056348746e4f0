"""Which exchange is the alternate of which, by name: either may come and go without the other."""

from core.routing.exchange import Exchange


class Alternates:
    """The alternate exchanges of one virtual host."""

    def __init__(self, exchanges: dict[str, Exchange]) -> None:
        self.exchanges = exchanges  # the virtual host's own
        self._naming: dict[str, dict[Exchange, None]] = {}  # who has the exchange of that name as alternate

    def appeared(self, exchange: Exchange) -> None:
        """Connect an exchange, which is in the virtual host now, with its alternate and those whose alternate it is."""
        self._connect(exchange)
        for other in self._naming.get(exchange.name, {}):
            other.lead_on(exchange)

    def vanished(self, exchange: Exchange) -> None:
        """Undo it, because the exchange is deleted."""
        for other in self._naming.get(exchange.name, {}):
            other.lead_on(None)
        self._disconnect(exchange)

    def change(self, exchange: Exchange, name: str | None) -> None:
        """Have another exchange, or none, be the alternate of one from now on."""
        if name != exchange.alternate_name:
            self._disconnect(exchange)
            exchange.alternate_name = name
            self._connect(exchange)

    def _connect(self, exchange: Exchange) -> None:
        name = exchange.alternate_name
        if name is not None:
            self._naming.setdefault(name, {})[exchange] = None
            exchange.lead_on(self.exchanges.get(name))

    def _disconnect(self, exchange: Exchange) -> None:
        name = exchange.alternate_name
        if name is not None:
            exchange.lead_on(None)
            naming = self._naming[name]
            del naming[exchange]
            if not naming:
                del self._naming[name]
