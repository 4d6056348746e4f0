"""The windows of all queues of a broker: how much of them may be in memory, and the way to the rest.

Each has a limit of its own. When the broker as a whole holds much, every window is made smaller, some in each turn, whoever
they belong to: what is needed again is read again. Queues that are not durable get windows then, where they hold more than their
share.
"""

from typing import TYPE_CHECKING, Final

from core.queueing.leftovers import Leftovers
from core.queueing.usage import Usage
from core.store.errors import StoreError
from core.store.journal import Journal
from core.store.reader import Reader, Row
from core.store.record import Codec
from core.store.shelf import Shelf

if TYPE_CHECKING:
    from core.queueing.stock import Stock
    from core.queueing.window import Window

WINDOW_BYTES: Final = 4 << 20  # of memory for one queue, unless configured: some 6,500 small messages
PRESSURE_PARTS: Final = 2  # of the memory limit, one may be held before windows shrink; the alarm is at the whole
SHARED_PARTS: Final = 4  # of the memory limit, one is for all windows together while they are to shrink
LEAST_BYTES: Final = 16 << 10  # that a window may have however many there are
LOOKED_AT_ONCE: Final = 200  # windows that one turn shrinks
FREED_AT_ONCE_BYTES: Final = 4 << 20  # of memory, after which the rest is left to the next turn: some 2 ms

READ_ROWS: Final = 500  # that one read asks for: some 1 ms with decoding, compiled
READ_BYTES: Final = 256 << 10  # of records, after which it ends
DAMAGE_LIMIT: Final = 100  # sentences that wait to be told


class Windows:
    """What the windows share."""

    def __init__(self, usage: Usage, journal: Journal, codec: Codec) -> None:
        self.usage = usage
        self.journal = journal
        self.codec = codec
        self.window_bytes = WINDOW_BYTES
        self.read_rows = READ_ROWS
        self.reader: Reader | None = None  # of the store, once there is one
        self.over: list[Window] = []  # larger than they should be
        self.leftovers = Leftovers(journal)
        self.damage: list[str] = []  # a sentence for each thing that could not be read
        self._members: dict[Window, None] = {}
        self._plain: dict[Stock, None] = {}  # queues that are not durable and have no window
        # Those that are still to be looked at, while all are to shrink:
        self._round: list[Window] = []
        self._plain_round: list[Stock] = []
        self._large = 0  # of the plain ones, as of the last round, those that hold more than a window must have
        self._large_so_far = 0

    def add(self, window: "Window") -> None:
        """Count on a new window."""
        self._members[window] = None

    def forget(self, window: "Window") -> None:
        """Count on a window no more: its queue is gone."""
        self._members.pop(window, None)

    def watch(self, stock: "Stock") -> None:
        """Count on a queue that is not durable, and has no window."""
        self._plain[stock] = None

    def unwatch(self, stock: "Stock") -> None:
        """Count on such a queue no more: it is gone."""
        self._plain.pop(stock, None)

    def turn_ended(self) -> None:
        """Leave to the store what is over the limits and committed."""
        if self.reader is None:
            return
        if not self.leftovers.empty:
            self.leftovers.turn_ended()
        if self.over:
            over = self.over
            self.over = []
            for window in over:
                window.turn_ended()
        if self.usage.held_bytes > self.usage.limit_bytes // PRESSURE_PARTS:
            self._shrink()

    def _shrink(self) -> None:
        if not self._round and not self._plain_round:
            self._round = list(self._members)
            self._plain_round = list(self._plain)
            self._large, self._large_so_far = self._large_so_far, 0
        share = self.usage.limit_bytes // SHARED_PARTS // max(1, len(self._members) + self._large)
        keep_bytes = min(max(LEAST_BYTES, share), self.window_bytes)
        end = self.usage.held_bytes - FREED_AT_ONCE_BYTES
        for _ in range(min(LOOKED_AT_ONCE, len(self._round))):
            self._round.pop().shrink(keep_bytes)
            if self.usage.held_bytes < end:
                return
        for _ in range(min(LOOKED_AT_ONCE, len(self._plain_round))):
            self._look_at_plain(self._plain_round.pop(), keep_bytes)

    def _look_at_plain(self, stock: "Stock", keep_bytes: int) -> None:
        if stock in self._plain and self.journal.pages_out and stock.leave_memory(keep_bytes):
            del self._plain[stock]
        elif stock.backlog.held_bytes > LEAST_BYTES:
            self._large_so_far += 1

    def read(self, after: int, last: int, limit: int) -> list[Row]:
        """Read rows behind `after` up to `last`, a part of them; StoreError when they cannot be read."""
        reader = self.reader
        if reader is None:
            raise StoreError("there is no store to read from")
        return reader.read(after, last, limit, READ_BYTES)

    def set_aside(self, queue: str, shelf: Shelf, row: int, record: bytes, reason: str) -> None:
        """Have a record that cannot be read taken out of its queue, and told of."""
        self.journal.set_aside(shelf, row, record, reason)
        self.report(f"entry {row} of queue '{queue}': {reason}; it is in quarantine")

    def told(self) -> list[str]:
        """Return what was reported since the last call."""
        damage = self.damage
        if damage:
            self.damage = []
        return damage

    def report(self, what: str) -> None:
        """Have somebody told that something is damaged."""
        if len(self.damage) < DAMAGE_LIMIT:
            self.damage.append(what)
