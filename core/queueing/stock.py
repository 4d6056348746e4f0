"""What a queue keeps: the entries that wait, within its limits and until their time is over, and where they are in the store.

What leaves for good is forgotten by the store too. What is given up may come to life again as a dead letter, in any queue and at
once: whoever gives up looks anew at what there is.
"""

from typing import Final

from core.model.errors import Limit
from core.queueing.backlog import Backlog
from core.queueing.credit import UNLIMITED
from core.queueing.dead_letters import DeadLettering
from core.queueing.death import EXPIRED, MAXLEN
from core.queueing.deferred import Deferred
from core.queueing.entry import Entry, Lender
from core.queueing.excess import DROPPED_AT_ONCE, Excess
from core.queueing.expiry import HeadExpiry
from core.queueing.notes import NO_NOTES, Notes
from core.queueing.surroundings import Surroundings
from core.queueing.volatile import VolatileWindow
from core.queueing.window import Window
from core.store.shelf import Shelf
from core.timers import NEVER

DROP_HEAD: Final = 0
REJECT_PUBLISH: Final = 1
REJECT_PUBLISH_DLX: Final = 2  # and what is refused becomes a dead letter


class Stock(Lender):
    """The entries of a queue. Limits count ready entries, not those that are lent."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(name)
        self.deleted = False
        self.closed = False  # to messages: deleted, or out of positions in the store
        # What the arguments ask for (see `core.queueing.plan`):
        self.limit_entries = UNLIMITED
        self.limit_bytes = UNLIMITED
        self.overflow = DROP_HEAD
        self.ttl_s = NEVER  # of each entry
        self.dead_lettering: DeadLettering | None = None
        self.backlog = Backlog(surroundings.usage)
        # The backlog of a durable queue, while nothing else takes its place, or of another that holds much.
        self.window: Window | None = None
        self._surroundings = surroundings
        self._excess: Excess | None = None  # made when there is too much to drop at once
        self._deferred: Deferred | None = None  # made for the first entry that comes back later
        self._expiry: HeadExpiry | None = None  # made for the first entry that can expire

    def keep_on(self, shelf: Shelf, notes: Notes = NO_NOTES) -> None:
        """Have a store keep what is durable. The queue has nothing yet."""
        self.shelf = shelf
        if type(self.backlog) is Backlog:
            self.backlog = self.window = Window(self, shelf, self._surroundings.windows, notes)

    def leave_memory(self, keep_bytes: int) -> bool:
        """Have a queue that is not durable leave more than so many bytes to the store; False where it has not so many, or cannot."""
        backlog = self.backlog
        if backlog.held_bytes <= keep_bytes or type(backlog) is not Backlog:
            return False
        windows = self._surroundings.windows
        try:
            shelf = self._surroundings.journal.new_volatile_shelf(self.name)
        except Limit:
            return False
        window = self.backlog = self.window = VolatileWindow(self, shelf, windows, backlog)
        window.shrink(keep_bytes)
        return True

    def come_back_to_memory(self) -> None:
        """Be wholly in memory again: nothing is in the store."""
        if self.backlog is self.window:
            self.backlog = Backlog(self._surroundings.usage)
        self.window = None
        self._surroundings.windows.watch(self)

    def run_out(self) -> None:
        if not self.closed:
            self.closed = True
            self._surroundings.windows.report(
                f"queue '{self.name}' has used up its positions in the store: it refuses messages until it is empty"
            )

    def opens(self) -> bool:
        """Take messages again, if the queue is not deleted and all positions are free; return whether that is so."""
        if self.deleted:
            return False
        if self.shelf is not None:
            self.closed = not self._surroundings.journal.begin_anew(self.shelf)
        else:
            self.closed = self.window is not None  # which gets other positions the next time
        return not self.closed

    def check_in_order(self) -> None:
        """Raise Limit when there is no room in memory for what `in_order` needs there."""
        window = self.window
        if window is None:
            return
        usage = self._surroundings.usage
        if usage.held_bytes + window.stored_cost_bytes > usage.limit_bytes:
            raise Limit(
                f"queue '{self.name}' has {window.stored_count} messages on disk, more than there is memory for:"
                " nobody can select among them or browse them"
            )

    @property
    def ready_count(self) -> int:
        """Entries that wait for a consumer."""
        return self.backlog.count

    @property
    def deferred_count(self) -> int:
        """Entries that are neither ready nor lent: they come back later."""
        return self._deferred.count if self._deferred is not None else 0

    @property
    def ready_bytes(self) -> int:
        """Bytes of bodies of entries that wait."""
        return self.backlog.bytes

    def _shorten(self, entry: Entry) -> None:
        expires_at = self._surroundings.clock.now + self.ttl_s
        if entry.expires_at == 0.0 or expires_at < entry.expires_at:
            entry.expires_at = expires_at

    def _watch(self, expires_at: float) -> None:
        if self._expiry is None:
            self._expiry = HeadExpiry(self, self._surroundings.timers)
        self._expiry.watch(expires_at)

    def keep_limits(self) -> int:
        """Give up what is more than the limits admit, which may be smaller than before; return how much that was.

        A queue that refuses what is too much gives up nothing that it has.
        """
        return self._drop_heads() if self.overflow == DROP_HEAD else 0

    def _drop_heads(self) -> int:
        """Give up what is too much, and return how much that was; the rest follows in the next turns, where it is very much."""
        backlog = self.backlog
        left = DROPPED_AT_ONCE
        while backlog.count > self.limit_entries or backlog.bytes > self.limit_bytes:
            if not left:
                if self._excess is None:
                    self._excess = Excess(self, self._surroundings.timers)
                self._excess.later()
                break
            left -= 1
            self._give_up(backlog.take(), MAXLEN)
        if self._expiry is not None:
            self._expiry.watch_head()
        return DROPPED_AT_ONCE - left

    def _left(self, entry: Entry) -> None:
        """Have the store forget what has left for good."""
        if entry.row:
            self._surroundings.journal.remove(entry)

    def _give_up(self, entry: Entry, reason: str) -> None:
        where = self.dead_lettering
        if where is None:
            self._left(entry)
            self._surroundings.counters.drop(reason)
        else:
            self._bury(where, entry, reason)

    def _bury(self, where: DeadLettering, entry: Entry, reason: str) -> None:
        self._surroundings.counters.bury(reason)
        # That has the store forget it, once it is elsewhere.
        self._surroundings.dead_letters.send(where, entry, reason)

    def expire(self, entry: Entry) -> None:
        """Give up an entry, taken out already, whose time is over."""
        self._give_up(entry, EXPIRED)

    def _expired(self, entry: Entry) -> bool:
        expires_at = entry.expires_at
        return expires_at != 0.0 and expires_at <= self._surroundings.clock.now

    def kept_entries(self) -> list[Entry]:
        """Return what of all that is ready or comes back later is in memory, in no order."""
        entries = self.backlog.present()
        return entries if self._deferred is None else [*entries, *self._deferred.entries()]

    def _empty(self) -> int:
        """Remove what is ready or comes back later, and return how much."""
        count = self.backlog.count
        if self.shelf is not None:
            for entry in self.kept_entries():
                self._left(entry)
            if self.window is not None:
                self.window.discard_stored()
        self.backlog.clear()
        if self._deferred is not None:
            count += self._deferred.clear()
        return count

    def may_leave_shelf(self) -> bool:
        """Tell whether all that the store has of the queue is ready or comes back later, and much."""
        window = self.window
        if self.shelf is None or window is None or self.backlog is not window:
            return False
        stored = sum([entry.row > 0 for entry in self.kept_entries()])
        return self._surroundings.journal.has_many_and_only(self.shelf, window.stored_count + stored)

    def leave_shelf(self, shelf: Shelf) -> int:
        """Be empty, on another shelf; return how much there was. What the store has on the old one is no more the queue's."""
        window = self.window
        assert window is not None
        for entry in self.kept_entries():
            if entry.row > 0:
                entry.row = 0
            else:
                self._left(entry)
        count = window.count
        window.clear()
        window.end()
        if self._deferred is not None:
            count += self._deferred.clear()
        self.backlog = Backlog(self._surroundings.usage)
        self.keep_on(shelf)
        return count
