"""What queues that are gone have left in the store, because it was much or they ended with an earlier process.

It is removed in parts, one in each batch. It takes nothing but time of the thread that writes, some 2 s for a million entries, and
nobody waits for it.
"""

from typing import Final

from core.store.batch import rows_of
from core.store.errors import StoreError
from core.store.journal import Journal
from core.store.reader import Reader
from core.store.shelf import Shelf

ROWS_AT_ONCE: Final = 4_096  # some 5 ms of one commit
SHELVES_AT_ONCE: Final = 50  # each of which takes a look at the store


class Leftovers:
    """Rows that are to go. Their queues have no number for others before."""

    def __init__(self, journal: Journal) -> None:
        self.reader: Reader | None = None  # of the store, once there is one
        self.rows_at_once = ROWS_AT_ONCE
        self._journal = journal
        self._waiting: list[tuple[Shelf, int]] = []  # and the first row of each
        self._batch = 0  # that has a part by now

    def add(self, number: int, first: int, last: int) -> None:
        """Have the rows of a number removed, from `first` to `last`."""
        self._waiting.append((Shelf(number, last + 1), first))

    @property
    def empty(self) -> bool:
        """Whether all is removed."""
        return not (self._waiting or self._journal.left_behind)

    def turn_ended(self) -> None:
        """Have the batch that collects remove a part; the rest follows when that one is under way."""
        journal = self._journal
        if journal.collecting == self._batch:
            return
        self._batch = journal.collecting
        self._waiting.extend([(shelf, rows_of(shelf.number)[0]) for shelf in journal.left_behind])
        journal.left_behind.clear()
        left = self.rows_at_once
        for _ in range(min(SHELVES_AT_ONCE, len(self._waiting))):
            shelf, first = self._waiting[-1]
            there = self._next_row(shelf, first)
            if there + left < shelf.next_row:
                self._waiting[-1] = shelf, there + left
                journal.forget_rows(first, there + left - 1)
                return
            self._waiting.pop()
            journal.end_volatile_shelf(shelf)
            left -= shelf.next_row - there

    def _next_row(self, shelf: Shelf, first: int) -> int:
        """Return the first row of a shelf from one on, as far as that is committed; the last when there is none."""
        if self.reader is None:
            return first
        try:
            rows = self.reader.read(first - 1, shelf.next_row - 1, 1, 1)
        except StoreError:
            return first
        return rows[0][0] if rows else shelf.next_row
