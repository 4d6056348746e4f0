"""Message groups: all messages of one group go to one consumer, until it leaves or one of them closes the group.

A group belongs to whoever is served its first message. What waits is looked at once, from the front, and only while
somebody is willing; what belongs to a consumer that is not willing then is put in a line of its own, so that it holds up
nobody, and what becomes willing begins with its line. A queue is like that from the first message with a group that is
sent to it; others pay nothing.
"""

import hashlib
import heapq
from typing import TYPE_CHECKING, Final

from core.model.message import Message
from core.queueing.choosing import ChoosingTurns
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.ordered_backlog import NOWHERE, OrderedBacklog
from core.queueing.surroundings import Surroundings
from core.queueing.turns import RankedTurns, Turns, wait_for_shared

if TYPE_CHECKING:
    from core.queueing.queue import Queue

GROUP: Final = "JMSXGroupID"  # a header (JMS 2.0 §3.5.9)
SEQUENCE: Final = "JMSXGroupSeq"
CLOSES: Final = "-1"  # as the sequence: the group has ended with this message (ActiveMQ)
GROUPS_LIMIT: Final = 1_024  # of one queue that belong to somebody, as in ActiveMQ: the oldest is forgotten
NAME_LIMIT: Final = 256  # characters; of a longer one its digest is kept
LOOKED_AT_ONCE: Final = 1_000  # entries, in one run of the queue
PLACE_COST_BYTES: Final = 40  # of memory, for one place in one line


class MessageGroup:
    """A group that belongs to somebody, and the places of what waits for that one alone."""

    def __init__(self, number: int, name: str, holder: "Holder") -> None:
        self.number = number
        self.name = name
        self.holder = holder
        self.line: list[int] = []  # heap


class Holder:
    """A consumer and its groups."""

    def __init__(self, number: int, consumer: Consumer) -> None:
        self.number = number
        self.consumer = consumer
        self.groups: dict[int, MessageGroup] = {}  # by number
        self.heads: list[tuple[int, int]] = []  # heap: the first place of a line, the number of its group
        self.filed = NOWHERE  # the first of them that is due


class GroupedTurns(ChoosingTurns):
    """The consumers of one queue with message groups. Selectors are not served beside them."""

    def __init__(self, backlog: OrderedBacklog, turns: Turns, surroundings: Surroundings) -> None:
        super().__init__()
        self._backlog = backlog
        self._usage = surroundings.usage
        self._counters = surroundings.counters
        self._everyone = turns
        self._holders: dict[Consumer, Holder] = {}
        self._numbered: dict[int, Holder] = {}
        self._last_number = 0
        self._groups: dict[str, MessageGroup] = {}  # by name
        self._looked = NOWHERE  # the place up to which all entries were looked at
        self._returned: list[int] = []  # heap of places before that to be looked at again
        self._lines_due: list[tuple[int, int]] = []  # heap: the first place of a holder's lines, its number
        backlog.watched_by(self)

    @property
    def due(self) -> bool:
        return self._everyone.peek() is not None and (self._first_line() is not None or self._next_place() != NOWHERE)

    @property
    def turns_of_everyone(self) -> Turns:
        return self._everyone

    # Consumers

    def join(self, consumer: Consumer) -> None:
        if consumer.priority and not isinstance(self._everyone, RankedTurns):
            self._everyone = RankedTurns(self._everyone.members())
        self._last_number += 1
        holder = Holder(self._last_number, consumer)
        self._holders[consumer] = holder
        self._numbered[holder.number] = holder

    def part(self, consumer: Consumer) -> None:
        holder = self._holders.pop(consumer)
        del self._numbered[holder.number]
        self._disown(holder)

    def enter(self, consumer: Consumer) -> None:
        self._everyone.enter(consumer)
        self._file(self._holders[consumer])

    def leave(self, consumer: Consumer) -> None:
        self._everyone.leave(consumer)
        self._disown(self._holders[consumer])

    def _disown(self, holder: Holder) -> None:
        """Let others have the groups of a consumer, and what waits for it."""
        for group in list(holder.groups.values()):
            self._end(group)
        holder.heads.clear()
        holder.filed = NOWHERE

    def _end(self, group: MessageGroup) -> None:
        """Have a group belong to nobody, and what waits in its line looked at again."""
        del self._groups[group.name]
        del group.holder.groups[group.number]
        if group.line:
            self._returned.extend(group.line)
            heapq.heapify(self._returned)

    def members(self) -> list[Consumer]:
        return self._everyone.members()

    # Entries

    def choose_for(self, entry: Entry) -> Consumer | None:
        if self._next_place() != NOWHERE:
            return None
        group = self._group_of(entry.message)
        if group is None:
            consumer = self._everyone.choose()
            if consumer is not None:
                self._note(entry.message, self._holders[consumer])
            return consumer
        if group.line or not self._is_willing(group.holder):
            return None
        self._serve(group.holder)
        self._note(entry.message, group.holder)
        return group.holder.consumer

    def added(self, entry: Entry, place: int) -> None:
        if place <= self._looked:
            heapq.heappush(self._returned, place)
            self._usage.held_bytes += PLACE_COST_BYTES

    def hand_over(self, queue: "Queue") -> None:
        for _ in range(LOOKED_AT_ONCE):
            if self._everyone.peek() is None:
                return
            holder = self._first_line()
            place = self._next_place()
            if holder is not None and (place == NOWHERE or holder.filed < place):
                place = holder.filed
                self._serve(holder)
                self._pop_head(holder)
                holder.filed = NOWHERE
                self._file(holder)
            elif place == NOWHERE:
                return
            else:
                holder = self._look_at(place)
                if holder is None:
                    continue
            entry = self._backlog.take_at(place)
            self._note(entry.message, holder)
            queue.give(entry, holder.consumer)

    def _look_at(self, place: int) -> Holder | None:
        """Return who gets the entry that is looked at next; None when it has to wait for somebody."""
        entry = self._backlog.entry_at(place)
        assert entry is not None
        if self._returned and self._returned[0] == place:
            self._popped(self._returned)
        else:
            self._looked = place
        self._counters.work += 1
        group = self._group_of(entry.message)
        if group is None:
            consumer = self._everyone.choose()
            assert consumer is not None
            return self._holders[consumer]
        if self._is_willing(group.holder):
            self._serve(group.holder)
            return group.holder
        if not group.line or place < group.line[0]:
            heapq.heappush(group.holder.heads, (place, group.number))
        heapq.heappush(group.line, place)
        self._usage.held_bytes += PLACE_COST_BYTES
        return None

    def _next_place(self) -> int:
        """Return the first place that is to be looked at, or NOWHERE."""
        returned = self._returned
        while returned:
            if self._backlog.entry_at(returned[0]) is not None:
                return returned[0]
            self._popped(returned)
        entry = self._backlog.after(self._looked)
        return self._backlog.place_of(entry) if entry is not None else NOWHERE

    def _first_line(self) -> Holder | None:
        """Return whose line begins with the oldest entry, among those that are willing."""
        due = self._lines_due
        while due:
            place, number = due[0]
            holder = self._numbered.get(number)
            if holder is None or holder.filed != place:
                heapq.heappop(due)
                continue
            if self._first_of(holder) == place and self._is_willing(holder):
                return holder
            heapq.heappop(due)
            holder.filed = NOWHERE
            if holder.consumer.in_ring:
                self._file(holder)  # the entry is gone, not the consumer
        return None

    def _first_of(self, holder: Holder) -> int:
        """Return the first place in the lines of a holder, or NOWHERE."""
        heads = holder.heads
        while heads:
            place, number = heads[0]
            group = holder.groups.get(number)
            if group is None or not group.line or group.line[0] != place:
                heapq.heappop(heads)
            elif self._backlog.entry_at(place) is None:
                self._pop_head(holder)
            else:
                return place
        return NOWHERE

    def _pop_head(self, holder: Holder) -> None:
        """Take the first place out of the lines of a holder."""
        group = holder.groups[heapq.heappop(holder.heads)[1]]
        self._popped(group.line)
        if group.line:
            heapq.heappush(holder.heads, (group.line[0], group.number))

    def _file(self, holder: Holder) -> None:
        place = self._first_of(holder)
        if place not in {NOWHERE, holder.filed}:
            holder.filed = place
            heapq.heappush(self._lines_due, (place, holder.number))

    def _popped(self, places: list[int]) -> int:
        self._usage.held_bytes -= PLACE_COST_BYTES
        return heapq.heappop(places)

    def _is_willing(self, holder: Holder) -> bool:
        """Tell whether a consumer may be lent to; one that may not has to enter again."""
        consumer = holder.consumer
        if not consumer.in_ring:
            return False
        if consumer.willing():
            return True
        self._everyone.leave(consumer)
        wait_for_shared(consumer)
        return False

    def _serve(self, holder: Holder) -> None:
        """Have somebody else be next who is served because a group is his, if it was his turn."""
        if self._everyone.peek() is holder.consumer:
            self._everyone.choose()

    # Groups

    def _group_of(self, message: Message) -> MessageGroup | None:
        """Return the group that a message is of, if it belongs to somebody."""
        name = _name_of(message)
        return self._groups.get(name) if name else None

    def _note(self, message: Message, holder: Holder) -> None:
        """Note who is served a message, which begins or closes its group."""
        name = _name_of(message)
        if not name:
            return
        group = self._groups.get(name)
        sequence = message.properties.headers.get(SEQUENCE)
        if sequence == CLOSES or (isinstance(sequence, int) and sequence == int(CLOSES)):
            if group is not None:
                self._end(group)
        elif group is None:
            if len(self._groups) >= GROUPS_LIMIT:
                self._end(next(iter(self._groups.values())))
            self._last_number += 1
            group = MessageGroup(self._last_number, name, holder)
            self._groups[name] = group
            holder.groups[group.number] = group

    def clear(self) -> None:
        self._usage.held_bytes -= PLACE_COST_BYTES * len(self._returned)
        self._returned.clear()
        for group in self._groups.values():
            self._usage.held_bytes -= PLACE_COST_BYTES * len(group.line)
            group.line.clear()
        for holder in self._holders.values():
            holder.heads.clear()
            holder.filed = NOWHERE
        self._lines_due.clear()


def _name_of(message: Message) -> str:
    """Return the name of a message's group, or nothing."""
    group = message.properties.headers.get(GROUP)
    if not isinstance(group, str):
        return ""
    return group if len(group) <= NAME_LIMIT else hashlib.sha256(group.encode()).hexdigest()
