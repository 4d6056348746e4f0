"""A binding: from an exchange, under a key or pattern and arguments, to a sink."""

from core.model.properties import Headers
from core.routing.pattern import Pattern
from core.routing.sink import Sink

Identity = tuple[int, str, str]  # the sink's id, the key, the arguments as text


class Binding:
    """An edge of the routing graph. Equal bindings are one binding (AMQP 0-9-1 §1.7.2.2)."""

    def __init__(self, sink: Sink, key: str, arguments: Headers, pattern: Pattern | None = None) -> None:
        self.sink = sink
        self.key = key
        self.arguments = arguments
        self.pattern = pattern  # as the protocol parsed it; None: `key` is in the syntax of the exchange

    @property
    def identity(self) -> Identity:
        """What tells this binding from others of the same exchange."""
        return (id(self.sink), self.key, repr(sorted(self.arguments.items())) if self.arguments else "")
