"""Where the entries of a durable queue are in the store, and how many they are.

The count and the bytes are written by each commit that changes them, so that a start need not look at the entries to know them.
"""

import struct
from typing import Final

from core.store.batch import rows_of
from core.store.errors import Damaged
from core.store.sealing import seal, unseal

_TALLY: Final = struct.Struct(">qq")


class Shelf:
    """The rows of one durable queue."""

    def __init__(self, number: int, next_row: int = 0) -> None:
        self.number = number
        self.next_row = next_row or rows_of(number)[0] + 1
        # What the store has once all that was sealed is committed; written by the journal.
        self.entries = 0
        self.bytes = 0  # of bodies
        # What has left in the batch that collects; written by the journal.
        self.gone_entries = 0
        self.gone_bytes = 0
        # What an earlier process may have delivered.
        self.redelivered_until = 0  # all rows up to this one
        self.seen: set[int] = set()  # and these
        self._batch = 0  # number of the last one that has rows of this shelf
        self.volatile = False  # whether it ends with the process, and is not counted
        self.reserved = False  # whether rows are kept free; written by the queue's window
        self.free_until = 0  # the first row behind those that were
        # Where the positions begin; somebody may still remove rows before that, of a queue that had the number before.
        self._first_row = self.next_row
        self._first_of_batch = self.next_row

    def begin_batch(self, number: int, row: int) -> None:
        """Learn that rows from one on are in a batch; those of batches before are committed by now. Kept ones do not count."""
        self._first_of_batch = min(row, self._first_of_batch) if number == self._batch else row
        self._batch = number

    def reserve(self, rows: int) -> int:
        """Keep so many rows free; return the first."""
        first = self.next_row
        self.next_row = first + rows
        return first

    def is_settled(self, committed: int) -> bool:
        """Tell whether all of its rows are on stable storage, once the batch `committed` is, and none is kept free."""
        return not self.reserved and self._batch <= committed

    def begin_anew(self) -> None:
        """Give rows from the first one on again: there is none, nobody has one in memory, and none is to be removed."""
        self.next_row = self._first_of_batch = self._first_row
        self.free_until = 0
        self.redelivered_until = 0
        self.seen.clear()

    def committed_before(self, committed: int) -> int:
        """Return the first row that is not on stable storage, once the batch `committed` is."""
        return self.next_row if self._batch <= committed else self._first_of_batch

    def may_have_been_delivered(self, row: int) -> bool:
        """Tell whether an earlier process may have delivered what is in a row."""
        return row <= self.redelivered_until or row in self.seen

    def tally(self) -> bytes | None:
        """Return the record of how much there is; None when there is nothing."""
        if self.entries <= 0:
            self.bytes = 0  # of what could not be read, nobody knows the size
            return None
        return seal(_TALLY.pack(self.entries, self.bytes), _place_of(self.number))


def tally_of(number: int, record: bytes) -> tuple[int, int]:
    """Return what was counted for a queue: entries, and bytes of bodies; or raise Damaged."""
    content = unseal(record, _place_of(number))
    if len(content) != _TALLY.size:
        raise Damaged(f"{len(content)} bytes are no count")
    entries, size_bytes = _TALLY.unpack(content)
    return entries, size_bytes


def _place_of(number: int) -> bytes:
    return b"tally %d" % number
