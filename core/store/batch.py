"""One commit: what the broker has done since the last one, as rows to add, rows to remove and definitions to set.

A batch holds bytes and numbers only and is never changed once it is sealed, so that another thread may write it.
"""

from array import array
from typing import Final

QUEUE_SHIFT: Final = 40  # a row is the number of its queue, and below so many bits its position in the queue
POSITION_LIMIT: Final = 1 << QUEUE_SHIFT  # of one queue: 10¹²; what becomes of it then: `core.store.positions`
QUEUE_NUMBER_LIMIT: Final = 1 << 22  # of durable queues ever declared in one store; SQLite's rows are signed

Definition = tuple[int, str, bytes | None]  # kind, key, and what it is now; None: it is gone
Tally = tuple[int, bytes | None]  # the number of a queue, and the record of how much it has now; None: nothing
SetAside = tuple[int, bytes, str]  # a row, its record, which cannot be read, and the reason
DefinitionSetAside = tuple[int, str, bytes, str]  # kind, key, the record as it was read, and the reason


def rows_of(queue_number: int) -> tuple[int, int]:
    """Return the first row of a queue and the first behind its last."""
    return queue_number << QUEUE_SHIFT, (queue_number + 1) << QUEUE_SHIFT


class Run:
    """Records for neighbouring rows of one queue."""

    def __init__(self, first_row: int) -> None:
        self.first_row = first_row
        self.records: list[bytes] = []


class Batch:
    """What one commit writes. `number` counts up from 1 in the life of a process."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.definitions: list[Definition] = []
        self.runs: list[Run] = []
        self.tallies: list[Tally] = []
        self.removed = array("q")  # rows
        self.removed_ranges: list[tuple[int, int]] = []  # first and last row of what was purged
        self.ended_queues: list[int] = []  # numbers of queues of which all rows go
        self.set_aside: list[SetAside] = []  # out of their queues, kept for people to look at
        self.definitions_set_aside: list[DefinitionSetAside] = []  # before any is set

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        set_aside = self.set_aside or self.definitions_set_aside
        return not (self.definitions or self.runs or self.removes or self.tallies or set_aside)

    @property
    def removes(self) -> bool:
        """Whether space becomes free."""
        return bool(self.removed or self.removed_ranges or self.ended_queues)
