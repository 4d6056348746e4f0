"""What a queue has more than its limits admit, where that is much at once: it is given up over some turns.

A limit becomes smaller by a policy, or many small messages make room for a large one.
"""

from typing import TYPE_CHECKING, Final

from core.timers import NEVER, Timed, Timers

if TYPE_CHECKING:
    from core.queueing.stock import Stock

DROPPED_AT_ONCE: Final = 1_000  # entries of one queue: some 3 ms where they become dead letters


class Excess(Timed):
    """Goes on with one queue in the next turn."""

    def __init__(self, queue: "Stock", timers: Timers) -> None:
        super().__init__()
        self._queue = queue
        self._timers = timers

    def later(self) -> None:
        """Look again in the next turn."""
        self.deadline = self._timers.clock.now
        self._timers.watch(self)

    def timeout(self) -> None:
        self.deadline = NEVER
        self._queue.keep_limits()
