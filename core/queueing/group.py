"""A group: consumers that share what one pattern of the topic space selects, so that each message is for one of them.

What has to be settled goes through a queue of the group's own: turns, credit, redelivery, expiry and limits are those of
any queue, but nobody finds this one by a name. What nobody settles is handed to a member at once, or dropped, as by a
direct subscription. A group begins with its first member and ends with its last; members that are away for a while
count.

A member that loses its connection may hold entries. They go to the others; where there is no other, they stay with the
member until it comes back, which then finds them as it left them, or until another comes (MQTT 5.0 §4.8.2 allows both).

From the first member on whose session outlives the process a store keeps what has to be settled.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from core.model.message import Message
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.rota import Rota
from core.queueing.surroundings import Surroundings
from core.routing.sink import Sink
from core.store.kinds import GROUP
from core.store.shelf import Shelf
from core.store.values import dump

BUSY_TRIES: Final = 8  # members with a full output that are asked for one message, when all outputs are full

# Where a member is.
AWAY: Final = 0  # without a connection
BUSY: Final = 1  # its connection's output is full
READY: Final = 2


@mypyc_attr(allow_interpreted_subclasses=True)
class Member(Consumer):
    """One subscription to what a group shares. One that does not settle gets each message once, whatever becomes of it."""

    def __init__(self, *, settles: bool, lasts: bool = False) -> None:
        super().__init__(settles=settles)
        self.lasts = lasts  # whether what waits for it outlives the process
        self.suspended = True
        self.place = AWAY  # written by the group only

    def pass_on(self, message: Message) -> bool:
        """Write a message that nobody settles; False when the output has no room for it."""
        raise AssertionError(f"{type(self).__name__} does not say how it passes on")

    def hand_back(self) -> None:
        """Requeue the entries that this member holds and that another may be given."""


class GroupQueue(Queue):
    """The queue of a group. What its members have when the group ends stays in the store until they are done with it."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(name, surroundings)
        self.kept_as = ""  # key of the group's definition in the store

    def delete(self) -> int:
        shelf = self.shelf
        if shelf is not None:
            if self.unsettled_count:
                self._surroundings.journal.define(GROUP, self.kept_as, dump([True]))
            else:
                self._forget(shelf)
        return super().delete()

    def requeue(self, entry: Entry) -> None:
        if self.deleted:
            self.accept(entry)
        else:
            super().requeue(entry)

    def discard(self, entry: Entry) -> None:
        leaves = self.deleted and entry.consumer is not None
        super().discard(entry)
        if leaves:
            self._left(entry)

    def _left(self, entry: Entry) -> None:
        super()._left(entry)
        if self.deleted and not self.unsettled_count and self.shelf is not None:
            self._forget(self.shelf)

    def _forget(self, shelf: Shelf) -> None:
        """Have the store forget the group."""
        self.shelf = None
        self._surroundings.journal.define(GROUP, self.kept_as, None)
        self._surroundings.journal.end_queue(shelf, self.name)


class Group(Sink):
    """The members, and the queue that lends to them."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__()
        self.name = name
        self.queue = GroupQueue(name, surroundings)
        self.queue.limit_entries = surroundings.offline.entries
        self.queue.limit_bytes = surroundings.offline.size_bytes
        self._counters = surroundings.counters
        self._journal = surroundings.journal
        self._settling = 0  # members that settle
        self._present = 0  # those of them that have a connection
        self._ready = Rota()
        self._busy = Rota()
        self._holding: dict[Member, None] = {}  # members that are away, with entries that no other could be given

    @property
    def alive(self) -> bool:
        """Whether it has members."""
        return not self.queue.deleted

    @property
    def redistributes(self) -> bool:
        """Whether an entry that is handed back finds a member who settles it and has a connection."""
        return self._present > 0 and self.alive

    # Messages

    def take(self, message: Message) -> bool:
        if message.qos and self._settling:
            return self.queue.put(message, None)
        self._pass_on(message)
        return True

    def _pass_on(self, message: Message) -> None:
        """Hand over what nobody settles; those with a full output get it only when there is nobody else."""
        if self._passed_on(self._ready, message):
            return
        busy = self._busy
        for _ in range(min(busy.count, BUSY_TRIES)):
            if self._passed_on(busy, message):
                return
        self._counters.drop("slow_subscriber" if self._ready.count or busy.count else "session_offline")

    def _passed_on(self, rota: Rota, message: Message) -> bool:
        member = rota.first()
        if member is None:
            return False
        rota.turn()
        assert isinstance(member, Member)
        try:
            return member.pass_on(message)
        except Exception as error:  # noqa: BLE001 - a bug in the receiving connection must not cost the publishing one
            member.failed(error)
            return True

    # Members

    def add(self, member: Member) -> None:
        """Take in a member, which is away at first."""
        self.queue.add(member)
        if member.settles:
            self._settling += 1

    def remove(self, member: Member) -> bool:
        """Let a member go; what it holds stays with it until it is settled. False when it was the last one."""
        self.move(member, AWAY)
        self._holding.pop(member, None)
        if member.settles:
            self._settling -= 1
        self.queue.remove(member)
        return bool(self.queue.consumers)

    def move(self, member: Member, place: int) -> None:
        """Note where a member is."""
        before = member.place
        if place == before:
            return
        member.place = place
        member.suspended = place != READY
        if before == READY:
            self._ready.remove(member)
        elif before == BUSY:
            self._busy.remove(member)
        if place == AWAY:
            self._gone(member)
            return
        if place == READY:
            self._ready.add(member)
        else:
            self._busy.add(member)
        if before == AWAY:
            self._come(member)
        if place == READY:
            self.queue.resume(member)

    def _gone(self, member: Member) -> None:
        if member.settles:
            self._present -= 1
            if not self._present and member.credit < UNLIMITED:
                self._holding[member] = None

    def _come(self, member: Member) -> None:
        if not member.settles:
            return
        self._present += 1
        self._holding.pop(member, None)
        holding = self._holding
        if holding:
            self._holding = {}
            for other in holding:
                other.hand_back()

    # The store

    @property
    def lasts(self) -> bool:
        """Whether what waits is to outlive the process."""
        for member in self.queue.consumers:
            assert isinstance(member, Member)
            if member.lasts:
                return True
        return False

    def keep_on(self, shelf: Shelf, key: str) -> None:
        """Have the store keep what waits, what does so already too; the group is defined under a key."""
        queue = self.queue
        queue.kept_as = key
        waiting = queue.backlog.entries()
        queue.backlog.clear()
        queue.keep_on(shelf)
        for entry in waiting:
            self._journal.put(entry)
            if entry.attempts:
                queue.backlog.restore(entry)  # others that members still have may come back to places near its own
            else:
                queue.backlog.add(entry)

    def recover(self, shelf: Shelf, key: str) -> None:
        """Learn where an earlier process has kept what waits. It comes back by `Queue.recover`."""
        self.queue.kept_as = key
        self.queue.keep_on(shelf)

    def recover_held(self, message: Message, row: int, via: Sink, member: Member) -> Entry:
        """Take back an entry that a member had, which is away and may be one no more."""
        if member.lender is self.queue:
            self._holding[member] = None
        shelf = self.queue.shelf
        if shelf is not None:
            shelf.seen.add(row)  # whoever else gets it after all is told
        return self.queue.recover(message, row, redelivered=True, via=via, holder=member)

    def end(self) -> None:
        """Give up what waits: there is nobody left to wait for."""
        left = self.queue.delete()
        if left:
            self._counters.drop("group_ended", left)
