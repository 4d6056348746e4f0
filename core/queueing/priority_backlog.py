"""The backlog of a queue with priorities: one line for each priority that is there, the highest first.

Everything that concerns the head of a queue (expiry, length limits that drop the head) concerns the oldest entry of the
highest priority, as in RabbitMQ.
"""

from typing import Final

from core.model.message import Message
from core.queueing.backlog import Backlog
from core.queueing.entry import Entry
from core.queueing.usage import Usage

LINE_COST_BYTES: Final = 1_024  # of memory, for one more line; lines go when they are empty


class PriorityBacklog(Backlog):
    """Lines of entries, by priority from 0 to `highest`; a message with more has that of the highest."""

    def __init__(self, usage: Usage, highest: int) -> None:
        super().__init__(usage)
        self.highest = highest
        self._lines: dict[int, Backlog] = {}
        self._present = 0  # a bit for each line: the highest is found without a search

    def add(self, entry: Entry) -> None:
        self._line(entry.message).add(entry)
        self._count(entry)

    def restore(self, entry: Entry) -> None:
        self._line(entry.message).restore(entry)
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        self.count += 1
        self.bytes += len(entry.message.body)

    def _line(self, message: Message) -> Backlog:
        priority = min(message.properties.priority or 0, self.highest)
        line = self._lines.get(priority)
        if line is None:
            line = self._lines[priority] = Backlog(self._usage)
            self._present |= 1 << priority
            self._usage.held_bytes += LINE_COST_BYTES
        return line

    def head(self) -> Entry:
        return self._lines[self._present.bit_length() - 1].head()

    def take(self) -> Entry:
        priority = self._present.bit_length() - 1
        line = self._lines[priority]
        entry = line.take()
        if not line.count:
            del self._lines[priority]
            self._present ^= 1 << priority
            self._usage.held_bytes -= LINE_COST_BYTES
        self.count -= 1
        self.bytes -= len(entry.message.body)
        return entry

    def entries(self) -> list[Entry]:
        return [entry for priority in sorted(self._lines, reverse=True) for entry in self._lines[priority].entries()]

    def clear(self) -> None:
        for line in self._lines.values():
            line.clear()
        self._usage.held_bytes -= LINE_COST_BYTES * len(self._lines)
        self._lines.clear()
        self._present = 0
        self.count = 0
        self.bytes = 0
