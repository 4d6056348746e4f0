"""A store that forgets everything with the process: for tests, and the reference for what a store does."""

from collections.abc import Iterable

from mypy_extensions import mypyc_attr

from core.store.batch import Batch, DefinitionSetAside, SetAside, rows_of
from core.store.interface import Store
from core.store.reader import Reader, Row


@mypyc_attr(allow_interpreted_subclasses=True)
class MemoryStore(Store):
    """Keeps what is committed in mappings."""

    def __init__(self) -> None:
        self.quarantine: list[SetAside] = []
        self.quarantined_definitions: list[DefinitionSetAside] = []
        self._definitions: dict[tuple[int, str], bytes] = {}
        self._rows: dict[int, bytes] = {}
        self._tallies: dict[int, bytes] = {}
        self._clean = True

    def stopped_cleanly(self) -> bool:
        return self._clean

    def begin(self) -> None:
        self._clean = False

    def definitions(self) -> Iterable[tuple[int, str, bytes]]:
        return [(kind, key, record) for (kind, key), record in sorted(self._definitions.items())]

    def quarantined(self) -> int:
        return len(self.quarantine) + len(self.quarantined_definitions)

    def rows(self, queue_number: int, after: int, limit: int) -> list[Row]:
        first, end = rows_of(queue_number)
        found = sorted(row for row in self._rows if max(first, after + 1) <= row < end)
        return [(row, self._rows[row]) for row in found[:limit]]

    def tallies(self) -> list[tuple[int, bytes]]:
        return sorted(self._tallies.items())

    def last_row(self, queue_number: int) -> int:
        first, end = rows_of(queue_number)
        return max([row for row in self._rows if first <= row < end], default=0)

    def queue_numbers(self) -> list[int]:
        first, _ = rows_of(1)
        return sorted({row // first for row in self._rows})

    def commit(self, batch: Batch) -> None:
        for aside in batch.definitions_set_aside:
            if self._definitions.get(aside[:2]) == aside[2]:
                del self._definitions[aside[:2]]
                self.quarantined_definitions.append(aside)
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
        for first, last in batch.removed_ranges:
            self._remove(first, last + 1)
        for number, tally in batch.tallies:
            if tally is None:
                self._tallies.pop(number, None)
            else:
                self._tallies[number] = tally
        for number in batch.ended_queues:
            self._remove(*rows_of(number))
            self._tallies.pop(number, None)
        for row, record, reason in batch.set_aside:
            self._rows.pop(row, None)
            self.quarantine.append((row, record, reason))

    def _remove(self, first: int, end: int) -> None:
        for row in [row for row in self._rows if first <= row < end]:
            del self._rows[row]

    def tidy(self) -> bool:
        return False

    def reader(self) -> Reader:
        return MemoryReader(self._rows)

    def close(self) -> None:
        self._clean = True


class MemoryReader(Reader):
    """Reads the mapping of entries."""

    def __init__(self, rows: dict[int, bytes]) -> None:
        self._rows = rows

    def read(self, after: int, last: int, limit: int, limit_bytes: int) -> list[Row]:
        found: list[Row] = []
        for row in sorted(row for row in self._rows if after < row <= last)[:limit]:
            record = self._rows[row]
            found.append((row, record))
            limit_bytes -= len(record)
            if limit_bytes <= 0:
                break
        return found
