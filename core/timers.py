"""One heap for every deadline of the process: heartbeats, keep-alives, handshakes, expiry.

Whoever has a deadline keeps it as an attribute and may move it later at no cost: the heap holds the time at which to
look again, and a look that comes too early only files the new deadline. A deadline that moves to an earlier time must
be shown to `watch` again. All times are monotonic seconds, except `Clock.wall`.
"""

import heapq
from typing import Final

from mypy_extensions import mypyc_attr

NEVER: Final = float("inf")


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

    def timeout(self) -> None:
        """Act, because the deadline has passed. Sets a new deadline, or NEVER."""
        raise AssertionError(f"{type(self).__name__} has a deadline but does not say what happens then")


class Timers:
    """The deadlines of all that is watched."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Timed]] = []
        self._filed = 0  # breaks ties, so that Timed objects are never compared

    def watch(self, timed: Timed) -> None:
        """Make sure that `timed` is looked at when its present deadline has passed."""
        deadline = timed.deadline
        if deadline < timed.looked_at:
            timed.looked_at = deadline
            self._filed += 1
            heapq.heappush(self._heap, (deadline, self._filed, timed))

    def next_look(self) -> float:
        """Return when `run` has something to do, in monotonic seconds, or NEVER."""
        return self._heap[0][0] if self._heap else NEVER

    def due(self) -> list[Timed]:
        """Take out what is due at the clock's time, oldest deadline first; the caller calls `timeout` and `watch`."""
        now = self.clock.now
        found: list[Timed] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            filed_at, _, timed = heapq.heappop(heap)
            if filed_at != timed.looked_at:
                continue  # filed again since, for an earlier time
            timed.looked_at = NEVER
            if timed.deadline <= now:
                found.append(timed)
            else:
                self.watch(timed)
        return found
