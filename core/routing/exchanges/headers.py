"""The headers exchange: the header table of the message against the arguments of the binding (AMQP 0-9-1 §3.1.3.4).

`x-match` is `all` (default), `any`, `all-with-x` or `any-with-x`; with the first two, arguments whose name begins
with `x-` do not take part. An argument without a value asks only that the header is there. Values are compared as in
RabbitMQ: numbers of all widths, fractions and timestamps by their number, text and octets by their octets; a boolean,
a decimal and what is in a list or table equals only its own kind.
"""

from decimal import Decimal
from typing import ClassVar, Final

from core.model.arguments import type_name
from core.model.errors import Invalid
from core.model.exchange_arguments import in_erlang
from core.model.properties import Headers, Timestamp, Value
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.route import Collector
from core.routing.site import Site

MODES: Final = ("all", "any", "all-with-x", "any-with-x")


class Terms:
    """The arguments of one binding, looked at once: what a message must say to be selected."""

    def __init__(self, arguments: Headers) -> None:
        mode = arguments.get("x-match", "all")
        with_x = mode in {"all-with-x", "any-with-x"}
        self.all = mode in {"all", "all-with-x"}
        self.asked: list[tuple[str, Value]] = [
            (name, _plain(value))
            for name, value in arguments.items()
            if name != "x-match" and (with_x or not name.startswith("x-"))
        ]

    def met_by(self, headers: Headers) -> bool:
        """Tell whether a message with these headers is selected."""
        for name, value in self.asked:
            if (name in headers and (value is None or _same(_plain(headers[name]), value))) != self.all:
                return not self.all
        return self.all


class HeadersExchange(Exchange):
    """Selects bindings by looking at each message."""

    kind: ClassVar[str] = "headers"

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__(name, site, arguments)
        self._terms: dict[Binding, Terms] = {}

    def select(self, collector: Collector) -> list[Binding]:
        collector.by_message = True
        message = collector.message
        if message is None:
            return []
        headers = message.properties.headers
        collector.steps += len(self._terms)
        return [binding for binding, terms in self._terms.items() if terms.met_by(headers)]

    def added(self, binding: Binding) -> None:
        check_arguments(binding.arguments)
        self._terms[binding] = Terms(binding.arguments)

    def removed(self, binding: Binding) -> None:
        del self._terms[binding]


def check_arguments(arguments: Headers) -> None:
    """Refuse an `x-match` that means nothing."""
    mode = arguments.get("x-match", "all")
    if not isinstance(mode, str):
        raise Invalid(f"Invalid x-match field type {type_name(mode)} (value {in_erlang(mode)}); expected longstr")
    if mode not in MODES:
        raise Invalid(f"Invalid x-match field value {in_erlang(mode)}; expected all, any, all-with-x, or any-with-x")


def matches(arguments: Headers, headers: Headers) -> bool:
    """Tell whether a message with `headers` satisfies the `arguments` of a binding."""
    return Terms(arguments).met_by(headers)


def _plain(value: Value) -> Value:
    """Return a value without the type of its field, where RabbitMQ does not look at that either."""
    if isinstance(value, Timestamp):
        return value.seconds
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def _same(found: Value, asked: Value) -> bool:
    """Compare two plain values."""
    if isinstance(asked, str):
        return isinstance(found, str) and found == asked
    if isinstance(asked, bool) or isinstance(found, bool):
        return found is asked
    if isinstance(asked, (list, dict)):
        return type(found) is type(asked) and repr(found) == repr(asked)
    if isinstance(asked, Decimal) or isinstance(found, Decimal):
        return isinstance(found, Decimal) and isinstance(asked, Decimal) and found == asked
    return bool(found == asked)
