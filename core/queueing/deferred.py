"""Entries that come back to their queue later (STOMP NACK with a delay).

They are neither ready nor lent meanwhile, and no consumer can end them; so they count as messages that are kept
(`core.queueing.usage`), and where there is no room for one more it comes back at once. An entry that expires comes back
when it does, to be given up. A store knows nothing of the delay: after a stop what is durable is ready at once.
"""

import heapq
from typing import TYPE_CHECKING, Final

from core.queueing.entry import Entry
from core.queueing.usage import ENTRY_COST_BYTES, Usage
from core.timers import NEVER, Timed, Timers

if TYPE_CHECKING:
    from core.queueing.queue import Queue

REQUEUE_DELAY_LIMIT_S: Final = 24 * 3_600.0  # a longer delay is cut to it
BACK_AT_ONCE: Final = 1_000  # entries in one go, so that connections have their turn in between


class Deferred(Timed):
    """The entries of one queue that wait, by the time at which they come back."""

    def __init__(self, queue: "Queue", timers: Timers, usage: Usage) -> None:
        super().__init__()
        self._queue = queue
        self._timers = timers
        self._usage = usage
        self._held_bytes = 0  # of memory
        self._waiting: list[tuple[float, int, Entry]] = []  # heap: when, sequence, entry

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def hold(self, entry: Entry, delay_s: float) -> bool:
        """Keep an entry that nobody holds; False when there is no room for it."""
        size = entry.message.size_bytes + ENTRY_COST_BYTES
        if not self._usage.hold_kept(size):
            return False
        self._held_bytes += size
        due = self._timers.clock.now + min(delay_s, REQUEUE_DELAY_LIMIT_S)
        if entry.expires_at != 0.0:
            due = min(due, entry.expires_at)
        heapq.heappush(self._waiting, (due, entry.sequence, entry))
        self._watch()
        return True

    def _watch(self) -> None:
        self.deadline = self._waiting[0][0] if self._waiting else NEVER
        self._timers.watch(self)

    def timeout(self) -> None:
        """Give back what is due."""
        now = self._timers.clock.now
        waiting = self._waiting
        for _ in range(BACK_AT_ONCE):
            if not waiting or waiting[0][0] > now:
                break
            entry = heapq.heappop(waiting)[2]
            size = entry.message.size_bytes + ENTRY_COST_BYTES
            self._held_bytes -= size
            self._usage.release_kept(size)
            self._queue.come_back(entry)
        self.deadline = waiting[0][0] if waiting else NEVER

    def entries(self) -> list[Entry]:
        """Return all entries, in no order."""
        return [entry for _, _, entry in self._waiting]

    def clear(self) -> int:
        """Drop everything and return how many there were."""
        count = len(self._waiting)
        self._waiting.clear()
        self._usage.release_kept(self._held_bytes)
        self._held_bytes = 0
        self.deadline = NEVER
        self._timers.forget(self)
        return count
