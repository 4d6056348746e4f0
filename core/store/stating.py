"""State that changes with every message, kept as it is at the end of a batch and not as it was after each change.

Whoever has such state tells the journal that it has changed, and states itself once for each batch. A statement may speak of
entries that the same batch stores; their rows are known when the batch is sealed.
"""

import struct
from typing import Final

from mypy_extensions import mypyc_attr

from core.queueing.entry import Entry
from core.store.errors import Damaged

_LINE: Final = struct.Struct(">HBq")

Kept = tuple[int, int, int]  # a number, its state, and the row of its entry, or 0


class Line:
    """A number, the state that it is in, and the entry that it stands for, if any."""

    def __init__(self, number: int, state: int, entry: Entry | None, row: int = 0) -> None:
        self.number = number
        self.state = state
        self.entry = entry
        # As of the end of the batch; the entry may be settled before the seal, or be in the store only and not be given.
        self.known_row = row if entry is None else entry.row


class Standing:
    """Whether the store has something under a key, once all that was sealed is committed; written by the journal."""

    def __init__(self, *, stored: bool) -> None:
        self.stored = stored


class Statement:
    """What a key of a kind means at the end of a batch. Without lines it means nothing any more."""

    def __init__(self, kind: int, key: str, lines: list[Line]) -> None:
        self.kind = kind
        self.key = key
        self.standing: Standing | None = None  # where it is known
        self._lines = lines
        self._pending: list[Line] | None = None  # of entries without rows, when that was first asked

    def learn_rows(self) -> None:
        """Note the rows that entries have got by now: they may be settled before this is written, in a batch behind it."""
        pending: list[Line] = []
        for line in self._lines if self._pending is None else self._pending:
            entry = line.entry
            if entry is not None and line.known_row <= 0:
                line.known_row = entry.row
                if line.known_row < 0:
                    pending.append(line)
        self._pending = pending

    def content(self) -> bytes | None:
        """Return the content of the definition, once entries have rows. What is not stored by now is not spoken of."""
        packed: list[bytes] = []
        for line in self._lines:
            entry = line.entry
            if entry is None:
                packed.append(_LINE.pack(line.number, line.state, line.known_row))
            else:
                row = line.known_row if line.known_row > 0 else entry.row
                if row > 0:
                    packed.append(_LINE.pack(line.number, line.state, row))
        return b"".join(packed) or None


def lines_of(content: bytes) -> list[Kept]:
    """Return the lines of a statement, or raise Damaged."""
    if len(content) % _LINE.size:
        raise Damaged(f"{len(content)} bytes are no whole number of lines")
    return [(number, state, row) for number, state, row in _LINE.iter_unpack(content)]


@mypyc_attr(allow_interpreted_subclasses=True)
class Stating:
    """Has state that changes often."""

    def statements(self) -> list[Statement]:
        """Return what has changed since the last call."""
        raise AssertionError(f"{type(self).__name__} does not say what has changed")
