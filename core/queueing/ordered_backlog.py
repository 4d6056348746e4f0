"""The backlog of a queue whose entries are taken from its middle, because consumers have selectors or somebody browses.

Every entry has a place, a number by which the line is sorted: the rank of its priority, then its sequence. The places are
kept in chunks, so that finding, adding and taking anywhere cost the logarithm of the length and one small move of memory.
What was there before it was so is left in the backlog that it was in, which is in order too, and filed as far as somebody
looks: to sort a million entries at once would take a second.
"""

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from core.queueing.backlog import Backlog
from core.queueing.entry import Entry
from core.queueing.priority_backlog import PriorityBacklog
from core.queueing.usage import Usage

if TYPE_CHECKING:
    from core.queueing.choosing import ChoosingTurns

CHUNK_LIMIT: Final = 512  # places; one twice as long is cut in two
RANK_BIT: Final = 54  # above the sequence: more messages than one queue will ever see
NOWHERE: Final = -1  # before every place


class OrderedBacklog(Backlog):
    """A line that is sorted by place. `highest`: as in `PriorityBacklog`, 0 for a queue without priorities.

    `rest` is a backlog that becomes the end of this one.
    """

    def __init__(self, usage: Usage, highest: int, rest: Backlog | None = None) -> None:
        super().__init__(usage)
        self.highest = highest
        self._rest: Backlog | None = None  # entries whose places are behind `_filed`
        self._filed = NOWHERE
        if rest is not None and rest.count:
            self._rest = rest
            self.count = rest.count
            self.bytes = rest.bytes
        self._watcher: ChoosingTurns | None = None
        self._entries: dict[int, Entry] = {}  # by place
        self._chunks: list[list[int]] = []
        self._lasts: list[int] = []  # the last place of each chunk

    @property
    def rest(self) -> list[Entry]:
        """What is not filed yet, in order."""
        return [] if self._rest is None else self._rest.entries()

    def watched_by(self, watcher: "ChoosingTurns | None") -> None:
        """Tell `watcher`, or nobody, of what is added and restored from now on."""
        self._watcher = watcher

    def place_of(self, entry: Entry) -> int:
        """Return where an entry belongs in the line."""
        highest = self.highest
        if not highest:
            return entry.sequence
        return (highest - min(entry.message.properties.priority or 0, highest)) << RANK_BIT | entry.sequence

    def add(self, entry: Entry) -> None:
        place = self.place_of(entry)
        rest = self._rest
        if rest is None or place <= self._filed:
            self._keep(entry, place)
        else:
            rest.add(entry)
            self._count(entry)
        if self._watcher is not None:
            self._watcher.added(entry, place)

    def restore(self, entry: Entry) -> None:
        place = self.place_of(entry)
        rest = self._rest
        if rest is None or place <= self._filed:
            self._keep(entry, place)
        else:
            rest.restore(entry)  # older than the newest there: nobody is lent what comes while there is a rest
            self._count(entry)
        if self._watcher is not None:
            self._watcher.added(entry, place)

    def _count(self, entry: Entry) -> None:
        self.count += 1
        self.bytes += len(entry.message.body)

    def _keep(self, entry: Entry, place: int) -> None:
        self._entries[place] = entry
        self._file(place)
        self._hold(entry)

    def _file_more(self) -> bool:
        """File a chunk of the rest; False when there is none."""
        rest = self._rest
        if rest is None:
            return False
        count, size_bytes = self.count - rest.count, self.bytes - rest.bytes
        place = self._filed
        for _ in range(CHUNK_LIMIT):
            entry = rest.take()
            place = self.place_of(entry)
            self._keep(entry, place)
            count += 1
            size_bytes += len(entry.message.body)
            if not rest.count:
                break
        self._filed = place
        # What a window could not read is not there any more.
        self.count, self.bytes = count + rest.count, size_bytes + rest.bytes
        if not rest.count:
            self._rest = None
        return True

    def _file(self, place: int) -> None:
        lasts = self._lasts
        if not lasts or place > lasts[-1]:
            if not lasts or len(self._chunks[-1]) >= CHUNK_LIMIT:
                self._chunks.append([place])
                lasts.append(place)
            else:
                self._chunks[-1].append(place)
                lasts[-1] = place
            return
        index = bisect_left(lasts, place)
        chunk = self._chunks[index]
        chunk.insert(bisect_left(chunk, place), place)
        if len(chunk) > 2 * CHUNK_LIMIT:
            first = chunk[:CHUNK_LIMIT]
            self._chunks[index : index + 1] = [first, chunk[CHUNK_LIMIT:]]
            lasts.insert(index, first[-1])

    def first_place(self) -> int:
        """Return the place of the head, or NOWHERE."""
        return self._chunks[0][0] if self._chunks or self._file_more() else NOWHERE

    def entry_at(self, place: int) -> Entry | None:
        """Return the entry at a place, if it is ready."""
        return self._entries.get(place)

    def after(self, place: int) -> Entry | None:
        """Return the first entry behind a place, if there is one."""
        index = bisect_right(self._lasts, place)
        while index == len(self._lasts):
            if not self._file_more():
                return None
            index = bisect_right(self._lasts, place)
        chunk = self._chunks[index]
        return self._entries[chunk[bisect_right(chunk, place)]]

    def head(self) -> Entry:
        return self._entries[self.first_place()]

    def take(self) -> Entry:
        return self.take_at(self.first_place())

    def take_at(self, place: int) -> Entry:
        """Take the entry at a place out; it must be ready."""
        entry = self._entries.pop(place)
        index = bisect_left(self._lasts, place)
        chunk = self._chunks[index]
        del chunk[bisect_left(chunk, place)]
        if not chunk:
            del self._chunks[index]
            del self._lasts[index]
        elif self._lasts[index] == place:
            self._lasts[index] = chunk[-1]
        self._let_go(entry)
        return entry

    def entries(self) -> list[Entry]:
        return self._filed_entries() + self.rest

    def present(self) -> list[Entry]:
        return self._filed_entries() + ([] if self._rest is None else self._rest.present())

    def _filed_entries(self) -> list[Entry]:
        return [self._entries[place] for chunk in self._chunks for place in chunk]

    def clear(self) -> None:
        super().clear()
        if self._rest is not None:
            self._rest.clear()
            self._rest = None
        self._entries.clear()
        self._chunks.clear()
        self._lasts.clear()


def in_order(backlog: Backlog, usage: Usage) -> OrderedBacklog:
    """Return an ordered backlog with the entries of one that it takes the place of; it may be ordered already."""
    if isinstance(backlog, OrderedBacklog):
        return backlog
    return OrderedBacklog(usage, backlog.highest if isinstance(backlog, PriorityBacklog) else 0, backlog)


def in_sequence(backlog: Backlog, usage: Usage, window: Backlog | None = None) -> Backlog:
    """Return the usual backlog, which is the queue's window if it has one, in place of an ordered one that nobody watches any more.

    One that has entries stays as it is: consumers that come and go would have them sorted each time.
    """
    if not isinstance(backlog, OrderedBacklog):
        return backlog
    backlog.watched_by(None)
    if backlog.count:
        return backlog
    if window is not None:
        return window
    return PriorityBacklog(usage, backlog.highest) if backlog.highest else Backlog(usage)
