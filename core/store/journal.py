"""What the broker tells its store: collected while the broker goes on, sealed into one batch after the other.

While one batch is written, the next one collects. `promises` counts what somebody may be told of only when it is safe;
whoever is told compares it before and after, and waits for the batch of that time. What is settled before its batch is
sealed is never written. Everything of one turn is in one batch, so that a transaction and a message in several queues are all
there after a failure, or not at all.
"""

from typing import Final

from core.model.message import Message
from core.queueing.entry import Entry
from core.store.batch import Batch, Run
from core.store.record import Codec
from core.store.shelf import Shelf
from core.store.stating import Statement, Stating

# Rows of an entry, as `Entry.row` has them; every other value is where the store has it.
UNSTORED: Final = 0
PENDING: Final = -1  # in the batch that collects

BATCH_ENTRIES: Final = 8_192  # after which a turn's end begins another batch: sealing one takes some 20 ms


class Collecting:
    """A batch that is not sealed yet."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.entries: list[Entry] = []
        self.changed: dict[Stating, None] = {}
        self.statements: list[Statement] = []
        self.batch = Batch(number)


class Journal:
    """Collects what is to be stored."""

    def __init__(self, codec: Codec) -> None:
        self.promises = 0
        self.committed = 0  # number of the last batch that is on stable storage
        self.active = False  # whether there is a store; without one nothing is told to the journal
        self._next_queue_number = 1
        self._codec = codec
        self._open = Collecting(1)
        self._waiting: list[Collecting] = []  # full, to be sealed before the open one

    def begin(self, next_queue_number: int) -> None:
        """Collect from now on: there is a store, and the broker has what is in it."""
        self.active = True
        self._next_queue_number = next_queue_number

    def new_queue_number(self) -> int:
        """Return a number that no queue has had."""
        number = self._next_queue_number
        self._next_queue_number += 1
        return number

    @property
    def collecting(self) -> int:
        """The number of the batch that what happens now is part of."""
        return self._open.number

    # From queues

    def put(self, entry: Entry) -> None:
        """Store a new entry of a queue with a shelf."""
        entry.row = PENDING
        self._open.entries.append(entry)
        self.promises += 1

    def remove(self, entry: Entry) -> None:
        """Store no longer what has left its queue for good."""
        row = entry.row
        entry.row = UNSTORED
        if row > 0:
            self._open.batch.removed.append(row)

    def end_queue(self, shelf: Shelf) -> None:
        """Remove all entries of a queue that is no more."""
        self._open.batch.ended_queues.append(shelf.number)
        self.promises += 1

    # Definitions

    def define(self, kind: int, key: str, record: bytes | None) -> None:
        """Set what a key of a kind means, or with None that it means nothing any more."""
        self._open.batch.definitions.append((kind, key, record))
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

    def _close(self) -> Collecting:
        """Begin another batch; return the one that was open, with what was true at its end."""
        collected = self._open
        for stating in collected.changed:
            collected.statements.extend(stating.statements())
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
        self._shelve(collected.entries, batch)
        for statement in collected.statements:
            batch.definitions.append((statement.kind, statement.key, statement.record()))
        if batch.empty:
            self.committed = batch.number
            return None
        return batch

    def _shelve(self, entries: list[Entry], batch: Batch) -> None:
        runs: dict[int, Run] = {}
        message: Message | None = None
        expires_at = 0.0
        note = b""
        record = b""
        for entry in entries:
            shelf = entry.queue.shelf
            if entry.row != PENDING or shelf is None:
                continue
            via = entry.via
            its_note = b"" if via is None else via.stored_note()
            if (
                entry.message is not message or entry.expires_at != expires_at or its_note != note
            ):  # else it is in several queues
                message = entry.message
                expires_at = entry.expires_at
                note = its_note
                record = self._codec.encode(message, expires_at, note)
            row = entry.row = shelf.next_row
            shelf.next_row = row + 1
            run = runs.get(shelf.number)
            if run is None:
                run = runs[shelf.number] = Run(row)
                batch.runs.append(run)
            run.records.append(record)

    @property
    def idle(self) -> bool:
        """Whether the open batch holds nothing, and none waits."""
        collecting = self._open
        return not (self._waiting or collecting.entries or collecting.changed) and collecting.batch.empty
