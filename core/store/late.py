"""Entries that leave memory some time after they came, because the broker holds much, under rows that were kept free for them.

Nobody was promised anything of them, or has what was promised by now: they are moved then.
"""

from typing import Final

from core.queueing.entry import Entry
from core.store.batch import Batch, Run
from core.store.positions import Positions
from core.store.record import Codec
from core.store.sealing import checksum, seal_row
from core.store.shelf import Shelf


class Reservation:
    """Rows of a shelf that are kept free, once they are known."""

    def __init__(self, shelf: Shelf, rows: int) -> None:
        self.known = False
        self._shelf = shelf
        self._rows = rows  # that are still free
        self._first = 0

    def make(self) -> None:
        """Keep the rows free that are next by now."""
        self._first = self._shelf.reserve(self._rows)
        self._shelf.free_until = self._shelf.next_row
        self.known = True

    def take_last(self) -> int:
        """Give the last one away."""
        self._rows -= 1
        return self._first + self._rows


NOTHING_RESERVED: Final = Reservation(Shelf(0), 0)


class Late:
    """Those of one batch, by shelf."""

    def __init__(self) -> None:
        self._entries: dict[Shelf, list[tuple[int, Entry]]] = {}

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return not self._entries

    def add(self, shelf: Shelf, entry: Entry, row: int) -> None:
        """Take one more, for a row."""
        entries = self._entries.get(shelf)
        if entries is None:
            entries = self._entries[shelf] = []
        entries.append((row, entry))

    def shelve(
        self,
        batch: Batch,
        codec: Codec,
        positions: Positions,
        moved: dict[Entry, int],
        counted: dict[Shelf, None],
    ) -> None:
        """Give their rows to those that still wait, or are `moved` on, and add their records to the batch, which is sealed."""
        for shelf, entries in self._entries.items():
            if shelf.number not in batch.ended_queues:
                positions.look_at_limit(shelf, entries[0][1].queue)
                entries.sort(key=_row)
                new = [row for row, _ in entries if row >= shelf.free_until]
                if new:
                    shelf.begin_batch(batch.number, new[0])
                if not shelf.volatile:
                    counted[shelf] = None
                _shelve(shelf, entries, batch, codec, moved)


def _shelve(
    shelf: Shelf, entries: list[tuple[int, Entry]], batch: Batch, codec: Codec, moved: dict[Entry, int]
) -> None:
    pending = -batch.number
    run = Run(entries[0][0])
    for row, entry in entries:
        if entry.row == pending:
            entry.row = row
        elif entry in moved:
            moved[entry] = row
        else:
            continue  # it was taken meanwhile
        if row != run.first_row + len(run.records):
            if run.records:
                batch.runs.append(run)
            run = Run(row)
        via = entry.via
        content = codec.encode(entry.message, entry.expires_at, b"" if via is None else via.stored_note())
        run.records.append(seal_row(content, checksum(content), row))
        if not shelf.volatile:
            shelf.entries += 1
            shelf.bytes += len(entry.message.body)
    if run.records:
        batch.runs.append(run)


def _row(late: tuple[int, Entry]) -> int:
    return late[0]
