"""The backlog of a durable queue: its first entries and its last ones are in memory, what is between them is in the store.

    returned   taken and given back, in memory
    fresh      the next ones, in memory
    the gap    rows of the store; of them only the count, the bytes, the first and the last are known
    tail       what came behind them, in memory as long as it is not committed

Without a gap there is no tail, and it is a backlog like any other. When it holds more memory than a window may have, entries leave
it from the front of the tail and, where all windows are to shrink, from the end of `fresh`; only those that are committed. A range
of the gap is read when `fresh` has run out, so that the next entry is always in memory. While something may have to leave, also
transient messages are stored, or those behind them would have to stay.

A message comes back as a start would have it: with the deadline that it has by the clock on the wall, and with the note of the
way that it came in by (`Sink.stored_note`).

Only a line can have a window. Queues with priorities are wholly in memory. So is, until the queue is empty, what was looked at in
one that consumers with selectors, message groups or somebody who browses have come to: entries leave it anywhere. The window is
the rest of it then (`OrderedBacklog`).
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from core.queueing.backlog import Backlog
from core.queueing.entry import Entry
from core.queueing.usage import ENTRY_COST_BYTES
from core.routing.sink import Sink
from core.store.errors import Damaged, StoreError
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


@mypyc_attr(allow_interpreted_subclasses=True)
class Notes:
    """Finds out by which way an entry came in, from what was stored of it. This one: nobody needs to know."""

    def way_of(self, note: bytes) -> Sink | None:
        """Return the way that a note speaks of, or raise Damaged."""
        return None


class Window(Backlog):
    """A line of entries of which a part is in memory."""

    def __init__(self, queue: "Lender", shelf: Shelf, windows: "Windows", notes: Notes) -> None:
        super().__init__(windows.usage)
        self._queue = queue
        self._shelf = shelf
        self._windows = windows
        self._notes = notes
        self._over = False  # whether it is to be trimmed at the end of the turn
        self._tail = NO_TAIL
        # The gap: rows behind `_after` up to `_last`. Without one these are the same.
        self._gap_count = 0
        self._gap_bytes = 0  # of bodies
        self._after = NO_ROW
        self._last = NO_ROW
        self._sequence = 0  # of its first entry
        windows.add(self)

    # The line

    def add(self, entry: Entry) -> None:
        if self.deep:
            self._tail.append(entry)
        else:
            self._fresh.append(entry)
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
        if self.deep and not self._fresh:
            self._refill()
        return entry

    def present(self) -> list[Entry]:
        return [*super().entries(), *self._tail]

    def entries(self) -> list[Entry]:
        while self._after != self._last:
            self._read()
        if self.deep:
            self._join()
        return super().entries()

    def clear(self) -> None:
        super().clear()
        self._tail = NO_TAIL
        self._gap_count = 0
        self._gap_bytes = 0
        self._after = self._last = NO_ROW
        self.deep = False

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

    # Out of memory

    def turn_ended(self) -> None:
        """Be trimmed, because the window was marked; below its limit, so that not every turn has something to do."""
        self._over = False
        self._trim(self._windows.window_bytes // 2)

    def _trim(self, keep_bytes: int) -> None:
        """Leave to the store what is committed and more than `keep_bytes` of memory."""
        if not self.deep:
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

    def _go_deep(self) -> None:
        if not self.deep:
            self.deep = True
            self._tail = deque()

    def _split(self, keep_bytes: int) -> None:
        """Have what is more than so many bytes of memory in the tail, as far as it is to be stored."""
        fresh = self._fresh
        if not fresh:
            return  # it is all in what was given back
        self._go_deep()
        tail = self._tail
        excess = self._held_bytes - keep_bytes
        while excess > 0 and len(fresh) > 1:
            entry = fresh[-1]
            if entry.row == NO_ROW:
                break
            tail.appendleft(fresh.pop())
            excess -= entry.message.size_bytes + ENTRY_COST_BYTES

    def shrink(self, keep_bytes: int) -> None:
        """Leave to the store what is committed and more than `keep_bytes`, what is next too; one entry stays."""
        if self._held_bytes <= keep_bytes:
            return
        self._trim(keep_bytes)
        fresh = self._fresh
        end = self._shelf.committed_before(self._windows.journal.committed)
        while len(fresh) > 1 and self._held_bytes > keep_bytes and NO_ROW < fresh[-1].row < end:
            entry = fresh.pop()
            if self._after == self._last:
                self._last = entry.row
            self._open(entry)
            self._let_out(entry)

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
        self._go_deep()
        while not self._fresh and self._after != self._last:
            self._read(1)
        if not self._fresh:
            self._join()

    def _refill(self) -> None:
        while not self._fresh and self._after != self._last:
            self._read()
        if not self._fresh:
            self._join()

    def _join(self) -> None:
        """Go on with the tail: the gap is closed."""
        self._fresh.extend(self._tail)
        self._tail = NO_TAIL
        self.deep = False

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

    # Damage

    def _read_behind(self, error: StoreError) -> list[Row]:
        """Find the first row that can be read behind some that cannot. Those stay where they are; nobody gets them now."""
        first = self._after + 1
        unreadable, step = first, 1
        rows: list[Row] = []
        while not rows and unreadable < self._last:
            behind = min(unreadable + step, self._last)
            rows = self._rows_from(behind)
            if not rows:
                unreadable = behind
                step *= 2
        readable = rows[0][0] if rows else 0
        while readable - unreadable > 1:
            middle = (unreadable + readable) // 2
            found = self._rows_from(middle)
            if found:
                rows = found
                readable = middle
            else:
                unreadable = middle
        last = rows[0][0] - 1 if rows else self._last
        self._windows.report(
            f"entries {first} to {last} of queue '{self._queue.name}': {error}; they stay in the store and are not delivered"
        )
        return rows

    def _rows_from(self, row: int) -> list[Row]:
        """Return the first row from one on, or nothing where it cannot be read."""
        try:
            return self._windows.read(row - 1, self._last, 1)
        except StoreError:
            return []
