"""The consistent-hash exchange: one binding for each value, each by its weight, and few values move when one goes.

What is hashed is the routing key, or the header or property that the exchange's arguments name; a message without it
counts as one with an empty value. The binding key is the weight, a number from 1. Each binding draws a number for the
value, pressed towards the best by its weight, and the best wins (rendezvous hashing): shares are exact, a binding that
goes leaves all other values where they are, and the outcome depends on the names of queues and on nothing that
happened before. A sink that is bound several times counts with its oldest binding.
"""

from math import log
from typing import ClassVar, Final
from zlib import crc32

from core.model.errors import Invalid
from core.model.exchange_arguments import in_erlang
from core.model.message import Message
from core.model.properties import Headers, Value
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.route import Collector
from core.routing.sink import Sink
from core.routing.site import Site

HASH_HEADER: Final = "hash-header"
HASH_PROPERTY: Final = "hash-property"
PROPERTIES: Final = ("correlation_id", "message_id", "timestamp")
WEIGHT_DIGITS_LIMIT: Final = 9
WINNERS_LIMIT: Final = 4_096  # values of a header or property that an exchange remembers the winner of
VALUE_LIMIT: Final = 256  # characters; longer values are hashed without being kept

_MASK: Final = 0xFFFF_FFFF
_FIRST_FACTOR: Final = 0x2C1B_3C6D  # of a mixer of 32 bits; products stay below 2**62, where compiled code is fast
_SECOND_FACTOR: Final = 0x297A_2D39
_SPAN: Final = 4_294_967_296.0


class Contender:
    """A sink that may win a value, with the bindings that lead to it, the oldest first."""

    def __init__(self, binding: Binding, seed: int) -> None:
        self.bindings: list[Binding] = [binding]
        self.seed = seed
        self.weight = float(binding.key)

    def draw(self, hashed: int) -> int:
        """Return what this sink draws for a hashed value, in 32 bits; among sinks of one weight, the greatest wins."""
        return mixed(hashed ^ self.seed)

    def pressed(self, drawn: int) -> float:
        """Return what its weight makes of it; the smallest wins."""
        return -log((drawn + 1) / _SPAN) / self.weight


class ConsistentHashExchange(Exchange):
    """Selects the binding that wins the value."""

    kind: ClassVar[str] = "x-consistent-hash"

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__(name, site, arguments)
        header, named = arguments.get(HASH_HEADER), arguments.get(HASH_PROPERTY)
        if header is not None and named is not None:
            raise Invalid(f"{HASH_HEADER} and {HASH_PROPERTY} are mutually exclusive")
        if header is not None and not isinstance(header, str):
            raise Invalid(f"Invalid argument {in_erlang(header)}, '{HASH_HEADER}' must be the name of a header")
        if named is not None and named not in PROPERTIES:
            raise Invalid(f"Unsupported property: {named}")
        self._header: str | None = header
        self._property: str | None = named
        self._contenders: dict[Sink, Contender] = {}
        self._winners: dict[str, Binding] = {}
        self._alike: bool | None = None  # whether all weights are the same, until a binding changes
        self._nameless = 0  # sinks without a name that were bound so far

    def select(self, collector: Collector) -> list[Binding]:
        value = collector.key
        if self._header is not None or self._property is not None:
            collector.by_message = True
            if collector.message is None:
                return []
            value = self._value(collector.message)
        if not self._contenders:
            return []
        winner = self._winners.get(value)
        if winner is None:
            winner = self._winner(value)
            collector.steps += len(self._contenders)
            if collector.by_message and len(value) <= VALUE_LIMIT:
                if len(self._winners) >= WINNERS_LIMIT:
                    self._winners.clear()
                self._winners[value] = winner
        return [winner]

    def _value(self, message: Message) -> str:
        properties = message.properties
        value: Value
        if self._header is not None:
            value = properties.headers.get(self._header)
        elif self._property == "message_id":
            value = properties.message_id
        elif self._property == "correlation_id":
            value = properties.correlation_id
        else:
            value = properties.timestamp_s
        if isinstance(value, str):
            return value
        return "" if value is None else f"{type(value).__name__} {value!r}"

    def _winner(self, value: str) -> Binding:
        hashed = crc32(value.encode(errors="surrogatepass"))
        winner: Contender | None = None
        if self._weights_alike():
            most = -1
            for contender in self._contenders.values():
                drawn = contender.draw(hashed)
                if drawn > most:
                    most = drawn
                    winner = contender
        else:
            least = float("inf")
            for contender in self._contenders.values():
                pressed = contender.pressed(contender.draw(hashed))
                if pressed < least:
                    least = pressed
                    winner = contender
        assert winner is not None
        return winner.bindings[0]

    def _weights_alike(self) -> bool:
        """Tell whether weights need not be looked at, which is true of most exchanges and saves most of the work."""
        alike = self._alike
        if alike is None:
            alike = self._alike = len({contender.weight for contender in self._contenders.values()}) == 1
        return alike

    def added(self, binding: Binding) -> None:
        check_weight(binding.key)
        contender = self._contenders.get(binding.sink)
        if contender is not None:
            contender.bindings.append(binding)
        else:
            name = binding.sink.name
            if not name:
                self._nameless += 1
                name = f"\0{self._nameless}"
            self._contenders[binding.sink] = Contender(binding, mixed(crc32(name.encode())))
        self._changed()

    def removed(self, binding: Binding) -> None:
        contender = self._contenders[binding.sink]
        contender.bindings.remove(binding)
        if contender.bindings:
            contender.weight = float(contender.bindings[0].key)
        else:
            del self._contenders[binding.sink]
        self._changed()

    def _changed(self) -> None:
        self._alike = None
        self._winners.clear()


def check_weight(key: str) -> None:
    """Refuse a binding key that is not a weight."""
    digits = key[1:] if key[:1] in {"+", "-"} else key
    if not (digits.isascii() and digits.isdecimal()):
        raise Invalid(f"The binding key must be an integer: {in_erlang(key)}")
    if key.startswith("-") or not digits.strip("0"):
        raise Invalid("The binding key must be greater than 0")
    if len(digits.lstrip("0")) > WEIGHT_DIGITS_LIMIT:
        raise Invalid(f"The binding key must have no more than {WEIGHT_DIGITS_LIMIT} digits")


def mixed(number: int) -> int:
    """Return 32 bits that each depend on all 32 bits of `number`."""
    number = (number ^ number >> 16) * _FIRST_FACTOR & _MASK
    number = (number ^ number >> 12) * _SECOND_FACTOR & _MASK
    return number ^ number >> 15
