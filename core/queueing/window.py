"""The backlog of a durable queue: its first entries and its last ones are in memory, what is between them is in the store.

    returned   taken and given back, in memory
    fresh      the next ones, in memory
    the gap    rows of the store; of them only the count, the bytes, the first and the last are known
    tail       what came behind them, in memory as long as it is not committed

Without a gap there is no tail as a rule, and it is a backlog like any other. When it holds more memory than a window may have,
entries leave it from the front of the tail and, where all windows are to shrink, from the end of `fresh`; only those that are
committed. A range of the gap is read when `fresh` has run out, so that the next entry is always in memory. While something may
have to leave, also transient messages are stored, or those behind them would have to stay.

Rows are in the order of the line. Where all windows are to shrink, transient messages that were not stored when they came are
stored now, under rows that are kept free for them and for what is between them, which is moved. The last ones are the first, so
that the rows are in order after each batch; until they are committed they are `leaving`, between `fresh` and the gap.

A message comes back as a start would have it: with the deadline that it has by the clock on the wall, and with the note of the
way that it came in by (`Sink.stored_note`).

Only a line can have a window. Queues with priorities are wholly in memory. So is, until the queue is empty, what was looked at in
one that consumers with selectors, message groups or somebody who browses have come to: entries leave it anywhere. The window is
the rest of it then (`OrderedBacklog`).
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from core.queueing.backlog import Backlog
from core.queueing.entry import Entry
from core.queueing.notes import Notes
from core.queueing.unreadable import first_readable
from core.queueing.usage import ENTRY_COST_BYTES
from core.queueing.windows import LEAST_BYTES
from core.store.errors import Damaged, StoreError
from core.store.late import NOTHING_RESERVED, Reservation
from core.store.reader import Row
from core.store.sealing import unseal_row
from core.store.shelf import Shelf

if TYPE_CHECKING:
    from core.queueing.entry import Lender
    from core.queueing.windows import Windows

NO_ROW: Final = 0
LET_OUT_AT_ONCE: Final = 16_384  # entries of one queue that leave memory in one turn: some 3 ms

# The tail of all that are not deep: an empty one takes 600 bytes of memory, and nothing goes into this one.
NO_TAIL: Final[deque[Entry]] = deque()
NO_BATCHES: Final[deque[int]] = deque()


class Window(Backlog):
    """A line of entries of which a part is in memory."""

    def __init__(self, queue: "Lender", shelf: Shelf, windows: "Windows", notes: Notes) -> None:
        super().__init__(windows.usage)
        self._queue = queue
        self._shelf = shelf
        self._windows = windows
        self._notes = notes
        self._over = False  # whether it is to be trimmed at the end of the turn
        self._parted = False  # whether it is more than a backlog: with a tail, which may be empty, and maybe a gap
        self._tail = NO_TAIL
        self._end = self._fresh  # where new ones go
        self._leaving: deque[Entry] = NO_TAIL
        self._leaving_in: deque[int] = NO_BATCHES  # numbers of the batches that they are in
        self._left_in = 0  # number of the last such batch
        # Of `fresh`, what is to be stored under the last ones of these rows:
        self._reservation = NOTHING_RESERVED
        self._late_from = 0  # sequences
        self._late_until = 0
        self._blocked_until = 0  # sequence of an entry that is not stored and keeps those behind it in memory
        # The gap: rows behind `_after` up to `_last`. Without one these are the same.
        self._gap_count = 0
        self._gap_bytes = 0  # of bodies
        self._after = NO_ROW
        self._last = NO_ROW
        self._sequence = 0  # of its first entry
        windows.add(self)

    # The line

    def add(self, entry: Entry) -> None:
        if self.deep and entry.row == NO_ROW:  # it was published to one that somebody looks through
            self._windows.journal.page_out(entry)
        self._end.append(entry)
        self._hold(entry)
        if self._held_bytes > self._windows.window_bytes:
            self._mark()

    def _mark(self) -> None:
        """Be trimmed at the end of the turn."""
        if not self._over:
            self._over = True
            self._windows.over.append(self)

    def take(self) -> Entry:
        entry = super().take()
        if self._parted and not self._fresh:
            self._refill()
        return entry

    def present(self) -> list[Entry]:
        return [*super().entries(), *self._leaving, *self._tail]

    def entries(self) -> list[Entry]:
        self._fresh.extend(self._leaving)
        self._nothing_leaves()
        while self._after != self._last:
            self._read()
        if self._parted:
            self._fresh.extend(self._tail)
            self._join_up()
        return super().entries()

    def _take_over(self, backlog: Backlog) -> None:
        """Have what another backlog has, which is used no more."""
        self.count = backlog.count
        self.bytes = backlog.bytes
        self._held_bytes = backlog.held_bytes
        self._fresh = self._end = backlog._fresh
        self._returned = backlog._returned

    def clear(self) -> None:
        super().clear()
        self._join_up()
        self._gap_count = 0
        self._gap_bytes = 0
        self._after = self._last = NO_ROW

    def has_stored(self, row: int) -> bool:
        """Tell whether a row is one of those that are in the store only."""
        return self._after < row <= self._last

    @property
    def stored_count(self) -> int:
        """Entries that are in the store only."""
        return self._gap_count

    @property
    def stored_cost_bytes(self) -> int:
        """Bytes of memory that they would take, about."""
        return self._gap_bytes + self._gap_count * ENTRY_COST_BYTES

    def discard_stored(self) -> None:
        """Have the store forget them; `clear` is to follow."""
        if self._after != self._last:
            journal = self._windows.journal
            journal.remove_range(self._shelf, self._after + 1, self._last, self._gap_count, self._gap_bytes)

    def end(self) -> None:
        """Be no queue's any more."""
        self._windows.forget(self)

    # Out of memory

    def turn_ended(self) -> None:
        """Be trimmed, because the window was marked; below its limit, so that not every turn has something to do."""
        self._over = False
        self._trim(self._windows.window_bytes // 2)

    def _trim(self, keep_bytes: int) -> None:
        """Leave to the store what is committed and more than `keep_bytes` of memory."""
        if not self._parted:
            self._split(keep_bytes)
        tail = self._tail
        end = self._shelf.committed_before(self._windows.journal.committed)
        left = LET_OUT_AT_ONCE
        while tail and self._held_bytes > keep_bytes:
            entry = tail[0]
            left -= 1
            if not left or not NO_ROW < entry.row < end:
                self._mark()  # for the next turn, or until it is committed
                return
            tail.popleft()
            if self._after == self._last:
                self._open(entry)
            self._last = entry.row
            self._let_out(entry)

    def _part(self, tail: deque[Entry]) -> None:
        self._parted = self.deep = True
        self._tail = self._end = tail

    def _join_up(self) -> None:
        """Be a backlog like any other: all of it is in `fresh`."""
        self._parted = self.deep = False
        self._tail = NO_TAIL
        self._end = self._fresh
        self._nothing_leaves()

    def _nothing_leaves(self) -> None:
        self._leaving = NO_TAIL
        self._leaving_in = NO_BATCHES
        self._late_until = 0
        self._shelf.reserved = False

    def _split(self, keep_bytes: int) -> bool:
        """Have what is more than so many bytes of memory in the tail; False where more than a little before it is not stored."""
        fresh = self._fresh
        if not fresh or fresh[-1].row == NO_ROW or fresh[0].sequence <= self._blocked_until:
            return False  # where it is empty, all is in what was given back
        tail: deque[Entry] = deque()
        excess = self._held_bytes - keep_bytes
        while excess > 0 and len(fresh) > 1 and fresh[-1].row != NO_ROW:
            entry = fresh.pop()
            tail.appendleft(entry)
            excess -= entry.message.size_bytes + ENTRY_COST_BYTES
        for behind, entry in enumerate(reversed(fresh)):
            if entry.row == NO_ROW:
                if self._is_more(len(fresh) - behind, min(LEAST_BYTES, keep_bytes)):
                    self._blocked_until = entry.sequence  # it could not leave before those
                    fresh.extend(tail)
                    return False
                break
        if tail:
            self._part(tail)
        return self._parted

    def _is_more(self, entries: int, size_bytes: int) -> bool:
        """Tell whether so many of the next entries hold more memory than that."""
        for number, entry in enumerate(self._fresh):
            if number == entries:
                break
            size_bytes -= entry.message.size_bytes + ENTRY_COST_BYTES
            if size_bytes < 0:
                return True
        return False

    def shrink(self, keep_bytes: int) -> None:
        """Leave to the store what is committed and more than `keep_bytes`, what is next too; one entry stays.

        What is not stored is from now on.
        """
        if self._held_bytes <= keep_bytes:
            return
        if not self._parted and not self._split(keep_bytes) and self._windows.journal.pages_out:
            self._be_late()
        self._store_late()
        self._trim(keep_bytes)
        committed = self._windows.journal.committed
        leaving, leaving_in = self._leaving, self._leaving_in
        while leaving and self._held_bytes > keep_bytes and leaving_in[-1] <= committed:
            leaving_in.pop()
            self._let_out_first(leaving.pop())
        if leaving or self._left_in > committed:
            return  # rows of what is moved may be between
        fresh = self._fresh
        end = self._shelf.committed_before(committed)
        for _ in range(min(len(fresh) - 1, LET_OUT_AT_ONCE)):
            if self._held_bytes <= keep_bytes or not NO_ROW < fresh[-1].row < end or self._is_late(fresh[-1]):
                return
            self._let_out_first(fresh.pop())

    def _let_out_first(self, entry: Entry) -> None:
        """Have the gap begin with an entry that was before it."""
        if self._after == self._last:
            self._last = entry.row
        self._open(entry)
        self._let_out(entry)

    def _be_late(self) -> None:
        """Have rows kept free for what is in memory, from the first that is not stored on; what comes gets rows behind them."""
        fresh = self._fresh
        stored = 0
        for entry in fresh:
            if entry.row == NO_ROW:
                self._late_from = entry.sequence
                break
            stored += 1
        self._blocked_until = 0
        if stored == len(fresh):
            return
        self._late_until = fresh[-1].sequence
        self._reservation = self._reserve(len(fresh) - stored)
        self._shelf.reserved = True
        self._part(deque())
        self._leaving = deque()
        self._leaving_in = deque()

    def _reserve(self, rows: int) -> Reservation:
        return self._windows.journal.reserve(self._shelf, rows)

    def _is_late(self, entry: Entry) -> bool:
        return self._late_from <= entry.sequence <= self._late_until

    def _store_late(self) -> None:
        """Have a part of what is late leave, as far as there is room in the batch."""
        fresh = self._fresh
        journal = self._windows.journal
        if not self._reservation.known:
            return
        while len(fresh) > 1 and self._is_late(fresh[-1]) and journal.may_page_out():
            entry = fresh.pop()
            self._late_until = entry.sequence - 1
            journal.page_out_late(self._shelf, entry, self._reservation.take_last())
            self._left_in = journal.collecting
            self._leaving.appendleft(entry)
            self._leaving_in.appendleft(self._left_in)

    def _open(self, entry: Entry) -> None:
        """Have the gap begin with an entry."""
        self._after = entry.row - 1
        self._sequence = entry.sequence

    def _let_out(self, entry: Entry) -> None:
        cost = entry.message.size_bytes + ENTRY_COST_BYTES
        self._held_bytes -= cost
        self._usage.held_bytes -= cost
        self._gap_count += 1
        self._gap_bytes += len(entry.message.body)

    # Into memory

    def extend(self, after: int, last: int, entries: int, size_bytes: int, sequence: int) -> None:
        """Learn at the start what the store has behind the row `after`, and behind all that is here; read what comes first."""
        self._after = after
        self._last = last
        self._gap_count = entries
        self._gap_bytes = size_bytes
        self._sequence = sequence
        self.count += entries
        self.bytes += size_bytes
        if not self._parted:
            self._part(deque())
        while not self._fresh and self._after != self._last:
            self._read(1)
        if not self._fresh:
            self._join()

    def _refill(self) -> None:
        if self._leaving:
            self._fresh = self._leaving
            self._nothing_leaves()
        while not self._fresh and self._after != self._last:
            self._read()
        if not self._fresh:
            self._join()

    def _join(self) -> None:
        """Go on with the tail: the gap is closed, and `fresh` is empty."""
        self._fresh = self._tail
        self._join_up()

    def _read(self, limit: int = 0) -> None:
        """Read the next part of the gap, or close it when nothing is left."""
        windows = self._windows
        limit = limit or windows.read_rows
        try:
            rows = windows.read(self._after, self._last, limit)
        except StoreError as error:
            rows = self._read_behind(error)
        if not rows:
            self._after = self._last
        for row, record in rows:
            self._after = row
            self._gap_count -= 1
            try:
                content = unseal_row(record, row)
                message = windows.codec.decode(content)
                via = self._notes.way_of(windows.codec.note_of(content))
            except Damaged as damage:
                self.count -= 1
                windows.set_aside(self._queue.name, self._shelf, row, record, str(damage))
                continue
            entry = Entry(self._queue, message, self._sequence, via)
            self._sequence += 1
            entry.row = row
            entry.redelivered = self._shelf.may_have_been_delivered(row)
            cost = message.size_bytes + ENTRY_COST_BYTES
            self._held_bytes += cost
            self._usage.held_bytes += cost
            self._gap_bytes -= len(message.body)
            self._fresh.append(entry)
        if self._after == self._last or self._gap_count < 0:
            self._correct()

    def _correct(self) -> None:
        """Count only what was found, at the end of the gap, or where there is more than was counted."""
        missing = self._gap_count
        self.count -= missing
        self._gap_count = 0
        if missing:
            self._windows.report(
                f"queue '{self._queue.name}' has {abs(missing)} entries {'fewer' if missing > 0 else 'more'} than were counted"
            )
        if self._after == self._last:
            self.bytes -= self._gap_bytes
            self._gap_bytes = 0
            self._after = self._last = NO_ROW

    def _read_behind(self, error: StoreError) -> list[Row]:
        """Find the first row that can be read behind some that cannot. Those stay where they are; nobody gets them now."""
        rows = first_readable(self._windows, self._after, self._last)
        last = rows[0][0] - 1 if rows else self._last
        self._windows.report(
            f"entries {self._after + 1} to {last} of queue '{self._queue.name}': {error};"
            " they stay in the store and are not delivered"
        )
        return rows
