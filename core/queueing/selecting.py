"""The choice of consumers on a queue where some have selectors: each gets what its selector matches, in order.

Consumers with the same selector make one ring with a line of its own: the places of ready entries that match. An entry is
matched once when it comes (or comes back), by an index over all selectors, and not again when consumers come and go or
settle. A selector that is new on the queue is asked about the entries that are there already, from the front and only as
far as its consumers have credit, a bounded number in one go; what comes behind that point meanwhile is left to the search.
Whoever takes an entry takes it out of the backlog; in the other lines its place is passed over when it is met.
"""

import heapq
from typing import TYPE_CHECKING, Final

from core.queueing.choosing import ChoosingTurns
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.ordered_backlog import NOWHERE, OrderedBacklog
from core.queueing.surroundings import Surroundings
from core.queueing.turns import RankedTurns, Turns
from core.queueing.usage import Usage
from core.routing.selector.expressions import CONDITION, Literal
from core.routing.selector.index import Selecting, SelectorIndex
from core.routing.selector.selector import Selector

if TYPE_CHECKING:
    from core.queueing.queue import Queue

EVERYWHERE: Final = (1 << 62) - 1  # behind every place
SEARCHED_AT_ONCE: Final = 1_000  # entries that one run of the queue asks new selectors about
PLACE_COST_BYTES: Final = 40  # of memory, for one place in one line
STALE_LIMIT: Final = 64  # places in a line that may be out of date, beside as many as are ready in the queue

EVERYTHING: Final = Selector("TRUE", Literal(CONDITION, 1, True))


class Ring(Selecting):
    """Consumers that want the same, and what is there for them. This one: consumers without a selector."""

    def __init__(self, number: int, selector: Selector, turns: Turns, backlog: OrderedBacklog) -> None:
        super().__init__(selector)
        self.number = number
        self.turns = turns
        self.filed = NOWHERE  # the place that it is due for; written by SelectingTurns only
        self._backlog = backlog

    def head(self) -> int:
        """Return the place of the first entry that these consumers want, or NOWHERE."""
        return self._backlog.first_place()

    @property
    def behind(self) -> bool:
        """Whether there may be entries that were not looked at yet."""
        return False

    def append(self, place: int) -> None:
        """Learn of a ready entry that matches."""

    def clear(self) -> None:
        """Forget all entries, because the queue was emptied."""

    def search(self, steps: int) -> int:
        """Look at more entries, until one matches; return how many were looked at."""
        return 0


class Selection(Ring):
    """Consumers with one selector."""

    def __init__(self, number: int, selector: Selector, backlog: OrderedBacklog, usage: Usage) -> None:
        super().__init__(number, selector, RankedTurns([]), backlog)
        self.members = 0
        self._usage = usage
        self._line: list[int] = []  # heap of places
        self._searched = NOWHERE if backlog.count else EVERYWHERE  # the place up to which all entries were looked at

    def head(self) -> int:
        line = self._line
        while line:
            place = line[0]
            if self._backlog.entry_at(place) is not None:
                return place
            heapq.heappop(line)
            self._usage.held_bytes -= PLACE_COST_BYTES
        if not self._backlog.count:
            self._searched = EVERYWHERE
        return NOWHERE

    @property
    def behind(self) -> bool:
        return self._searched != EVERYWHERE

    def append(self, place: int) -> None:
        if place <= self._searched:
            self._push(place)
            if len(self._line) > 2 * self._backlog.count + STALE_LIMIT:
                self._tidy()

    def _push(self, place: int) -> None:
        heapq.heappush(self._line, place)
        self._usage.held_bytes += PLACE_COST_BYTES

    def _tidy(self) -> None:
        before = len(self._line)
        self._line = sorted({place for place in self._line if self._backlog.entry_at(place) is not None})
        self._usage.held_bytes -= PLACE_COST_BYTES * (before - len(self._line))

    def clear(self) -> None:
        self._usage.held_bytes -= PLACE_COST_BYTES * len(self._line)
        self._line.clear()
        self._searched = EVERYWHERE

    def search(self, steps: int) -> int:
        for step in range(steps):
            entry = self._backlog.after(self._searched)
            if entry is None:
                self._searched = EVERYWHERE
                return step
            self._searched = self._backlog.place_of(entry)
            if self.selector.matches(entry.message):
                self._push(self._searched)
                return step + 1
        return steps


class SelectingTurns(ChoosingTurns):
    """The consumers of one queue, in rings. `turns` are those without a selector."""

    def __init__(self, backlog: OrderedBacklog, turns: Turns, surroundings: Surroundings) -> None:
        super().__init__()
        self._backlog = backlog
        self._usage = surroundings.usage
        self._counters = surroundings.counters
        self._everyone = Ring(0, EVERYTHING, turns, backlog)
        self._selections: dict[str, Selection] = {}  # by the selector's text
        self._rings: dict[int, Ring] = {0: self._everyone}
        self._last_number = 0
        self._index = SelectorIndex()
        self._due: list[tuple[int, int]] = []  # heap: the place of an entry, the number of a ring that can have it
        self._searching: dict[Ring, None] = {}  # rings with somebody willing, for whom there may be something
        self._steps = 0  # left in this run
        self._served = 0
        self._matched: list[Ring] = []  # the rings of the message that was matched last
        self._matched_sequence = 0
        backlog.watched_by(self)
        self._file(self._everyone)

    @property
    def idle(self) -> bool:
        return not self._selections  # no consumer with a selector is left

    @property
    def due(self) -> bool:
        return bool(self._due) or bool(self._searching)

    @property
    def turns_of_everyone(self) -> Turns:
        return self._everyone.turns

    # Consumers

    def join(self, consumer: Consumer) -> None:
        selector = consumer.selector
        if selector is None:
            turns = self._everyone.turns
            if consumer.priority and not isinstance(turns, RankedTurns):
                self._everyone.turns = RankedTurns(turns.members())
            return
        selection = self._selections.get(selector.text)
        if selection is None:
            self._last_number += 1
            selection = Selection(self._last_number, selector, self._backlog, self._usage)
            self._selections[selector.text] = selection
            self._rings[selection.number] = selection
            self._index.add(selection)
        selection.members += 1

    def part(self, consumer: Consumer) -> None:
        selector = consumer.selector
        if selector is None:
            return
        selection = self._selections[selector.text]
        selection.members -= 1
        if not selection.members:
            selection.clear()
            self._index.remove(selection)
            del self._selections[selector.text]
            del self._rings[selection.number]
            self._searching.pop(selection, None)
            self._matched_sequence = 0

    def enter(self, consumer: Consumer) -> None:
        ring = self._ring_of(consumer)
        ring.turns.enter(consumer)
        self._file(ring)

    def leave(self, consumer: Consumer) -> None:
        self._ring_of(consumer).turns.leave(consumer)

    def _ring_of(self, consumer: Consumer) -> Ring:
        selector = consumer.selector
        return self._everyone if selector is None else self._selections[selector.text]

    # Entries

    def choose_for(self, entry: Entry) -> Consumer | None:
        best: Consumer | None = None
        best_turns = self._everyone.turns
        for ring in self._match(entry):
            consumer = ring.turns.peek()
            if consumer is not None:
                if ring.head() != NOWHERE or ring.behind:
                    return None
                if best is None or _comes_before(consumer, best):
                    best = consumer
                    best_turns = ring.turns
        if best is not None:
            self._matched_sequence = 0
            self._serve(best, best_turns)
        return best

    def added(self, entry: Entry, place: int) -> None:
        for ring in self._match(entry):
            ring.append(place)
            self._file(ring)

    def _match(self, entry: Entry) -> list[Ring]:
        if self._matched_sequence == entry.sequence:
            self._matched_sequence = 0  # asked for the second time, and the last: what comes back is matched anew
            return self._matched
        rings: list[Ring] = [self._everyone]
        for selecting in self._index.matching(entry.message):
            assert isinstance(selecting, Ring)
            rings.append(selecting)
        self._counters.work += self._index.steps
        self._matched = rings
        self._matched_sequence = entry.sequence
        return rings

    def _file(self, ring: Ring) -> None:
        """Have the first entry of a ring handed over, if anybody there is willing."""
        if ring.turns.peek() is None:
            return
        place = ring.head()
        if place == NOWHERE:
            if ring.behind:
                self._searching[ring] = None
        elif ring.filed == NOWHERE or place < ring.filed:
            ring.filed = place
            heapq.heappush(self._due, (place, ring.number))

    def hand_over(self, queue: "Queue") -> None:
        self._steps = SEARCHED_AT_ONCE
        while (taken := self._take()) is not None:
            consumer, entry = taken
            queue.give(entry, consumer)

    def _take(self) -> tuple[Consumer, Entry] | None:
        """Take the first entry that somebody is willing to have out of the backlog; None when there is none now."""
        while True:
            if self._searching:
                self._search()
            if not self._due:
                return None
            place = self._due[0][0]
            rings = self._rings_due(place)
            best: Consumer | None = None
            best_turns = self._everyone.turns
            for ring in rings:
                consumer = ring.turns.peek()
                if consumer is not None and (best is None or _comes_before(consumer, best)):
                    best = consumer
                    best_turns = ring.turns
            if best is None:
                continue
            entry = self._backlog.take_at(place)
            self._serve(best, best_turns)
            for ring in rings:
                self._file(ring)
            return best, entry

    def _rings_due(self, place: int) -> list[Ring]:
        """Take out whoever is due for a place; those whose entry is gone are filed for their next one."""
        rings: list[Ring] = []
        due = self._due
        while due and due[0][0] == place:
            ring = self._rings.get(heapq.heappop(due)[1])
            if ring is None or ring.filed != place:
                continue
            ring.filed = NOWHERE
            if ring.head() == place:
                rings.append(ring)
            else:
                self._file(ring)
        return rings

    def _search(self) -> None:
        if not self._steps:
            return
        for ring in list(self._searching):
            if not self._steps:
                return
            if ring.turns.peek() is not None:
                self._steps -= ring.search(self._steps)
                if ring.behind and ring.head() == NOWHERE:
                    continue
            del self._searching[ring]
            self._file(ring)

    def _serve(self, consumer: Consumer, turns: Turns) -> None:
        turns.choose()  # the same as was peeked at; the next one is next
        self._served += 1
        consumer.served = self._served

    def clear(self) -> None:
        for ring in self._rings.values():
            ring.clear()
            ring.filed = NOWHERE
        self._due.clear()
        self._searching.clear()
        self._matched_sequence = 0


def _comes_before(consumer: Consumer, other: Consumer) -> bool:
    if consumer.priority != other.priority:
        return consumer.priority > other.priority
    return consumer.served < other.served
