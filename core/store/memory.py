"""A store that forgets everything with the process: for tests, and the reference for what a store does."""

from collections.abc import Iterable

from mypy_extensions import mypyc_attr

from core.store.batch import Batch, rows_of
from core.store.interface import Row, Store


@mypyc_attr(allow_interpreted_subclasses=True)
class MemoryStore(Store):
    """Keeps what is committed in mappings."""

    def __init__(self) -> None:
        self.quarantine: dict[int, tuple[bytes, str]] = {}
        self._definitions: dict[tuple[int, str], bytes] = {}
        self._rows: dict[int, bytes] = {}
        self._clean = True

    def stopped_cleanly(self) -> bool:
        return self._clean

    def begin(self) -> None:
        self._clean = False

    def definitions(self) -> Iterable[tuple[int, str, bytes]]:
        return [(kind, key, record) for (kind, key), record in sorted(self._definitions.items())]

    def rows(self, queue_number: int, after: int, limit: int) -> list[Row]:
        first, end = rows_of(queue_number)
        found = sorted(row for row in self._rows if max(first, after + 1) <= row < end)
        return [(row, self._rows[row]) for row in found[:limit]]

    def queue_numbers(self) -> list[int]:
        first, _ = rows_of(1)
        return sorted({row // first for row in self._rows})

    def commit(self, batch: Batch) -> None:
        for kind, key, record in batch.definitions:
            if record is None:
                self._definitions.pop((kind, key), None)
            else:
                self._definitions[kind, key] = record
        for run in batch.runs:
            for offset, record in enumerate(run.records):
                self._rows[run.first_row + offset] = record
        for row in batch.removed:
            self._rows.pop(row, None)
        for number in batch.ended_queues:
            first, end = rows_of(number)
            for row in [row for row in self._rows if first <= row < end]:
                del self._rows[row]

    def set_aside(self, row: int, record: bytes, reason: str) -> None:
        self._rows.pop(row, None)
        self.quarantine[row] = record, reason

    def close(self) -> None:
        self._clean = True
