"""The backlog of a queue that is not durable, while the broker holds much: a window like a durable queue's, on a shelf that ends with it.

Such a queue is wholly in memory until all windows are to shrink. What it has then goes to the store, in parts, and what comes
later behind that; nothing is written before, nor when all that was written is taken. When the queue is empty it is a backlog as
it was, and its number is free.

What is taken is done with here, whatever becomes of it: its row is forgotten at once, and removed together with others.
"""

from typing import TYPE_CHECKING

from core.queueing.backlog import Backlog
from core.queueing.entry import Entry
from core.queueing.notes import NO_NOTES
from core.queueing.window import NO_ROW, Window
from core.store.late import Reservation
from core.store.shelf import Shelf

if TYPE_CHECKING:
    from core.queueing.stock import Stock
    from core.queueing.windows import Windows


class VolatileWindow(Window):
    """A line of entries of which a part is in memory, and none outlives the process."""

    def __init__(self, stock: "Stock", shelf: Shelf, windows: "Windows", backlog: Backlog) -> None:
        super().__init__(stock, shelf, windows, NO_NOTES)
        self._stock = stock
        self._first_row = shelf.next_row  # of those that are to be removed
        self._taken_until = NO_ROW
        self._ended = False
        self._take_over(backlog)

    def add(self, entry: Entry) -> None:
        if self.deep:
            shelf = self._shelf
            self._windows.journal.page_out_late(shelf, entry, shelf.reserve(1))
        super().add(entry)

    def take(self) -> Entry:
        entry = super().take()
        row = entry.row
        if row != NO_ROW:
            if row > NO_ROW:
                self._taken_until = row
            entry.row = NO_ROW  # one that has none yet gets none
        if not self.count:
            self._mark()
        return entry

    def clear(self) -> None:
        for entry in self.present():
            entry.row = NO_ROW
        super().clear()
        self._taken_until = self._shelf.next_row - 1
        self._mark()

    def discard_stored(self) -> None:
        """Do nothing: what is cleared counts as taken."""

    def turn_ended(self) -> None:
        if self._ended:
            return
        if self.count:
            super().turn_ended()
        else:
            self.end()
            self._stock.come_back_to_memory()

    def end(self) -> None:
        super().end()
        self._ended = True
        journal = self._windows.journal
        if self._shelf.next_row - self._first_row < journal.many:
            journal.end_volatile_shelf(self._shelf)
        else:
            journal.left_behind.append(self._shelf)

    def _reserve(self, rows: int) -> Reservation:
        reservation = Reservation(self._shelf, rows)
        reservation.make()  # nobody else puts anything on the shelf
        return reservation

    def _read(self, limit: int = 0) -> None:
        self._remove_taken()
        super()._read(limit)

    def _remove_taken(self) -> None:
        """Have the store forget the rows of what was taken."""
        if self._taken_until >= self._first_row:
            self._windows.journal.forget_rows(self._first_row, self._taken_until)
            self._first_row = self._taken_until + 1
