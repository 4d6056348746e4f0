"""What the broker tells its store: collected while the broker goes on, sealed into one batch after the other.

While one batch is written, the next one collects. `promises` counts what somebody may be told of only when it is safe;
whoever is told compares it before and after, and waits for the batch of that time. What is settled before its batch is
sealed is never written. Everything of one turn is in one batch, so that a transaction and a message in several queues are all
there after a failure, or not at all.

A batch is full before it is sealed where there is too much for one, or where consumers are about to settle what is in it. What
leaves its queue in between may be somewhere else in the next batch (a dead letter, a transaction), so it is written and removed by
that one; unless it is `settled`, by which its life ends.
"""

from typing import Final

from core.model.message import Message
from core.queueing.entry import Entry
from core.queueing.usage import ENTRY_COST_BYTES
from core.store.batch import Batch, Run
from core.store.kinds import VOLATILE, key_of
from core.store.late import Late, Reservation
from core.store.numbers import QueueNumbers
from core.store.positions import Positions
from core.store.record import Codec
from core.store.sealing import NOWHERE, checksum, place_of, seal, seal_row
from core.store.shelf import Shelf
from core.store.stating import Statement, Stating
from core.store.values import dump

# The row of an entry, as `Entry.row` has it, when the store does not have it. Less is the number of the batch that it is to be
# written in, with the sign turned; more is where the store has it.
UNSTORED: Final = 0

BATCH_ENTRIES: Final = 8_192  # after which a turn's end begins another batch: sealing one takes some 20 ms
# Of memory that leaves in one batch because the broker holds much: some 4,000 messages.
PAGED_AT_ONCE_BYTES: Final = 2 << 20

MANY: Final = 16_384  # entries; to remove so many takes a commit some 25 ms

# Of a message in several queues. A larger one is sealed for its row in the first of them and, once for all others, for no row
# in particular: a copy of it for each queue could fill the memory.
COPIED_BYTES: Final = 4_096


class Collecting:
    """A batch that is not sealed yet."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.entries: list[Entry] = []
        self.late = Late()
        self.reservations: list[tuple[int, Reservation]] = []  # and behind how many entries
        self.paged_bytes = 0  # of memory that what nobody was promised holds
        self.moved: list[Entry] = []  # of batches that were full and not sealed, out of their queues by this one
        self.ended_entries = 0  # of queues that are gone
        self.expected = False  # whether somebody may settle entries of it at once
        self.changed: dict[Stating, None] = {}
        self.statements: list[Statement] = []
        self.touched: list[Shelf] = []  # from which something has left
        self.gone: list[tuple[Shelf, int, int]] = []  # how much that was, entries and bytes, once the batch is full
        self.batch = Batch(number)


class Journal:
    """Collects what is to be stored."""

    def __init__(self, codec: Codec) -> None:
        self.promises = 0
        self.committed = 0  # number of the last batch that is on stable storage
        self.paged_at_once_bytes = PAGED_AT_ONCE_BYTES
        self.pages_out = True  # whether the disk has room for what need not be there; written by the broker
        self.active = False  # whether there is a store; without one nothing is told to the journal
        self.numbers = QueueNumbers()
        self.positions = Positions()
        self.many = MANY
        self.left_behind: list[Shelf] = []  # of queues that are gone and had many entries
        self._codec = codec
        self._open = Collecting(1)
        self._waiting: list[Collecting] = []  # full, to be sealed before the open one
        self._moved: dict[Entry, int] = {}  # of all that are not sealed; their rows, once they have one

    def begin(self, taken: set[int]) -> None:
        """Collect from now on: there is a store with these numbers of queues in use, and the broker has what is in it."""
        self.active = True
        self.numbers.begin(taken)

    def check_room(self) -> None:
        """Raise Limit when `new_shelf` would."""
        self.numbers.check(self._open.number)

    def new_shelf(self) -> Shelf:
        """Return a place for the entries of a new queue, or raise Limit."""
        return self.numbers.new_shelf(self._open.number)

    @property
    def collecting(self) -> int:
        """The number of the batch that what happens now is part of."""
        return self._open.number

    # From queues

    def put(self, entry: Entry) -> None:
        """Store a new entry of a queue with a shelf."""
        collecting = self._open
        entry.row = -collecting.number
        collecting.entries.append(entry)
        self.promises += 1

    def remove(self, entry: Entry) -> None:
        """Store no longer what has left its queue for good."""
        row = entry.row
        entry.row = UNSTORED
        if row > 0:
            self._open.batch.removed.append(row)
            shelf = entry.queue.shelf
            if shelf is not None:
                self._count_out(shelf, 1, len(entry.message.body))
        elif row != UNSTORED and row != -self._open.number:
            self._moved[entry] = UNSTORED
            self._open.moved.append(entry)

    def settled(self, entry: Entry) -> None:
        """Learn that a consumer is done with an entry and that nothing else comes of it: what is not sealed need not be stored."""
        if entry.row < UNSTORED:
            entry.row = UNSTORED

    def expect_settlements(self) -> None:
        """Learn that entries of the open batch are on their way to somebody who may settle them at once."""
        self._open.expected = True

    def page_out(self, entry: Entry) -> None:
        """Store a new entry of a queue with a shelf that nobody was promised anything of, so that it need not stay in memory."""
        collecting = self._open
        entry.row = -collecting.number
        collecting.entries.append(entry)
        collecting.paged_bytes += entry.message.size_bytes + ENTRY_COST_BYTES

    def reserve(self, shelf: Shelf, rows: int) -> Reservation:
        """Have so many rows of a shelf kept free, behind those of all that was put by now."""
        reservation = Reservation(shelf, rows)
        collecting = self._open
        if collecting.entries or self._waiting:
            collecting.reservations.append((len(collecting.entries), reservation))
        else:
            reservation.make()
        return reservation

    def page_out_late(self, shelf: Shelf, entry: Entry, row: int) -> None:
        """Store an entry that was new some time ago under a row that was kept free for it, and not where it is by now."""
        self.remove(entry)
        collecting = self._open
        entry.row = -collecting.number
        collecting.late.add(shelf, entry, row)
        collecting.paged_bytes += entry.message.size_bytes + ENTRY_COST_BYTES

    def may_page_out(self) -> bool:
        """Tell whether there is room for what was new some time ago; in the batch that collects, too, or it takes long to seal."""
        return self.pages_out and self._open.paged_bytes < self.paged_at_once_bytes and not self._waiting

    # For queues that end with the process

    def new_volatile_shelf(self, name: str) -> Shelf:
        """Return a place for what such a queue leaves to the store, or raise Limit."""
        shelf = self.new_shelf()
        shelf.volatile = True
        _define(self._open.batch, VOLATILE, key_of("", str(shelf.number)), dump([name]))
        return shelf

    def forget_rows(self, first: int, last: int) -> None:
        """Remove rows of such a shelf, from `first` to `last`."""
        self._open.batch.removed_ranges.append((first, last))

    def end_volatile_shelf(self, shelf: Shelf) -> None:
        """Remove all of such a shelf."""
        batch = self._open.batch
        batch.ended_queues.append(shelf.number)
        _define(batch, VOLATILE, key_of("", str(shelf.number)), None)
        self.numbers.give_back(shelf, self._open.number)

    def remove_range(self, shelf: Shelf, first: int, last: int, entries: int, size_bytes: int) -> None:
        """Remove committed rows of a shelf that nobody has in memory, from `first` to `last`; so many entries they are."""
        self._open.batch.removed_ranges.append((first, last))
        self._count_out(shelf, entries, size_bytes)

    def set_aside(self, shelf: Shelf, row: int, record: bytes, reason: str) -> None:
        """Take a record that cannot be read out of its queue."""
        self._open.batch.set_aside.append((row, record, reason))
        self._count_out(shelf, 1, 0)

    def set_definition_aside(self, kind: int, key: str, record: bytes, reason: str) -> None:
        """Take a record that cannot be read out of the definitions."""
        self._open.batch.definitions_set_aside.append((kind, key, record, reason))

    def count_anew(self, shelf: Shelf) -> None:
        """Store how much a queue has, because what the store says of it is wrong."""
        self._open.touched.append(shelf)

    def forget_count(self, number: int) -> None:
        """Store no longer how much a queue has that there is not."""
        self._open.batch.tallies.append((number, None))

    def _count_out(self, shelf: Shelf, entries: int, size_bytes: int) -> None:
        if not shelf.gone_entries:
            self._open.touched.append(shelf)
        shelf.gone_entries += entries
        shelf.gone_bytes += size_bytes

    def begin_anew(self, shelf: Shelf) -> bool:
        """Give a shelf all its positions again, if none is in use; return whether that is so."""
        return self.positions.begin_anew(shelf, self.committed)

    def end_queue(self, shelf: Shelf, name: str) -> None:
        """Remove all entries of a queue that is no more; where they are many, in parts and by and by (`core.queueing.leftovers`)."""
        batch = self._open.batch
        self._open.ended_entries += shelf.entries
        if self._open.ended_entries < self.many:
            batch.ended_queues.append(shelf.number)
            self.numbers.give_back(shelf, self._open.number)
        else:
            _define(batch, VOLATILE, key_of("", str(shelf.number)), dump([f"{name}, which is gone"]))
            self.left_behind.append(shelf)
        self.promises += 1

    def has_many_and_only(self, shelf: Shelf, entries: int) -> bool:
        """Tell whether these are all that the store has of a shelf, and many, and nothing is to be written to it by now."""
        if entries < self.many or self._waiting or shelf.reserved:
            return False
        return shelf.entries - shelf.gone_entries == entries

    # Definitions

    def define(self, kind: int, key: str, content: bytes | None) -> None:
        """Set what a key of a kind means, or with None that it means nothing any more."""
        _define(self._open.batch, kind, key, content)
        self.promises += 1

    def changed(self, stating: Stating, *, promised: bool) -> None:
        """Have `stating` say, when this batch is full, what has changed."""
        self._open.changed[stating] = None
        if promised:
            self.promises += 1

    # To the store

    def end_turn(self) -> None:
        """Begin another batch when this one is large. Called between turns only."""
        if len(self._open.entries) >= BATCH_ENTRIES:
            self._waiting.append(self._close())

    def wait_for_settlements(self) -> bool:
        """Have the batch wait for the end of another turn, where it may shrink by then; return whether it does.

        It is full: if what comes until then were part of it, some of that would always be too young to be settled.
        """
        collecting = self._open
        if self._waiting or not collecting.expected or not collecting.entries:
            return False
        self._waiting.append(self._close())
        return True

    def _close(self) -> Collecting:
        """Begin another batch; return the one that was open, with what was true at its end."""
        collected = self._open
        for stating in collected.changed:
            collected.statements.extend(stating.statements())
        for shelf in collected.touched:
            collected.gone.append((shelf, shelf.gone_entries, shelf.gone_bytes))
            shelf.gone_entries = 0
            shelf.gone_bytes = 0
        self._open = Collecting(collected.number + 1)
        return collected

    def seal(self) -> Batch | None:
        """Return the next batch to commit, or None when it has nothing to write and so is committed already.

        Everything sealed before is committed: one batch is under way at a time.
        """
        if self._waiting:
            collected = self._waiting.pop(0)
        else:
            collected = self._close()
        batch = collected.batch
        counted: dict[Shelf, None] = {}
        for shelf, entries, size_bytes in collected.gone:
            shelf.entries -= entries
            shelf.bytes -= size_bytes
            counted[shelf] = None
        done = 0
        for end, reservation in collected.reservations:
            self._shelve(collected.entries[done:end], batch, counted)
            reservation.make()
            done = end
        self._shelve(collected.entries[done:] if done else collected.entries, batch, counted)
        collected.late.shelve(batch, self._codec, self.positions, self._moved, counted)
        self._remove_moved(collected.moved, batch, counted)
        for waiting in self._waiting:
            for statement in waiting.statements:
                statement.learn_rows()
        for shelf in counted:
            if shelf.number not in batch.ended_queues:
                batch.tallies.append((shelf.number, shelf.tally()))
        for statement in collected.statements:
            content = statement.content()
            standing = statement.standing
            if standing is not None:
                if content is None and not standing.stored:
                    continue  # all that it speaks of was settled in time
                standing.stored = content is not None
            _define(batch, statement.kind, statement.key, content)
        if batch.empty:
            self.committed = batch.number
            return None
        return batch

    def _shelve(self, entries: list[Entry], batch: Batch, counted: dict[Shelf, None]) -> None:
        runs: dict[int, Run] = {}
        message: Message | None = None
        expires_at = 0.0
        note = b""
        content = b""
        its_checksum = 0
        shared = b""
        pending = -batch.number
        moved = self._moved
        for entry in entries:
            if entry.row != pending and (not moved or entry not in moved):
                continue
            shelf = entry.queue.shelf
            if shelf is None:
                continue
            via = entry.via
            its_note = b"" if via is None else via.stored_note()
            if (
                entry.message is not message or entry.expires_at != expires_at or its_note != note
            ):  # else it is in several queues
                message = entry.message
                expires_at = entry.expires_at
                note = its_note
                content = self._codec.encode(message, expires_at, note)
                its_checksum = checksum(content)
                shared = b""
            elif len(content) > COPIED_BYTES and not shared:
                shared = seal(content, NOWHERE)
            run = runs.get(shelf.number)
            if run is None:
                self.positions.look(shelf, entry.queue, self.committed)
                run = runs[shelf.number] = Run(shelf.next_row)
                batch.runs.append(run)
                shelf.begin_batch(batch.number, shelf.next_row)
                counted[shelf] = None
            row = shelf.next_row
            if entry.row == pending:
                entry.row = row
            else:
                moved[entry] = row
            shelf.next_row = row + 1
            shelf.entries += 1
            shelf.bytes += len(entry.message.body)
            run.records.append(shared or seal_row(content, its_checksum, row))

    def _remove_moved(self, entries: list[Entry], batch: Batch, counted: dict[Shelf, None]) -> None:
        for entry in entries:
            row = self._moved.pop(entry)
            shelf = entry.queue.shelf
            if row and shelf is not None:
                batch.removed.append(row)
                shelf.entries -= 1
                shelf.bytes -= len(entry.message.body)
                counted[shelf] = None

    @property
    def idle(self) -> bool:
        """Whether the open batch holds nothing, and none waits."""
        collecting = self._open
        return (
            not (self._waiting or collecting.entries or collecting.changed or collecting.moved or collecting.touched)
            and collecting.late.empty
            and collecting.batch.empty
        )


def _define(batch: Batch, kind: int, key: str, content: bytes | None) -> None:
    batch.definitions.append((kind, key, None if content is None else seal(content, place_of(kind, key))))
