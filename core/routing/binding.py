"""A binding: from an exchange, under a key or pattern and arguments, to a sink."""

from typing import Final

from core.model.properties import Headers, cost_of
from core.routing.pattern import Pattern
from core.routing.sink import Sink

COST_BYTES: Final = 1_024  # of memory, for one binding beside its key and arguments
LEVEL_COST_BYTES: Final = 512  # for one level of its pattern, which no other binding need share

Identity = tuple[int, str, str]  # the sink's id, the key, the arguments as text


class Binding:
    """An edge of the routing graph. Equal bindings are one binding (AMQP 0-9-1 §1.7.2.2)."""

    def __init__(self, sink: Sink, key: str, arguments: Headers, pattern: Pattern | None = None) -> None:
        self.sink = sink
        self.key = key
        self.arguments = arguments
        self.pattern = pattern  # as the protocol parsed it; None: `key` is in the syntax of the exchange
        self.cost_bytes = COST_BYTES + 4 * len(key) + LEVEL_COST_BYTES * key.count(".")
        if arguments:
            self.cost_bytes += cost_of(arguments)

    @property
    def identity(self) -> Identity:
        """What tells this binding from others of the same exchange."""
        return (id(self.sink), self.key, repr(sorted(self.arguments.items())) if self.arguments else "")
