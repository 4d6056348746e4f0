"""The store on disk: one SQLite file in a data directory of its own.

Write-ahead log, `synchronous=FULL`: a commit has been synced when it returns. A commit is a handful of statements whatever its
size, because each of them waits for the interpreter's lock behind a busy event loop; the arrays are bound as they are (`carray`).
On one machine, 300-byte records, synced, put and removed in turn: 820,000/s in batches of 1,000 and 290,000/s in batches of
100; row by row (`executemany`) 590,000 and 230,000.
"""

import fcntl
import os
from array import array
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import apsw

from core.store.batch import QUEUE_SHIFT, Batch, Run, rows_of
from core.store.errors import StoreError, StoreFull, StoreRefused
from core.store.formats import FORMAT, OLDEST, TALLIES, bring_up, format_of
from core.store.interface import Store
from core.store.quarantine import QUARANTINE, set_definitions_aside, set_entries_aside
from core.store.reader import Reader, Row
from core.store.space import LOG_LIMIT_BYTES, Clock, Limits, Space, untimed
from core.store.sqlite_reader import BUSY_MS, SqliteReader

FILE: Final = "dragoman.db"
LOCK: Final = "lock"
APPLICATION_ID: Final = 0x4472_6167  # "Drag"
LONG_RUN: Final = 8  # records in a row of rows; a shorter one is not worth a statement of its own

_TABLES: Final = """
create table definition (kind integer not null, key text not null, record blob not null, primary key (kind, key)) without rowid;
create table entry (row integer primary key, record blob not null);
create table mark (name text primary key, value integer not null) without rowid;
insert into mark values ('clean', 1);
"""
_ADD_RUN: Final = "insert into entry select ? + rowid, value from carray(?)"
# `materialized`, so that SQLite indexes the second array instead of running through it for each row of the first.
_ADD_APART: Final = (
    "with place as materialized (select rowid as n, value from carray(?)),"
    " what as materialized (select rowid as n, value from carray(?))"
    " insert into entry select place.value, what.value from place join what using (n)"
)
_REMOVE: Final = "delete from entry where row in (select value from carray(?))"
_REMOVE_RANGE: Final = "delete from entry where row >= ? and row < ?"
_COUNT_APART: Final = (
    "with number as materialized (select rowid as n, value from carray(?)),"
    " what as materialized (select rowid as n, value from carray(?))"
    " insert into tally select number.value, what.value from number join what using (n) where true"
    " on conflict do update set record = excluded.record"
)
_FORGET_COUNTS: Final = "delete from tally where queue in (select value from carray(?))"
_SET: Final = "insert into definition values (?, ?, ?) on conflict do update set record = excluded.record"
_UNSET: Final = "delete from definition where kind = ? and key = ?"


class SqliteStore(Store):
    """Keeps everything in the file of a data directory, which one process at a time may use."""

    def __init__(self, directory: Path, limits: Limits | None = None, clock: Clock = untimed) -> None:
        """Open or create the store; StoreRefused when it cannot be used. One of an older format is brought to this version's.

        Without a clock no step of giving space back takes less than it may.
        """
        self._directory = directory
        self._readers: list[SqliteReader] = []
        self._lock = lock_directory(directory)
        try:
            self._db, self.found_format = _open(directory / FILE)
        except BaseException:
            os.close(self._lock)
            raise
        self._space = Space(self._db, limits or Limits(), clock)

    def stopped_cleanly(self) -> bool:
        return bool(self._one("select value from mark where name = 'clean'"))

    def begin(self) -> None:
        self._all("update mark set value = 0 where name = 'clean'")

    def definitions(self) -> Iterable[tuple[int, str, bytes]]:
        found = self._all("select kind, cast(key as blob), cast(record as blob) from definition order by kind, key")
        return [(kind_of(row[0]), octets(row[1]).decode(errors="surrogateescape"), octets(row[2])) for row in found]

    def quarantined(self) -> int:
        with suppress(StoreRefused):  # where that table is damaged nothing else needs it, and `verify` says so
            return self._one("select count(*) from quarantine") or 0
        return 0

    def rows(self, queue_number: int, after: int, limit: int) -> list[Row]:
        first, end = rows_of(queue_number)
        found = self._all(
            "select row, cast(record as blob) from entry where row >= ? and row < ? order by row limit ?",
            (max(first, after + 1), end, limit),
        )
        rows: list[Row] = []
        last = max(first - 1, after)
        for row, record in found:
            if not last < row < end:
                raise self._damaged(f"row {row} where one behind {last} should be")
            rows.append((row, octets(record)))
            last = row
        return rows

    def tallies(self) -> list[tuple[int, bytes]]:
        return [(row[0], octets(row[1])) for row in self._all("select queue, cast(record as blob) from tally")]

    def last_row(self, queue_number: int) -> int:
        first, end = rows_of(queue_number)
        found = self._one("select max(row) from entry where row >= ? and row < ?", (first, end)) or 0
        if found and not first <= found < end:
            raise self._damaged(f"row {found} where one of queue number {queue_number} should be")
        return found

    def queue_numbers(self) -> list[int]:
        found: list[int] = []
        row = self._one("select min(row) from entry")
        while row is not None:
            if found and row >> QUEUE_SHIFT <= found[-1]:
                raise self._damaged(f"row {row} behind those of queue number {found[-1]}")
            found.append(row >> QUEUE_SHIFT)
            row = self._one("select min(row) from entry where row >= ?", (rows_of(row >> QUEUE_SHIFT)[1],))
        return found

    def commit(self, batch: Batch) -> None:
        try:
            self._db.execute("begin immediate")
            try:
                self._write(batch)
                self._db.execute("commit")
            except BaseException:
                with suppress(apsw.Error):
                    if self._db.in_transaction:
                        self._db.execute("rollback")
                raise
            self._space.committed()
        except apsw.FullError as error:
            self._space.refused()
            raise StoreFull(f"no space left for {self._directory / FILE}") from error
        except apsw.Error as error:
            if self._space.lacks_room_for_the_index(error):
                self._space.refused()
                raise StoreFull(f"no space left for {self._directory / FILE}-shm") from error
            raise StoreError(f"cannot write {self._directory / FILE}: {error}") from error

    def _write(self, batch: Batch) -> None:
        db = self._db
        places = array("q")
        apart: list[bytes] = []
        for run in batch.runs:
            if len(run.records) >= LONG_RUN:
                db.execute(_ADD_RUN, (run.first_row - 1, apsw.carray(tuple(run.records))))
            else:
                _take_apart(run, places, apart)
        if apart:
            db.execute(_ADD_APART, (apsw.carray(places), apsw.carray(tuple(apart))))
        if batch.removed:
            db.execute(_REMOVE, (apsw.carray(batch.removed),))
        for first, last in batch.removed_ranges:
            db.execute(_REMOVE_RANGE, (first, last + 1))
        self._count(batch)
        for number in batch.ended_queues:
            db.execute(_REMOVE_RANGE, rows_of(number))
        set_entries_aside(db, batch)
        set_definitions_aside(db, batch)
        for kind, key, record in batch.definitions:
            if record is None:
                db.execute(_UNSET, (kind, key))
            else:
                db.execute(_SET, (kind, key, record))
        if batch.removes or self._space.giving:
            self._space.written()

    def _count(self, batch: Batch) -> None:
        numbers = array("q")
        records: list[bytes] = []
        gone = array("q", batch.ended_queues)
        for number, record in batch.tallies:
            if record is None:
                gone.append(number)
            else:
                numbers.append(number)
                records.append(record)
        if numbers:
            self._db.execute(_COUNT_APART, (apsw.carray(numbers), apsw.carray(tuple(records))))
        if gone:
            self._db.execute(_FORGET_COUNTS, (apsw.carray(gone),))

    def tidy(self) -> bool:
        try:
            return self._space.tidy()
        except apsw.FullError:
            return False
        except apsw.Error as error:
            if self._space.lacks_room_for_the_index(error):
                return False
            raise StoreError(f"cannot write {self._directory / FILE}: {error}") from error

    def reader(self) -> Reader:
        reader = SqliteReader(self._directory / FILE)
        self._readers.append(reader)
        return reader

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        try:
            self._all("update mark set value = 1 where name = 'clean'")
            self._db.close()
        except apsw.Error as error:
            raise StoreError(f"cannot close {self._directory / FILE}: {error}") from error
        finally:
            os.close(self._lock)

    def _all(self, statement: str, values: tuple[str | int, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except apsw.CorruptError as error:
            raise self._damaged(str(error)) from error
        except apsw.Error as error:
            raise StoreError(f"cannot use {self._directory / FILE}: {error}") from error

    def _damaged(self, what: str) -> StoreRefused:
        return StoreRefused(
            f"{self._directory / FILE} is damaged: {what}; `dragoman store verify` says where, a backup restores it,"
            " and `dragoman store salvage` takes out what is readable"
        )

    def _one(self, statement: str, values: tuple[str | int, ...] = ()) -> int | None:
        rows = self._all(statement, values)
        found = rows[0][0] if rows else None
        return found if isinstance(found, int) else None


def kind_of(kind: object) -> int:
    """Return a kind; where damage has made something else of it, one that there is not."""
    return kind if isinstance(kind, int) else -1


def octets(record: object) -> bytes:
    """Return a record; where damage has made something else of it, one whose checksum is wrong."""
    return record if isinstance(record, bytes) else b""


def _take_apart(run: Run, places: "array[int]", apart: list[bytes]) -> None:
    places.extend(range(run.first_row, run.first_row + len(run.records)))
    apart.extend(run.records)


def lock_directory(directory: Path) -> int:
    """Make the data directory this process's own until the descriptor that is returned is closed."""
    try:
        if not directory.is_dir():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_path(directory.absolute().parent)  # else a power loss may take the whole store with its name
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreRefused(f"cannot use the data directory {directory}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreRefused(f"the data directory {directory} is in use by another broker") from error
    return lock


def sync_path(path: Path) -> None:
    """Put a file on stable storage, or which names a directory has."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _open(path: Path) -> tuple[apsw.Connection, int]:
    """Return the file of a store, and the format that it had."""
    new = not path.exists() or not path.stat().st_size
    try:
        if new:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            found_format = _prepare(db, path, new=new)
        except BaseException:
            db.close(True)
            raise
    except (apsw.Error, OSError) as error:
        raise StoreRefused(f"cannot open {path}: {error}") from error
    return db, found_format


def _prepare(db: apsw.Connection, path: Path, *, new: bool) -> int:
    db.set_busy_timeout(BUSY_MS)  # as where another process, `dragoman backup`, reads and puts the log in order first
    db.execute("pragma synchronous = full")
    db.execute("pragma foreign_keys = off")
    db.execute("pragma temp_store = memory")  # of which a file that is written anew takes 16 MiB
    if new:
        db.execute("pragma auto_vacuum = incremental")
    db.execute("pragma journal_mode = wal").fetchall()
    db.execute(f"pragma journal_size_limit = {LOG_LIMIT_BYTES}").fetchall()
    if not db.execute("pragma application_id").get:
        _create(db, path)
    check_format(db, path, OLDEST)
    found_format = format_of(db)
    if found_format != FORMAT:
        bring_up(db, path, lambda _done, _total: None, keep=True)
    return found_format


def _create(db: apsw.Connection, path: Path) -> None:
    if db.execute("select count(*) from sqlite_schema").get:
        raise StoreRefused(f"{path} is an SQLite file, but not one of a broker; name another data directory")
    with db:
        db.execute(_TABLES)
        db.execute(TALLIES)
        db.execute(QUARANTINE)
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {FORMAT}")


def check_format(db: apsw.Connection, path: Path, oldest: int = FORMAT) -> None:
    """Refuse the file of another program, and other formats than those from the `oldest` to this version's."""
    if db.execute("pragma application_id").get != APPLICATION_ID:
        raise StoreRefused(f"{path} is an SQLite file, but not one of a broker; name another data directory")
    found = format_of(db)
    if OLDEST <= found < oldest:
        raise StoreRefused(f"{path} has format {found}; `dragoman store migrate` brings it to format {FORMAT}")
    if not oldest <= found <= FORMAT:
        raise StoreRefused(
            f"{path} has format {found}, and this version knows formats {OLDEST} to {FORMAT}; use the version that wrote it"
        )
