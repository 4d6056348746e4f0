"""The delayed-message exchange: another type of exchange, where a message waits first if its header says so.

`x-delayed-type` names the type that the bindings belong to. The header `x-delay` is a time in milliseconds; without it,
and with one that is not above zero, a message is routed at once. While a message waits it counts as routed, so that it
is confirmed and does not come back to a publisher who said `mandatory`: whether anybody wants it is found out when it is
due, and nobody hears of it. Forwarding rules are at work when a message is published, not again when it is due.
"""

from typing import ClassVar, Final

from core.model.errors import Invalid
from core.model.message import Message
from core.model.properties import Headers, Value
from core.routing.binding import Binding
from core.routing.delayed import WaitingRoom, delay_ms
from core.routing.exchange import Exchange
from core.routing.exchanges.at_once import AT_ONCE
from core.routing.route import Collector
from core.routing.sink import take_all
from core.routing.site import Site

DELAYED_TYPE: Final = "x-delayed-type"


class DelayedExchange(Exchange):
    """Selects the waiting room for what has to wait, and for all else what the other type selects."""

    kind: ClassVar[str] = "x-delayed-message"

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__(name, site, arguments)
        value: Value = arguments.get(DELAYED_TYPE)
        make = AT_ONCE.get(value) if isinstance(value, str) else None
        if make is None:
            raise Invalid(f"Invalid argument, '{DELAYED_TYPE}' must be an existing exchange type")
        self._inner = make(name, site, arguments)
        self._inner.bindings = self.bindings
        self.room = ExchangeRoom(self, site)
        self._wait = [Binding(self.room, "", {})]

    def select(self, collector: Collector) -> list[Binding]:
        collector.by_message = True
        message = collector.message
        if message is not None and delay_ms(message.properties.headers):
            return self._wait
        return self._inner.select(collector)

    def added(self, binding: Binding) -> None:
        self._inner.added(binding)

    def removed(self, binding: Binding) -> None:
        self._inner.removed(binding)

    def bound(self, binding: Binding) -> None:
        self._inner.bound(binding)

    def ended(self) -> None:
        super().ended()
        self._inner.ended()
        self._site.delayed.drop(self.room)


class ExchangeRoom(WaitingRoom):
    """Where the messages of one exchange wait."""

    def __init__(self, exchange: DelayedExchange, site: Site) -> None:
        super().__init__(exchange.name, site.delayed)
        self._exchange = exchange
        self._counters = site.counters

    def lasts(self) -> bool:
        return self._exchange.durable

    def pass_on(self, message: Message) -> None:
        walk = self._exchange.walk(list(dict.fromkeys((message.address.key, *message.also_to))), message)
        sinks = walk.sinks()
        if not sinks:
            self._counters.unroutable += 1
        self._counters.work += len(sinks)
        take_all(sinks + walk.keepers, message)
