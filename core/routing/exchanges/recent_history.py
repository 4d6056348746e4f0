"""The recent-history exchange: every binding, whatever the key, and the last messages for those who are bound later.

`x-recent-history-length` says how many. What is bound, a queue or another exchange, gets them at once, the oldest first.
"""

from typing import ClassVar, Final

from core.model.errors import Invalid
from core.model.exchange_arguments import in_erlang
from core.model.properties import Headers, Value
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.history import History
from core.routing.route import Collector
from core.routing.site import Site

LENGTH: Final = "x-recent-history-length"
USUAL_LENGTH: Final = 20  # the plugin's


class RecentHistoryExchange(Exchange):
    """Selects all bindings, and keeps a copy itself."""

    kind: ClassVar[str] = "x-recent-history"

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__(name, site, arguments)
        self._history = History(_length(arguments), site.clock, site.room)

    def select(self, collector: Collector) -> list[Binding]:
        collector.keepers.append(self._history)
        return list(self.bindings.values())

    def bound(self, binding: Binding) -> None:
        self._history.replay(binding.sink)

    def ended(self) -> None:
        super().ended()
        self._history.clear()


def _length(arguments: Headers) -> int:
    if LENGTH not in arguments:
        return USUAL_LENGTH
    value: Value = arguments[LENGTH]
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise Invalid(f"Invalid argument {in_erlang(value)}, '{LENGTH}' must be a positive integer")
