"""The headers exchange: the header table of the message against the arguments of the binding (AMQP 0-9-1 §3.1.3.4).

`x-match` is `all` (default), `any`, `all-with-x` or `any-with-x`; with the first two, arguments whose name begins
with `x-` do not take part. An argument without a value asks only that the header is there. A value equals only one of
its own type, as in RabbitMQ: the boolean `true` is not the number 1.
"""

from typing import ClassVar, Final

from core.model.errors import Invalid
from core.model.properties import Headers, Value
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.route import Collector

MODES: Final = ("all", "any", "all-with-x", "any-with-x")


class HeadersExchange(Exchange):
    """Selects bindings by looking at each message."""

    kind: ClassVar[str] = "headers"

    def select(self, collector: Collector) -> list[Binding]:
        collector.by_message = True
        message = collector.message
        if message is None:
            return []
        headers = message.properties.headers
        collector.steps += len(self.bindings)
        return [binding for binding in self.bindings.values() if matches(binding.arguments, headers)]

    def added(self, binding: Binding) -> None:
        check_arguments(binding.arguments)


def check_arguments(arguments: Headers) -> None:
    """Refuse an `x-match` that means nothing."""
    mode = arguments.get("x-match", "all")
    if mode not in MODES:  # a tuple: the value may be a table, which has no hash
        raise Invalid(f"Invalid x-match field value '{mode}'; expected all, any, all-with-x, or any-with-x")


def matches(arguments: Headers, headers: Headers) -> bool:
    """Tell whether a message with `headers` satisfies the `arguments` of a binding."""
    mode = arguments.get("x-match", "all")
    with_x = mode in {"all-with-x", "any-with-x"}
    compared = [
        name in headers and (value is None or _same(headers[name], value))
        for name, value in arguments.items()
        if name != "x-match" and (with_x or not name.startswith("x-"))
    ]
    return all(compared) if mode in {"all", "all-with-x"} else any(compared)


def _same(found: Value, asked: Value) -> bool:
    return type(found) is type(asked) and bool(found == asked)
