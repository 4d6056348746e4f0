"""Who is next among many that take turns, where any of them may leave at any time.

Whoever leaves a long line is only noted and passed over when its turn comes, because to look for it would cost the length
of the line: a group of 100,000 that all leave would take minutes. A line that is mostly such notes is written anew.
"""

from collections import deque
from typing import Final

from core.queueing.consumer import Consumer

SHORT: Final = 64  # consumers that are searched through without much ado: below a microsecond
TIDY_PART: Final = 4  # a line is written anew when one in so many of it has left


class Rota:
    """A line of consumers, each in it once."""

    def __init__(self) -> None:
        self._line: deque[Consumer] = deque()
        self._left: dict[Consumer, None] = {}  # those in the line that are to be passed over

    @property
    def count(self) -> int:
        """How many take turns."""
        return len(self._line) - len(self._left)

    def first(self) -> Consumer | None:
        """Return whose turn it is."""
        line = self._line
        if self._left:
            while line and line[0] in self._left:
                del self._left[line.popleft()]
        return line[0] if line else None

    def turn(self) -> None:
        """Put whom `first` has returned at the end."""
        if len(self._line) > 1:
            self._line.rotate(-1)

    def remove_first(self) -> None:
        """Take out whom `first` has returned."""
        self._line.popleft()

    def add(self, consumer: Consumer) -> None:
        """Put a consumer at the end, or where it was if it has just left."""
        if consumer in self._left:
            del self._left[consumer]
        else:
            self._line.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Take out a consumer, which must be there."""
        line = self._line
        if len(line) <= SHORT and not self._left:
            line.remove(consumer)
            return
        self._left[consumer] = None
        if len(self._left) * TIDY_PART > len(line):
            self._line = deque(self.members())
            self._left.clear()

    def members(self) -> list[Consumer]:
        """Return everybody, the next one first."""
        return [consumer for consumer in self._line if consumer not in self._left]
