"""The modulus-hash exchange: the hash of the routing key, modulo the number of bindings, says which; binding keys do not.

Values move whenever a binding comes or goes; `consistent_hash` is for those who mind.
"""

from typing import ClassVar
from zlib import crc32

from core.routing.binding import Binding
from core.routing.exchanges.one_of_many import OneOfManyExchange
from core.routing.route import Collector


class ModulusHashExchange(OneOfManyExchange):
    """Selects the same binding for the same key."""

    kind: ClassVar[str] = "x-modulus-hash"

    def choose(self, collector: Collector, bindings: list[Binding]) -> Binding:
        return bindings[crc32(collector.key.encode(errors="surrogatepass")) % len(bindings)]
