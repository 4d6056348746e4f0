"""What people may ask of a store without a broker: what is in it, and whether all of it can be read.

Everything here reads through a connection that cannot write, in one transaction: it sees one moment, also beside a running
broker.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw

from core.store import kinds
from core.store.batch import POSITION_LIMIT, QUEUE_SHIFT, rows_of
from core.store.errors import Damaged, StoreError, StoreRefused
from core.store.formats import FORMAT
from core.store.naming import owner_of
from core.store.record import Codec, stored_at_of
from core.store.sealing import place_of, unseal, unseal_row
from core.store.sqlite import FILE, check_format, kind_of, octets
from core.store.stating import lines_of
from core.store.values import load

ROWS_AT_ONCE: Final = 1_000
FAULTS_LISTED: Final = 100  # of SQLite's own check of the file's structure

Progress = Callable[[int, int], None]  # how many of how many

_STATED: Final = frozenset((kinds.EXCHANGE, kinds.QUEUE, kinds.BINDING, kinds.USER, kinds.PERMISSION, kinds.POLICY))


class QueueStats:
    """What one queue has in the store. `vhost` is empty for a queue that no definition names."""

    def __init__(self, number: int, vhost: str, name: str, what: str = "queue") -> None:
        self.number = number
        self.what = what  # a queue, or the session or group of MQTT that it is of
        self.vhost = vhost
        self.name = name
        self.messages = 0
        self.bytes = 0  # of records, which are a little larger than their messages
        self.oldest = 0  # sequence of the first message: how many came before it
        self.oldest_at = 0  # when that was stored, in seconds since the epoch; 0 where that is not known

    @property
    def label(self) -> str:
        """The queue as people know it."""
        if not self.vhost:
            return f"{self.what} '{self.name}'" if self.name else f"queue number {self.number}"
        return f"{self.what} '{self.name}' in vhost '{self.vhost}'"


class Verified:
    """What a verification has read, and a sentence for each thing that is damaged."""

    def __init__(self) -> None:
        self.definitions = 0
        self.messages = 0
        self.set_aside = 0  # records in quarantine: damage that a start has found before
        self.damage: list[str] = []


class Inspection:
    """A store as it is at one moment. StoreRefused when there is none of a format from the `oldest` to this version's."""

    def __init__(self, directory: Path, oldest: int = FORMAT) -> None:
        self.path = directory / FILE
        if not self.path.is_file():
            raise StoreRefused(f"there is no store in {directory}: {self.path} does not exist")
        self.db = open_to_read(self.path, oldest)

    def close(self) -> None:
        """Release the file."""
        self.db.close()

    def queues(self, progress: Progress) -> list[QueueStats]:
        """Return what each queue has, by vhost and name; StoreError when the file is damaged."""
        found = self._named([])
        try:
            total = self._count()
            done = 0
            for number in self._numbers():
                stats = found.setdefault(number, QueueStats(number, "", ""))
                done = self._measure(stats, done, total, progress)
        except apsw.Error as error:
            raise StoreError(f"cannot read {self.path}: {error}") from error
        return sorted(found.values(), key=lambda stats: (stats.vhost, stats.name, stats.number))

    def _measure(self, stats: QueueStats, done: int, total: int, progress: Progress) -> int:
        after, end = rows_of(stats.number)
        after -= 1
        while True:
            row: Any = self.db.execute(
                "select count(*), sum(length(record)), min(row), max(row) from"
                " (select row, record from entry where row > ? and row < ? order by row limit ?)",
                (after, end, ROWS_AT_ONCE),
            ).fetchone()
            count, size, first, last = row
            if not count or last <= after:  # the second is damage, which `verify` tells of
                return done
            if not stats.oldest:
                stats.oldest = first % POSITION_LIMIT
                stats.oldest_at = self._stored_at(first)
            stats.messages += count
            stats.bytes += size
            after = last
            done += count
            progress(done, total)

    def _stored_at(self, row: int) -> int:
        found = self.db.execute("select cast(record as blob) from entry where row = ?", (row,)).get
        try:
            return stored_at_of(unseal_row(octets(found), row))
        except Damaged:
            return 0

    def verify(self, codec: Codec, progress: Progress) -> Verified:
        """Read everything: the structure of the file, the checksum and the parts of each record."""
        found = Verified()
        self._verify_structure(found)
        names = self._verify_definitions(codec, found)
        try:
            total = self._count()
            for number in self._numbers():
                stats = names.get(number)
                if stats is None:
                    stats = QueueStats(number, "", "")
                    found.damage.append(f"{stats.label} has messages, but no definition")
                self._verify_queue(stats, codec, found, lambda: progress(found.messages, total))
            found.set_aside = int(self.db.execute("select count(*) from quarantine").get)
        except apsw.Error as error:
            found.damage.append(f"the file cannot be read to its end: {error}")
        return found

    def _verify_structure(self, found: Verified) -> None:
        try:
            for row in self.db.execute(f"pragma quick_check({FAULTS_LISTED})"):
                if row[0] != "ok":
                    found.damage.append(f"structure of the file: {row[0]}")
        except apsw.Error as error:
            found.damage.append(f"structure of the file: {error}")

    def _verify_definitions(self, codec: Codec, found: Verified) -> dict[int, QueueStats]:
        try:
            for kind, key, record in self.db.execute(
                "select kind, cast(key as blob), cast(record as blob) from definition"
            ):
                found.definitions += 1
                kind = kind_of(kind)
                text = octets(key).decode(errors="surrogateescape")
                try:
                    _verify_definition(kind, text, octets(record), codec)
                except Damaged as damage:
                    found.damage.append(f"{kinds.described(kind, text)}: {damage}")
        except apsw.Error as error:
            found.damage.append(f"the definitions cannot be read: {error}")
        return self._named(found.damage)

    def _verify_queue(self, stats: QueueStats, codec: Codec, found: Verified, progress: Callable[[], None]) -> None:
        first, end = rows_of(stats.number)
        last = first
        try:
            for row, record in self.db.execute(
                "select row, cast(record as blob) from entry where row >= ? and row < ? order by row", (first, end)
            ):
                if row <= last:
                    found.damage.append(f"{stats.label}: message {row % POSITION_LIMIT} is out of order")
                last = row
                found.messages += 1
                try:
                    codec.decode(unseal_row(octets(record), row))
                except Damaged as damage:
                    found.damage.append(f"{stats.label}: message {row % POSITION_LIMIT}: {damage}")
                if found.messages % ROWS_AT_ONCE == 0:
                    progress()
        except apsw.Error as error:
            found.damage.append(f"{stats.label}: what follows message {last % POSITION_LIMIT} cannot be read: {error}")

    def _named(self, damage: list[str]) -> dict[int, QueueStats]:
        """Return the queues that are defined, by number. What cannot be read is left out, and told of by `verify`."""
        found: dict[int, QueueStats] = {}
        try:
            rows: list[Any] = self.db.execute(
                "select kind, cast(key as blob), cast(record as blob) from definition where kind in (?, ?, ?, ?)",
                (kinds.QUEUE, kinds.SESSION, kinds.GROUP, kinds.VOLATILE),
            ).fetchall()
        except apsw.Error as error:
            damage.append(f"the definitions of queues cannot be read: {error}")
            return found
        for kind, raw_key, record in rows:
            key = octets(raw_key).decode(errors="surrogateescape")
            try:
                owner = owner_of(kind, key, unseal(octets(record), place_of(kind, key)))
            except Damaged:
                continue
            if owner is not None:
                found[owner.number] = QueueStats(owner.number, owner.vhost, owner.name, owner.what)
        return found

    def _numbers(self) -> list[int]:
        found: list[int] = []
        row: Any = self.db.execute("select min(row) from entry").get
        while row is not None and (not found or row >> QUEUE_SHIFT > found[-1]):
            found.append(row >> QUEUE_SHIFT)
            row = self.db.execute("select min(row) from entry where row >= ?", (rows_of(found[-1])[1],)).get
        return found

    def _count(self) -> int:
        return int(self.db.execute("select count(*) from entry").get)


def open_to_read(path: Path, oldest: int = FORMAT) -> apsw.Connection:
    """Open the file of a store, or a backup of one, and stay at this moment; StoreRefused when it is neither."""
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        db.execute("begin")
        check_format(db, path, oldest)
    except (apsw.CorruptError, apsw.NotADBError) as damage:
        raise StoreRefused(
            f"cannot open {path}: {damage}; if it is a store, `dragoman store salvage` takes out what is readable"
        ) from damage
    except apsw.Error as error:
        raise StoreRefused(f"cannot open {path}: {error}") from error
    return db


def _verify_definition(kind: int, key: str, record: bytes, codec: Codec) -> None:
    content = unseal(record, place_of(kind, key))
    if kind == kinds.RETAINED:
        codec.decode(content)
    if kind in _STATED and not isinstance(load(content), list):
        raise Damaged("not what a definition is")
    if kind in {kinds.SEEN, kinds.IN_FLIGHT}:
        lines_of(content)
