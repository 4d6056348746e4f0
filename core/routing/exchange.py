"""What all exchanges share: bindings, the walk to the sinks, and the cache of routes.

An exchange type says only which of its bindings a key selects (`select`). Routes are cached for each key and dropped
when a binding of this exchange, or of one that it leads to, changes; nothing is decided per message that can be
decided per key. What is cached is bounded for each exchange, and for all of them together.
"""

from typing import ClassVar, Final

from core.model.message import Address, Message
from core.model.properties import Headers
from core.routing.binding import Binding, Identity
from core.routing.composite import ForwardingRules
from core.routing.memory import Memory, Remembered
from core.routing.route import Collector, Route
from core.routing.sink import Sink, take_all

CACHED_KEY_LIMIT: Final = 512  # characters; longer keys (MQTT allows 65,535 bytes) are routed without being kept
OWN_ADDRESS_FACTOR: Final = 3  # bytes of memory for each character of such a key: itself, and as a protocol says it


class Exchange(Sink):
    """A named place to publish to, with bindings to queues, subscriptions and other exchanges."""

    kind: ClassVar[str] = ""

    def __init__(self, name: str, forwarding: ForwardingRules, memory: Memory) -> None:
        super().__init__()
        self.name = name
        self.durable = True
        self.auto_delete = False
        self.internal = False
        self.deleted = False
        self.arguments: Headers = {}
        self.bindings: dict[Identity, Binding] = {}
        self.cost_bytes = 0  # of what defines it; written by the virtual host
        self.upstream: dict[Exchange, int] = {}  # exchanges with bindings that lead here, and how many
        self._forwarding = forwarding
        self._counters = memory.counters
        self._remembered = Remembered(memory)
        self._routes = self._remembered.routes  # two look-ups that every message needs
        self._addresses = self._remembered.addresses

    def select(self, collector: Collector) -> list[Binding]:
        """Return the bindings that the collector's key (or message) selects."""
        raise AssertionError(f"exchange type {self.kind!r} selects nothing")

    def added(self, binding: Binding) -> None:
        """File a new binding, or raise Invalid when its arguments mean nothing to this exchange."""

    def removed(self, binding: Binding) -> None:
        """Take a binding out of where `added` filed it."""

    def only_key(self, binding: Binding) -> str | None:
        """Return the one key that can select the binding, or None when several can."""
        return None

    def bind(self, binding: Binding) -> bool:
        """Add a binding; False when an equal one exists already."""
        identity = binding.identity
        if identity in self.bindings:
            return False
        self.added(binding)
        self.bindings[identity] = binding
        sink = binding.sink
        if isinstance(sink, Exchange):
            sink.upstream[self] = sink.upstream.get(self, 0) + 1
        self.forget_routes(binding)
        return True

    def unbind(self, identity: Identity) -> bool:
        """Remove the binding with this identity; False when there is none."""
        binding = self.bindings.pop(identity, None)
        if binding is None:
            return False
        self.removed(binding)
        sink = binding.sink
        if isinstance(sink, Exchange):
            sink.upstream[self] -= 1
            if not sink.upstream[self]:
                del sink.upstream[self]
        self.forget_routes(binding)
        return True

    def forget_routes(self, changed: Binding) -> None:
        """Drop the cached routes that a change of this binding may touch, here and upstream."""
        only_key = self.only_key(changed)
        pending: list[Exchange] = [self]
        seen: set[int] = set()
        while pending:
            exchange = pending.pop()
            if id(exchange) in seen:
                continue
            seen.add(id(exchange))
            if only_key is None:
                exchange._remembered.forget_routes()
            else:
                exchange._remembered.forget_route(only_key)
            pending.extend(exchange.upstream)

    def forget_keys(self) -> None:
        """Forget all routes and addresses, because the exchange is deleted."""
        self._remembered.leave()

    def collect(self, collector: Collector) -> None:
        """Add all sinks that this exchange leads to; exchange-to-exchange bindings are followed, cycles cut."""
        pending: list[Exchange] = [self]
        while pending:
            exchange = pending.pop()
            if not collector.enter(exchange):
                continue
            bindings = exchange.select(collector)
            collector.steps += len(bindings) + 1
            for binding in bindings:
                sink = binding.sink
                if isinstance(sink, Exchange):
                    pending.append(sink)
                else:
                    collector.add(sink)

    def address(self, key: str) -> Address:
        """Return the address object for this exchange and key, the same one each time while it is cached."""
        address = self._addresses.get(key)
        if address is None:
            address = Address(self.name, key)
            if len(key) > CACHED_KEY_LIMIT:
                address.own_bytes = OWN_ADDRESS_FACTOR * len(key)
            else:
                self._remembered.keep_address(key, address)
        return address

    def route(self, message: Message) -> Route:
        """Return where the message goes from here."""
        key = message.address.key
        route = self._routes.get(key)
        if route is None:
            if len(key) > CACHED_KEY_LIMIT:
                return self._find(key, message)
            route = self._find(key, None)
            self._remembered.keep_route(key, route)
        if route.by_message:
            return self._find(key, message)
        return route

    def take(self, message: Message) -> bool:
        """Route the message; False when a sink refused it."""
        return take_all(self.route(message).sinks, message)

    def _find(self, key: str, message: Message | None) -> Route:
        collector = Collector(key, message)
        self.collect(collector)
        self._counters.work += collector.steps
        sinks = self._forwarding.extend(self.name, key, collector.sinks())
        return Route(sinks, by_message=collector.by_message)
