"""Salvage: what is readable in a file whose structure is damaged comes out into a new store.

SQLite reads a tree from its root, so that one damaged page can hide all others. Here each page is read by itself: the pointer map
says which pages are of a tree, and so do pages above them; the shape of a record says which table it is of, and its checksum
whether it is what was written there. So a damaged page costs what it held. The counts of queues tell how much that was.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from core.model.names import DEFAULT_VHOST
from core.store.batch import QUEUE_SHIFT
from core.store.errors import Damaged, StoreRefused
from core.store.formats import FORMAT, SEALED_IN_PLACE
from core.store.kinds import QUEUE, key_of
from core.store.naming import Owner, owner_of
from core.store.raw_cells import INDEX_INTERIOR, TABLE_INTERIOR, TABLE_LEAF, Columns, cells, children, columns, kind_of
from core.store.raw_pages import PENDING_PAGE, ROOT, TREE, Pages
from core.store.sealing import place_of, seal, unseal, unseal_row
from core.store.shelf import tally_of
from core.store.sqlite import FILE, LOCK, SqliteStore, lock_directory, sync_path
from core.store.values import dump

ENTRY_SET_ASIDE: Final = 3  # columns of the table of format 2
SET_ASIDE: Final = 5  # of this format's
PART: Final = "salvage.part"  # folder of one that has not ended; the next one begins anew
FIRST_TREE: Final = 2  # page 1 has the tables' names, which are known
COUNTS: Final = b"tally"  # the table of how much each queue has
NAME_COLUMN: Final = 1  # of the schema's table
ROOT_COLUMN: Final = 3
DEEPEST: Final = 20  # levels of a tree, as SQLite's own limit
SCHEMA_AT: Final = 100  # offset of the tree in the first page, behind the file's own head
ROWS_AT_ONCE: Final = 10_000  # written by one transaction
PAGES_AT_ONCE: Final = 1_000  # read between two reports
FORMAT_AT: Final = 60  # offset of SQLite's user_version in a file

_SET_ASIDE_ONCE: Final = (
    "delete from quarantine where rowid not in (select min(rowid) from quarantine group by row, kind, key, record)"
)

Progress = Callable[[int, int], None]  # how many pages of how many
Row = tuple[int, bytes]
SetAside = tuple[int | None, int | None, str | None, bytes, str]  # row, kind and key, record, reason


class SalvagedQueue:
    """What came out of one queue. `counted` is what the store had counted; None where that could not be read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.owner: Owner | None = None
        self.messages = 0
        self.counted: int | None = None

    @property
    def lost(self) -> int | None:
        """How many messages are missing; None where that is not known."""
        return None if self.counted is None else max(0, self.counted - self.messages)


class Salvaged:
    """What came out, and what could not be read."""

    def __init__(self) -> None:
        self.definitions = 0
        self.broken_definitions = 0
        self.broken_messages = 0  # records whose checksum is wrong; they are in quarantine
        self.broken_pages = 0  # of a tree
        self.broken_cells = 0
        self.named_anew = 0  # queues whose definition could not be read
        self._queues: dict[int, SalvagedQueue] = {}

    def queue(self, number: int) -> SalvagedQueue:
        """Return what is known of a queue."""
        found = self._queues.get(number)
        if found is None:
            found = self._queues[number] = SalvagedQueue(number)
        return found

    def count_absent(self) -> None:
        """Take what was not counted for empty: all counts could be read, and an empty queue has none."""
        for queue in self._queues.values():
            if queue.counted is None:
                queue.counted = 0

    @property
    def lost(self) -> int | None:
        """How many messages are missing in all; None where that is not known of a queue."""
        total = 0
        for queue in self._queues.values():
            if queue.lost is None:
                return None
            total += queue.lost
        return total

    def queues(self) -> list[SalvagedQueue]:
        """Return all queues, by vhost and name, those that no definition names at the end."""
        return sorted(self._queues.values(), key=_order)


def _order(queue: SalvagedQueue) -> tuple[bool, str, str, int]:
    owner = queue.owner
    return (owner is None, owner.vhost if owner else "", owner.name if owner else "", queue.number)


def salvage(source: Path, directory: Path, progress: Progress) -> Salvaged:
    """Make a store of what can be read in a file, in a directory that has none. The file is left as it is.

    `source` is a data directory, which nobody may use meanwhile, or a file. StoreRefused when there is nothing to read, or
    somewhere else to write.
    """
    path = source / FILE if source.is_dir() else source
    if not path.is_file():
        raise StoreRefused(f"there is no store in {source}: {path} does not exist")
    if directory.is_dir():
        there = sorted(name for name in os.listdir(directory) if name not in (LOCK, PART))
        if there:
            raise StoreRefused(f"{directory} is not empty: it has {there[0]}; salvage into an empty directory")
    locks: list[int] = []
    try:
        if source.is_dir():
            locks.append(lock_directory(source))
        locks.append(lock_directory(directory))
        pages = Pages(path)
        try:
            return _Salvage(pages, path).into(directory, progress)
        finally:
            pages.close()
    finally:
        for lock in locks:
            os.close(lock)


class _Salvage:
    def __init__(self, pages: Pages, path: Path) -> None:
        first = pages.page(1)
        found_format = 0 if first is None else int.from_bytes(first[FORMAT_AT : FORMAT_AT + 4], "big")
        if 0 < found_format < SEALED_IN_PLACE:
            raise StoreRefused(
                f"{path} has format {found_format}, and only formats {SEALED_IN_PLACE} to {FORMAT} can be salvaged"
            )
        self._pages = pages
        self._found = Salvaged()
        self._rows: list[Row] = []
        self._set_aside: list[SetAside] = []
        self._definitions: list[tuple[int, str, bytes]] = []

    def into(self, directory: Path, progress: Progress) -> Salvaged:
        """Write what is found to a new store."""
        part = directory / PART
        shutil.rmtree(part, ignore_errors=True)
        SqliteStore(part).close()
        db = apsw.Connection(str(part / FILE), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            db.execute("pragma synchronous = off")  # synced as a whole at the end
            self._read_all(db, progress)
            self._write(db)
            self._name_anew()
            self._write(db)
            if self._is_whole(self._tables().get(COUNTS, 0)):
                self._found.count_absent()
            db.execute(_SET_ASIDE_ONCE)
            db.execute("update mark set value = 0 where name = 'clean'")  # messages may have been delivered
            db.execute("pragma journal_mode = delete").fetchall()
        finally:
            db.close()
        sync_path(part / FILE)
        (part / FILE).rename(directory / FILE)
        sync_path(directory)
        shutil.rmtree(part)
        return self._found

    def _read_all(self, db: apsw.Connection, progress: Progress) -> None:
        pages = self._pages
        total = 2 * pages.count
        live = sorted(self._live(lambda done: progress(done, total)))
        for done, number in enumerate(live):
            if done % PAGES_AT_ONCE == 0:
                progress(pages.count + done, pages.count + len(live))
            page = pages.page(number)
            kind = 0 if page is None else kind_of(page)
            if page is None or not kind:
                self._found.broken_pages += 1
            elif kind != TABLE_INTERIOR:
                self._read_page(page, kind)
                if len(self._rows) >= ROWS_AT_ONCE:
                    self._write(db)

    def _live(self, progress: Callable[[int], None]) -> set[int]:
        """Return the pages of trees: those that the map knows, and those that the schema or a page of a tree has below it.

        Pages that are free are in neither, and what was taken out of its queue does not come back.
        """
        pages = self._pages
        waiting = list(self._tables().values())
        for number in range(FIRST_TREE, pages.count + 1):
            if number % PAGES_AT_ONCE == 0:
                progress(number)
            if pages.use_of(number) in (ROOT, TREE):
                waiting.append(number)
        found: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number in found or number < FIRST_TREE or number == PENDING_PAGE or pages.is_map(number):
                continue
            found.add(number)
            page = pages.page(number)
            if page is not None and kind_of(page) in (TABLE_INTERIOR, INDEX_INTERIOR):
                waiting.extend(children(page))
        return found

    def _tables(self) -> dict[bytes, int]:
        """Return the root of each table's tree, as far as the first page, which has the schema, can be read."""
        page = self._pages.page(1)
        found: dict[bytes, int] = {}
        for cell in cells(page, self._pages.page, SCHEMA_AT) if page is not None else ():
            row = None if cell is None else columns(cell[1])
            if row is not None and len(row) > ROOT_COLUMN:
                name, root = row[NAME_COLUMN], row[ROOT_COLUMN]
                if isinstance(name, bytes) and isinstance(root, int):
                    found[name] = root
        return found

    def _is_whole(self, number: int, depth: int = 0) -> bool:
        """Tell whether all of a tree can be read."""
        page = self._pages.page(number)
        kind = 0 if page is None else kind_of(page)
        if page is None or not kind or depth > DEEPEST:
            return False
        if kind == TABLE_INTERIOR:
            return all(self._is_whole(child, depth + 1) for child in children(page))
        return all(cell is not None and columns(cell[1]) is not None for cell in cells(page, self._pages.page))

    def _read_page(self, page: bytes, kind: int) -> None:
        for cell in cells(page, self._pages.page):
            found = None if cell is None else columns(cell[1])
            if cell is None or found is None:
                self._found.broken_cells += 1
            elif kind == TABLE_LEAF:
                self._take_row(cell[0], found)
            else:
                self._take_definition(found)

    def _take_row(self, row: int, found: Columns) -> None:
        if len(found) in (ENTRY_SET_ASIDE, SET_ASIDE):
            self._take_set_aside(row, found)
            return
        record = found[1] if len(found) > 1 else None
        if not isinstance(record, bytes):
            self._found.broken_cells += 1
        elif row >> QUEUE_SHIFT:
            self._take_entry(row, record)
        else:
            try:
                self._found.queue(row).counted = tally_of(row, record)[0]
            except Damaged:
                self._found.broken_cells += 1

    def _take_set_aside(self, row: int, found: Columns) -> None:
        where: int | None = row
        kind: object = None
        key: object = None
        if len(found) == SET_ASIDE:
            place, kind, key, record, reason = found
            where = place if isinstance(place, int) else None
        else:
            _, record, reason = found
        if isinstance(record, bytes):
            self._set_aside.append(
                (where, kind if isinstance(kind, int) else None, _text(key), record, _text(reason) or "")
            )
        else:
            self._found.broken_cells += 1

    def _take_entry(self, row: int, record: bytes) -> None:
        try:
            unseal_row(record, row)
        except Damaged as damage:
            self._found.broken_messages += 1
            self._set_aside.append((row, None, None, record, str(damage)))
        else:
            self._rows.append((row, record))

    def _take_definition(self, found: Columns) -> None:
        if len(found) != 3:  # a mark
            return
        kind, raw_key, record = found
        if not isinstance(kind, int) or not isinstance(raw_key, bytes) or not isinstance(record, bytes):
            self._found.broken_definitions += 1
            return
        key = raw_key.decode(errors="surrogateescape")
        try:
            content = unseal(record, place_of(kind, key))
        except Damaged as damage:
            self._found.broken_definitions += 1
            self._set_aside.append((None, kind, raw_key.decode(errors="replace"), record, str(damage)))
            return
        self._definitions.append((kind, key, record))
        owner = owner_of(kind, key, content)
        if owner is not None:
            self._found.queue(owner.number).owner = owner

    def _name_anew(self) -> None:
        """Define the queues of messages that no definition is left for, or nobody could reach them."""
        for queue in self._found.queues():
            if queue.owner is None and queue.messages:
                owner = queue.owner = Owner(queue.number, "queue", DEFAULT_VHOST, f"salvaged-{queue.number}")
                key = key_of(owner.vhost, owner.name)
                record = seal(dump([owner.number, False, {}]), place_of(QUEUE, key))
                self._definitions.append((QUEUE, key, record))
                self._found.named_anew += 1

    def _write(self, db: apsw.Connection) -> None:
        """Write what was read since the last time. What is there twice, on a page that is no more in use, is the same."""
        with db:
            for row in self._rows:
                db.execute("insert or ignore into entry values (?, ?)", row)
                self._found.queue(row[0] >> QUEUE_SHIFT).messages += db.changes()
            db.executemany("insert into quarantine values (?, ?, ?, ?, ?)", self._set_aside)
            for definition in self._definitions:
                db.execute("insert or ignore into definition values (?, ?, ?)", definition)
                self._found.definitions += db.changes()
        self._rows.clear()
        self._set_aside.clear()
        self._definitions.clear()


def _text(column: object) -> str | None:
    return column.decode(errors="replace") if isinstance(column, bytes) else None
