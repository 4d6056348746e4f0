"""What all exchanges share: bindings, the alternate, the walk to the sinks, and the cache of routes.

An exchange type says only which of its bindings a key selects (`select`). Where it selects none, the message goes on to
its alternate exchange, if it has one. Routes are cached for each key and dropped when a binding or alternate of this
exchange, or of one that it leads to, changes; nothing is decided per message that can be decided per key. What is
cached is bounded for each exchange, and for all of them together.
"""

from typing import ClassVar, Final

from core.model.exchange_arguments import ALTERNATE_EXCHANGE
from core.model.message import Address, Message
from core.model.properties import Headers
from core.routing.binding import Binding, Identity
from core.routing.memory import Remembered
from core.routing.route import Collector, Route
from core.routing.sink import Sink, take_all
from core.routing.site import Site

CACHED_KEY_LIMIT: Final = 512  # characters; longer keys (MQTT allows 65,535 bytes) are routed without being kept
OWN_ADDRESS_FACTOR: Final = 3  # bytes of memory for each character of such a key: itself, and as a protocol says it


class Exchange(Sink):
    """A named place to publish to, with bindings to queues, subscriptions and other exchanges.

    The constructors of types that have arguments of their own raise Invalid when these are wrong.
    """

    kind: ClassVar[str] = ""

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__()
        self.name = name
        self.durable = True
        self.auto_delete = False
        self.internal = False
        self.deleted = False
        self.arguments = arguments
        self.bindings: dict[Identity, Binding] = {}
        self.cost_bytes = 0  # of what defines it; written by the virtual host
        self.alternate_name: str | None = arguments.get(ALTERNATE_EXCHANGE)
        self.alternate: Exchange | None = None  # while there is one of that name
        self.upstream: dict[Exchange, int] = {}  # exchanges that lead here, and by how many bindings or as alternate
        self._site = site
        self._remembered = Remembered(site.memory)
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

    def bound(self, binding: Binding) -> None:
        """Learn that a new binding is complete."""

    def bind(self, binding: Binding) -> bool:
        """Add a binding; False when an equal one exists already."""
        identity = binding.identity
        if identity in self.bindings:
            return False
        self.added(binding)
        self.bindings[identity] = binding
        sink = binding.sink
        if isinstance(sink, Exchange):
            sink.led_to_by(self)
        self._forget_routes(self.only_key(binding))
        return True

    def unbind(self, identity: Identity) -> bool:
        """Remove the binding with this identity; False when there is none."""
        binding = self.bindings.pop(identity, None)
        if binding is None:
            return False
        self.removed(binding)
        sink = binding.sink
        if isinstance(sink, Exchange):
            sink.no_more_led_to_by(self)
        self._forget_routes(self.only_key(binding))
        return True

    def lead_on(self, alternate: "Exchange | None") -> None:
        """Send what selects no binding to `alternate` from now on, or nowhere."""
        if self.alternate is alternate:
            return
        if self.alternate is not None:
            self.alternate.no_more_led_to_by(self)
        self.alternate = alternate
        if alternate is not None:
            alternate.led_to_by(self)
        self._forget_routes(None)

    def led_to_by(self, exchange: "Exchange") -> None:
        """Note that messages may come from `exchange`."""
        self.upstream[exchange] = self.upstream.get(exchange, 0) + 1

    def no_more_led_to_by(self, exchange: "Exchange") -> None:
        """Note that one way less leads here from `exchange`."""
        self.upstream[exchange] -= 1
        if not self.upstream[exchange]:
            del self.upstream[exchange]

    def _forget_routes(self, only_key: str | None) -> None:
        """Drop the cached routes that a change may touch, here and upstream: of one key, or of all."""
        if not self.upstream:
            self._remembered.forget(only_key)
            return
        pending: list[Exchange] = [self]
        seen: set[int] = set()
        while pending:
            exchange = pending.pop()
            if id(exchange) in seen:
                continue
            seen.add(id(exchange))
            exchange._remembered.forget(only_key)
            pending.extend(exchange.upstream)

    def ended(self) -> None:
        """Forget all routes and addresses, and drop the messages it holds itself, because the exchange is deleted."""
        self._remembered.leave()

    def walk(self, keys: list[str], message: Message | None) -> Collector:
        """Find all sinks that this exchange leads to; bindings to exchanges and alternates are followed, cycles cut."""
        collector = Collector(keys, message)
        pending: list[Exchange] = [self]
        while pending:
            exchange = pending.pop()
            if not collector.enter(exchange):
                continue
            bindings = exchange.select(collector)
            collector.steps += len(bindings) + 1
            if not bindings and exchange.alternate is not None:
                pending.append(exchange.alternate)
            for binding in bindings:
                sink = binding.sink
                if isinstance(sink, Exchange):
                    pending.append(sink)
                else:
                    collector.add(sink)
        self._site.counters.work += collector.steps
        return collector

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
        if message.also_to:
            return self._find_for_all_keys(message)
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
        route = self.route(message)
        return take_all(route.sinks or route.keepers, message)

    def _find(self, key: str, message: Message | None) -> Route:
        collector = self.walk([key], message)
        rules = self._site.forwarding.matching(self.name, key)
        sinks, keepers = collector.sinks(), collector.keepers
        if rules:
            sinks = [self._site.forwarding.sink(rules, sinks)]
        if sinks:
            sinks.extend(keepers)
        return Route(sinks, keepers, by_message=collector.by_message)

    def _find_for_all_keys(self, message: Message) -> Route:
        """Return where a message with carbon copies goes. Each sink gets one, and each rule forwards one.

        Keys that no forwarding rule knows are one walk, so that the alternate is only for what no key selects.
        """
        forwarding = self._site.forwarding
        keys = list(dict.fromkeys((message.address.key, *message.also_to)))
        matching = {key: forwarding.matching(self.name, key) for key in keys}
        free = [key for key in keys if not matching[key]]
        walks = [self.walk(free, message)] if free else []
        sinks = walks[0].sinks() if free else []
        keepers = list(walks[0].keepers) if free else []
        used: set[str] = set()
        for key in keys:
            rules = matching[key]
            if not rules:
                continue
            walk = self.walk([key], message)
            for earlier in walks:
                walk.leave_out(earlier)
            walks.append(walk)
            keepers.extend([keeper for keeper in walk.keepers if keeper not in keepers])
            originals = walk.sinks() if all(rule.keep for rule in rules) else []
            fresh = [rule for rule in rules if rule.name not in used]
            used.update(rule.name for rule in fresh)
            if fresh:
                sinks.append(forwarding.sink(fresh, originals))
            else:
                sinks.extend(originals)
        if sinks:
            sinks.extend(keepers)
        return Route(sinks, keepers, by_message=True)
