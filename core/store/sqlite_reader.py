"""The reader of the store on disk: a connection of its own to the same file, which cannot write.

With a write-ahead log neither waits for the other. A read ends its transaction at once, or the log could not be begun anew.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import apsw

from core.store.errors import StoreError
from core.store.reader import Reader, Row

BUSY_MS: Final = 1_000  # to wait where another connection puts the log in order

# `>=`, since a search for what is behind a row begins on the page of that row, which may be one that cannot be read. And a
# flipped bit may have made text of a blob, which need not be text.
_RANGE: Final = "select row, cast(record as blob) from entry where row >= ? and row <= ? order by row limit ?"


class SqliteReader(Reader):
    """Reads the entries of a store's file."""

    def __init__(self, path: Path) -> None:
        """Open the file; StoreError when it cannot be read."""
        self._path = path
        try:
            self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            self._db.set_busy_timeout(BUSY_MS)
        except apsw.Error as error:
            raise StoreError(f"cannot open {path}: {error}") from error

    def read(self, after: int, last: int, limit: int, limit_bytes: int) -> list[Row]:
        rows: list[Row] = []
        try:
            cursor = self._db.execute(_RANGE, (after + 1, last, limit))
            try:
                _collect(cursor, after, last, limit_bytes, rows)
            finally:
                cursor.close(True)
        except apsw.Error as error:
            if not rows:
                raise StoreError(f"cannot read {self._path}: {error}") from error
        return rows

    def close(self) -> None:
        self._db.close(True)


def _collect(cursor: Iterable[Any], after: int, last: int, limit_bytes: int, rows: list[Row]) -> None:
    for row, record in cursor:
        if not after < row <= last:
            raise apsw.CorruptError(f"row {row} where one behind {after} should be")
        after = row
        found = record if isinstance(record, bytes) else b""  # else damage: its checksum is wrong
        rows.append((row, found))
        limit_bytes -= len(found)
        if limit_bytes <= 0:
            return
