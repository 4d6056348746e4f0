"""The numbers of queues in a store. Each is one queue's at a time; what is free again is given again.

A queue that gets the number of another goes on behind the rows of that one: what somebody still has of them is removed by row.
"""

from collections import deque
from typing import Final

from core.model.errors import Limit
from core.store.batch import POSITION_LIMIT, QUEUE_NUMBER_LIMIT, rows_of
from core.store.shelf import Shelf

REUSE_LIMIT: Final = POSITION_LIMIT // 2  # positions used up, from which on a number rests until the next start


class QueueNumbers:
    """Which numbers are in use."""

    def __init__(self) -> None:
        self.limit = QUEUE_NUMBER_LIMIT
        self.reuse_limit = REUSE_LIMIT
        self._next = 1  # none from here on has been given in this process
        self._taken: set[int] = set()  # of these, what was in use at the start
        self._free: deque[tuple[int, int, int]] = deque()  # number, its next row, and the batch that removes its rows

    def begin(self, taken: set[int]) -> None:
        """Learn which numbers are in use."""
        self._taken = set(taken)

    def check(self, batch: int) -> None:
        """Raise Limit when there is no number for a queue that begins while `batch` collects."""
        if not self._has_free(batch) and not self._has_new():
            raise Limit(f"the store has {self.limit - 1} durable queues and sessions, and no number for another")

    def new_shelf(self, batch: int) -> Shelf:
        """Return the shelf of a queue that begins while `batch` collects, or raise Limit."""
        self.check(batch)
        if self._has_free(batch):
            number, next_row, _ = self._free.popleft()
            return Shelf(number, next_row)
        number = self._next
        self._next = number + 1
        return Shelf(number)

    def give_back(self, shelf: Shelf, batch: int) -> None:
        """Have a number be free for queues of later batches than the one that removes its rows."""
        if shelf.next_row - rows_of(shelf.number)[0] < self.reuse_limit:
            self._free.append((shelf.number, shelf.next_row, batch))

    def _has_free(self, batch: int) -> bool:
        return bool(self._free) and self._free[0][2] < batch

    def _has_new(self) -> bool:
        while self._next in self._taken:
            self._taken.discard(self._next)
            self._next += 1
        return self._next < self.limit
