"""The positions that a queue has for its entries in the store, and what happens when they are used up.

A row is the number of a queue and a position in it. Positions are given one after the other and not again, so that rows are in the
order of the queue; a million messages a second use them up in twelve days. From half of them on a queue begins anew where
none of its rows is there any more; one that is never empty refuses messages at the limit, until it is. What was taken by
then has positions still: there are more of them behind the limit than the memory has room for entries.
"""

from typing import TYPE_CHECKING, Final

from core.store.batch import POSITION_LIMIT, rows_of
from core.store.reader import Reader
from core.store.shelf import Shelf

if TYPE_CHECKING:
    from core.queueing.entry import Lender

# For what was taken and is not sealed when the limit is reached: 800 GB of entries without messages.
RESERVED: Final = 1 << 32


class Positions:
    """How many there are for each queue."""

    def __init__(self) -> None:
        self.limit = POSITION_LIMIT - RESERVED
        self.reader: Reader | None = None  # of the store, once there is one

    def are_used_up(self, shelf: Shelf) -> bool:
        """Tell whether the next entry would have a position at the limit, or behind it."""
        return shelf.next_row - rows_of(shelf.number)[0] >= self.limit

    def look(self, shelf: Shelf, queue: "Lender", committed: int) -> None:
        """Have a shelf begin anew or its queue refuse messages, if it is time, before it gets rows of another batch."""
        if shelf.next_row - rows_of(shelf.number)[0] >= self.limit // 2 and not self.begin_anew(shelf, committed):
            self.look_at_limit(shelf, queue)

    def look_at_limit(self, shelf: Shelf, queue: "Lender") -> None:
        """Have a queue refuse messages if its positions are used up."""
        if self.are_used_up(shelf):
            queue.run_out()

    def begin_anew(self, shelf: Shelf, committed: int) -> bool:
        """Give a shelf all its positions again, if the batch `committed` has left no row of it; return whether that is so."""
        if shelf.entries or not shelf.is_settled(committed) or self.reader is None:
            return False
        first, end = rows_of(shelf.number)
        if self.reader.read(first - 1, end - 1, 1, 1):
            return False  # what cannot be read, or is not removed yet
        shelf.begin_anew()
        return True
