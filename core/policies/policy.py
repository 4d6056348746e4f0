"""A policy: what it sets, for which names and kinds of things, and with which rank among others (RabbitMQ "Policies").

It does not change; a policy that is set anew is another one. What is written in it was checked (`core.policies.checking`).
"""

from collections.abc import Callable
from typing import Final

from core.access import NamePattern
from core.model.properties import Headers, cost_of

PatternCompiler = Callable[[str], NamePattern]  # ValueError says what is wrong with the text

# What a policy may be for, a bit each.
EXCHANGES: Final = 1
CLASSIC_QUEUES: Final = 2
QUORUM_QUEUES: Final = 4

SCOPES: Final[dict[str, int]] = {
    "all": EXCHANGES | CLASSIC_QUEUES | QUORUM_QUEUES,
    "exchanges": EXCHANGES,
    "queues": CLASSIC_QUEUES | QUORUM_QUEUES,
    "classic_queues": CLASSIC_QUEUES,
    "quorum_queues": QUORUM_QUEUES,
}

POLICY_COST_BYTES: Final = 4_096  # of memory, for one without its texts
PATTERN_COST_FACTOR: Final = 16  # bytes for each character of a compiled pattern


def no_patterns(text: str) -> NamePattern:
    """Compile nothing: whoever has policies says how (`core.broker.Broker`)."""
    raise ValueError(f"{text!r} cannot be compiled: this broker has no patterns")


class Policy:
    """What is set for the things of one virtual host that its pattern is found in the names of."""

    def __init__(
        self,
        name: str,
        pattern: str,
        compiled: NamePattern,
        apply_to: str,
        priority: int,
        definition: Headers,
        *,
        operator: bool = False,
    ) -> None:
        self.name = name
        self.pattern = pattern
        self.apply_to = apply_to
        self.priority = priority
        self.definition = definition
        self.operator = operator  # whether it is one that bounds what the other policies and the clients ask for
        self._compiled = compiled
        self._scope = SCOPES[apply_to]

    @property
    def rank(self) -> tuple[int, str]:
        """Sort by this, and of several that cover a thing the first one applies: equal priorities go by name."""
        return -self.priority, self.name

    @property
    def cost_bytes(self) -> int:
        """Bytes of memory, about."""
        return POLICY_COST_BYTES + PATTERN_COST_FACTOR * len(self.pattern) + cost_of([self.name, self.definition])

    def covers(self, kind: int, name: str) -> bool:
        """Tell whether it is for a thing of a kind (a bit of SCOPES) and name."""
        return bool(self._scope & kind) and self._compiled.matches(name)
