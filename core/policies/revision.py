"""The look at everything that a change of policies may concern: at once, or over some turns where that is much.

After one change, only what that change can concern is matched again: what the new policy outranks, and what had the old one. A change
while a look is under way has it begin anew, and match everything.
"""

from collections.abc import Callable, Iterator
from typing import Final

from core.policies.policy import Policy
from core.routing.sink import Sink
from core.timers import NEVER, Timed, Timers

STEPS_AT_ONCE: Final = 2_000  # things looked at, patterns matched and entries dropped in one turn: some 5 ms

Revise = Callable[[Sink, "Change | None"], int]  # returns how many steps that took
Everything = Callable[[], list[Sink]]


class Change:
    """What happened to one policy: it is new, another one, or no more."""

    def __init__(self, *, operator: bool, old: Policy | None, new: Policy | None) -> None:
        self.operator = operator
        self.old = old
        self.new = new


class Revision(Timed):
    """Looks at all queues and exchanges of one virtual host."""

    def __init__(self, timers: Timers, everything: Everything, revise: Revise) -> None:
        super().__init__()
        self._timers = timers
        self._everything = everything
        self._revise = revise
        self._left: Iterator[Sink] | None = None  # what is still to be looked at, while a look is under way
        self._change: Change | None = None  # the one that it is about, if that is one

    @property
    def under_way(self) -> bool:
        """Whether something is still to be looked at."""
        return self._left is not None

    def begin(self, change: Change | None) -> None:
        """Look at everything, as far as one turn goes; the rest follows."""
        self._change = None if self.under_way else change
        self._left = iter(self._everything())
        self._go_on(STEPS_AT_ONCE)
        if self.under_way:
            self.deadline = self._timers.clock.now
            self._timers.watch(self)

    def finish(self) -> None:
        """Look at all that is left, however long that takes: nobody is connected yet."""
        while self.under_way:
            self._go_on(STEPS_AT_ONCE)

    def timeout(self) -> None:
        self._go_on(STEPS_AT_ONCE)
        self.deadline = self._timers.clock.now if self.under_way else NEVER

    def _go_on(self, steps: int) -> None:
        left = self._left
        if left is None:
            return
        for sink in left:
            steps -= 1 + self._revise(sink, self._change)
            if steps <= 0:
                return
        self._left = None
