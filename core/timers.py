"""One heap for every deadline of the process: heartbeats, keep-alives, handshakes, expiry.

Whoever has a deadline keeps it as an attribute and may move it later at no cost: the heap holds the time at which to
look again, and a look that comes too early only files the new deadline. A deadline that moves to an earlier time must
be shown to `watch` again, and whoever ends before its deadline must be shown to `forget`, or the heap keeps it alive.
All times are monotonic seconds, except `Clock.wall`.
"""

import heapq
from typing import Final

from mypy_extensions import mypyc_attr

NEVER: Final = float("inf")
STALE_LIMIT: Final = 64  # entries of the heap that may be out of date, beside as many as are watched


class Clock:
    """The time as told from outside, once each turn."""

    def __init__(self, now: float = 0.0, wall: float = 0.0) -> None:
        self.now = now  # monotonic seconds
        self.wall = wall  # seconds since the epoch; for stamps that clients see, never for deadlines


@mypyc_attr(allow_interpreted_subclasses=True)
class Timed:
    """Something with a deadline."""

    def __init__(self) -> None:
        self.deadline = NEVER
        self.looked_at = NEVER  # when the heap will look again; written by Timers only
        self.filed = 0  # the number it is watched under; written by Timers only

    def timeout(self) -> None:
        """Act, because the deadline has passed. Sets a new deadline, or NEVER."""
        raise AssertionError(f"{type(self).__name__} has a deadline but does not say what happens then")


class Timers:
    """The deadlines of all that is watched."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int]] = []  # when to look, at what
        self._watched: dict[int, Timed] = {}
        self._filed = 0

    @property
    def count(self) -> int:
        """How many are watched."""
        return len(self._watched)

    def watch(self, timed: Timed) -> None:
        """Make sure that `timed` is looked at when its present deadline has passed."""
        deadline = timed.deadline
        if deadline < timed.looked_at:
            self._watched.pop(timed.filed, None)
            self._filed += 1
            timed.filed = self._filed
            timed.looked_at = deadline
            self._watched[timed.filed] = timed
            heapq.heappush(self._heap, (deadline, timed.filed))
            self._tidy()

    def forget(self, timed: Timed) -> None:
        """Watch `timed` no more, because it has ended."""
        if self._watched.pop(timed.filed, None) is not None:
            timed.looked_at = NEVER
            self._tidy()

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._watched) + STALE_LIMIT:
            self._heap[:] = [filed for filed in self._heap if filed[1] in self._watched]
            heapq.heapify(self._heap)

    def next_look(self) -> float:
        """Return when `due` may have something to give, in monotonic seconds, or NEVER."""
        return self._heap[0][0] if self._heap else NEVER

    def due(self) -> list[Timed]:
        """Take out what is due at the clock's time, oldest deadline first; the caller calls `timeout` and `watch`."""
        now = self.clock.now
        found: list[Timed] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            timed = self._watched.pop(heapq.heappop(heap)[1], None)
            if timed is None:
                continue  # filed again since, for an earlier time, or forgotten
            timed.looked_at = NEVER
            if timed.deadline <= now:
                found.append(timed)
            else:
                self.watch(timed)
        return found
