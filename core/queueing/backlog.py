"""The entries of a queue that wait for a consumer, and the memory that they hold.

They leave in the order in which they came. What comes back takes its old place: it is older than everything that has not
left yet, so a heap of those few in front of the line keeps the order.
"""

import heapq
from collections import deque

from core.queueing.entry import Entry
from core.queueing.usage import ENTRY_COST_BYTES, Usage


class Backlog:
    """A line of entries."""

    def __init__(self, usage: Usage) -> None:
        self.count = 0
        self.bytes = 0  # of bodies
        self.deep = False  # whether what comes now may have to leave memory before its turn comes
        self._usage = usage
        self._held_bytes = 0  # of memory
        self._fresh: deque[Entry] = deque()
        self._returned: list[tuple[int, Entry]] = []  # heap by sequence, older than all of _fresh

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that its entries take."""
        return self._held_bytes

    def add(self, entry: Entry) -> None:
        """Put a new entry at the end."""
        self._fresh.append(entry)
        self._hold(entry)

    def restore(self, entry: Entry) -> None:
        """Put an entry that was taken back to its place."""
        heapq.heappush(self._returned, (entry.sequence, entry))
        self._hold(entry)

    def _hold(self, entry: Entry) -> None:
        message = entry.message
        self.count += 1
        self.bytes += len(message.body)
        cost = message.size_bytes + ENTRY_COST_BYTES
        self._held_bytes += cost
        self._usage.held_bytes += cost

    def head(self) -> Entry:
        """Return the next entry; there must be one."""
        return self._returned[0][1] if self._returned else self._fresh[0]

    def take(self) -> Entry:
        """Take the next entry out; there must be one."""
        entry = heapq.heappop(self._returned)[1] if self._returned else self._fresh.popleft()
        self._let_go(entry)
        return entry

    def _let_go(self, entry: Entry) -> None:
        message = entry.message
        self.count -= 1
        self.bytes -= len(message.body)
        cost = message.size_bytes + ENTRY_COST_BYTES
        self._held_bytes -= cost
        self._usage.held_bytes -= cost

    def entries(self) -> list[Entry]:
        """Return everything, in order; all of it is in memory from now on."""
        return [entry for _, entry in sorted(self._returned, key=_sequence)] + list(self._fresh)

    def present(self) -> list[Entry]:
        """Return what is in memory, in order."""
        return self.entries()

    def clear(self) -> None:
        """Drop everything."""
        self._usage.held_bytes -= self._held_bytes
        self._held_bytes = 0
        self.count = 0
        self.bytes = 0
        self._fresh.clear()
        self._returned.clear()


def _sequence(returned: tuple[int, Entry]) -> int:
    return returned[0]
