"""The entries of queues at a start: how many there are is known from a definition, and they come when they are needed.

Only the first of a queue is read, so that what expires is given up in time, and what must be there at once: what a session has
under way, and all of a queue that has no window (`core.queueing.window`). Where a count is missing or damaged, the entries are
counted.
"""

from typing import Final

from core.broker import Broker
from core.model.message import Message
from core.queueing.queue import Queue
from core.queueing.session import Session
from core.store.batch import QUEUE_SHIFT, rows_of
from core.store.errors import Damaged
from core.store.interface import Store
from core.store.sealing import SEAL_BYTES, unseal_row
from core.store.shelf import Shelf, tally_of
from core.store.stating import lines_of

ROWS_AT_ONCE: Final = 1_000  # records read by one statement

# States of a line of `kinds.SEEN`, as the store has them.
SEEN_ROW: Final = 0  # may have been delivered before the stop
SEEN_UNTIL: Final = 1  # and all of the queue's rows before it


class Claims:
    """Takes back entries of a queue that somebody may have under way."""

    def last_in_flight(self) -> int:
        """Return the last row that somebody has; 0 when nobody has any."""
        raise AssertionError(f"{type(self).__name__} does not say what is under way")

    def restore_entry(self, message: Message, row: int, note: bytes, *, redelivered: bool) -> None:
        """Take back an entry, behind those that came before, or raise Damaged."""
        raise AssertionError(f"{type(self).__name__} does not take an entry back")


class OfSession(Claims):
    """The entries of a session's own queue."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def last_in_flight(self) -> int:
        return self._session.last_in_flight()

    def restore_entry(self, message: Message, row: int, note: bytes, *, redelivered: bool) -> None:
        self._session.restore_entry(message, row, note, redelivered=redelivered)


class Refilling:
    """Gives queues their entries. `damage` collects a sentence for each thing that is damaged."""

    def __init__(self, broker: Broker, store: Store, damage: list[str]) -> None:
        self.entries = 0  # how many were found
        self.taken: set[int] = set()  # numbers of queues that nobody else may get
        self.clean = True
        self.volatile: list[int] = []  # numbers of queues that ended with an earlier process
        self._store = store
        self._damage = damage
        self._surroundings = broker.surroundings
        self._surroundings.windows.reader = store.reader()
        self._surroundings.journal.positions.reader = self._surroundings.windows.reader
        self._surroundings.windows.leftovers.reader = self._surroundings.windows.reader
        self._known: set[int] = set()  # numbers of queues
        self._tallies = dict(store.tallies())  # by number of queue
        self._seen: dict[int, set[int]] = {}  # rows, by number of queue
        self._seen_until: dict[int, int] = {}

    def see(self, content: bytes) -> None:
        """Learn what was delivered before an orderly stop, or raise Damaged."""
        for _, state, row in lines_of(content):
            number = row >> QUEUE_SHIFT
            if state == SEEN_UNTIL:
                self._seen_until[number] = row
            else:
                self._seen.setdefault(number, set()).add(row)

    def reserve(self, number: int) -> None:
        """Have a number be nobody else's: it is of a queue whose definition stays in the store and was not made again."""
        self._known.add(number)
        self.taken.add(number)

    def fill(self, queue: Queue, shelf: Shelf, claims: Claims | None) -> None:
        """Give a queue its entries back, in order; to `claims` those that somebody may have under way."""
        number = shelf.number
        self.reserve(number)
        if queue.shelf is None:
            queue.keep_on(shelf)
        last = self._store.last_row(number)
        if not last:
            if self._tallies.pop(number, None) is not None:
                self._damage.append(f"queue '{queue.name}' has a count, but no entries; the count is removed")
                self._surroundings.journal.count_anew(shelf)
            return
        shelf.next_row = last + 1
        self._surroundings.journal.positions.look_at_limit(shelf, queue)
        shelf.redelivered_until = min(self._seen_until.get(number, 0), last) if self.clean else last
        shelf.seen = {row for row in self._seen.pop(number, set()) if row <= last}
        shelf.entries, shelf.bytes = entries, size_bytes = self._counted(shelf)
        self.entries += entries
        after = rows_of(number)[0] - 1
        if queue.window is None or claims is not None:
            until = last if queue.window is None or claims is None else claims.last_in_flight()
            while rows := self._surroundings.windows.read(after, until, ROWS_AT_ONCE):
                for row, record in rows:
                    after = row
                    entries -= 1
                    size_bytes -= self._restore(queue, shelf, claims, row, record)
        if queue.window is not None and after < last:
            queue.recover_rest(after, last, entries, size_bytes)

    def _restore(self, queue: Queue, shelf: Shelf, claims: Claims | None, row: int, record: bytes) -> int:
        """Give back one entry at once, and return how large its body is."""
        codec = self._surroundings.codec
        redelivered = shelf.may_have_been_delivered(row)
        try:
            content = unseal_row(record, row)
            message = codec.decode(content)
            if claims is not None:
                claims.restore_entry(message, row, codec.note_of(content), redelivered=redelivered)
        except Damaged as damage:
            self._surroundings.windows.set_aside(queue.name, shelf, row, record, str(damage))
            return 0
        if claims is None:
            queue.recover(message, row, redelivered=redelivered)
        return len(message.body)

    def _counted(self, shelf: Shelf) -> tuple[int, int]:
        """Return how many entries a queue has, and the bytes of their bodies. Where the store does not say it, it will."""
        number = shelf.number
        after = rows_of(number)[0] - 1
        record = self._tallies.pop(number, None)
        if record is not None:
            try:
                return tally_of(number, record)
            except Damaged as damage:
                self._damage.append(f"the count of queue number {number}: {damage}; its entries were counted")
        self._surroundings.journal.count_anew(shelf)
        entries, size_bytes = 0, 0
        while rows := self._store.rows(number, after, ROWS_AT_ONCE):
            entries += len(rows)
            for row, record in rows:
                after = row
                size_bytes += self._surroundings.codec.body_bytes_of(record[SEAL_BYTES:])
        return entries, size_bytes

    def reserve_volatile(self) -> None:
        """Have nobody get the numbers of queues that ended with an earlier process, before what they left is removed."""
        others = [number for number in self.volatile if number in self.taken]
        for number in others:
            self.volatile.remove(number)
            self._damage.append(
                f"queue number {number} is that of a transient queue, and of another; it is the other's"
            )
        for number in self.volatile:
            self.reserve(number)

    def remove_volatile(self) -> None:
        """Have what such queues left removed, in the course of time."""
        for number in self.volatile:
            rows = self._store.rows(number, 0, 1)
            first = rows[0][0] if rows else rows_of(number)[0] + 1
            self._surroundings.windows.leftovers.add(number, first, self._store.last_row(number) or first)

    def reserve_strays(self) -> list[int]:
        """Return the numbers of queues that have entries and are not defined: nobody gets them, and the entries stay."""
        strays = [number for number in self._store.queue_numbers() if number not in self._known]
        self.taken.update(strays)
        for number in self._tallies:
            if number not in self.taken:
                self._surroundings.journal.forget_count(number)  # nobody is there to be counted
        return strays
