"""The outcome of routing one key: the sinks that take a copy each, found once and kept until a binding changes."""

from core.model.message import Message
from core.routing.sink import Sink


class Route:
    """Where the messages of one key go.

    `keepers` have a copy too, but nobody wanted the message because of them: they are among the sinks when there are
    sinks, and here when there are none. `by_message`: some exchange on the way looks at the message itself (or at
    nothing, and chooses), so that the sinks must be found anew for each.
    """

    def __init__(self, sinks: list[Sink], keepers: list[Sink], *, by_message: bool = False) -> None:
        self.sinks = sinks
        self.keepers = keepers
        self.by_message = by_message


class Collector:
    """Gathers the sinks of one walk over the routing graph: each exchange once, each group of sinks once.

    `keys` are all that select bindings: the message's own, and those of its carbon copies.
    """

    def __init__(self, keys: list[str], message: Message | None) -> None:
        self.keys = keys
        self.message = message
        self.by_message = False
        self.steps = 0  # what the walk has cost
        self.keepers: list[Sink] = []
        self._visited: set[int] = set()
        self._groups: dict[object, dict[Sink, None]] = {}  # as ordered sets: one session may match a thousand times

    @property
    def key(self) -> str:
        """The message's own key."""
        return self.keys[0]

    def enter(self, exchange: Sink) -> bool:
        """Return False when the walk has been at this exchange, so that cycles of bindings end."""
        if id(exchange) in self._visited:
            return False
        self._visited.add(id(exchange))
        return True

    def add(self, sink: Sink) -> None:
        """Note that a binding leads to `sink`."""
        group = sink.group
        self._groups.setdefault(group if group is not None else sink, {})[sink] = None

    def leave_out(self, earlier: "Collector") -> None:
        """Forget the groups of sinks that an earlier walk has found, and find them no more."""
        for group in earlier._groups:
            self._groups.pop(group, None)

    def sinks(self) -> list[Sink]:
        """Return one sink for each group."""
        found: list[Sink] = []
        for group in self._groups.values():
            members = list(group)
            found.append(members[0].merged(members[1:]) if len(members) > 1 else members[0])
        return found
