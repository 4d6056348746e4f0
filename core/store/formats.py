"""The formats of the file that there have been, and the way from each older one to this version's.

    1    records are sealed without their place
    2    a definition is sealed with its kind and key, an entry with its row (`core.store.sealing`); entries of before, whose seal
         says nothing of a row, are read as they are; a table has how much there is in each queue, and a queue that is not in
         it is counted when it is first needed
    3    definitions that cannot be read are in quarantine too, which has entries only before (`core.store.quarantine`); the
         definition of a queue says whether it has message groups

A migration is one transaction, so that a failure leaves the file in one format or in the other.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import apsw
import crc32c

from core.store.errors import Damaged, StoreRefused
from core.store.kinds import DELAYED
from core.store.quarantine import widen
from core.store.sealing import SEAL_BYTES, place_of, seal
from core.store.values import dump, load

FORMAT: Final = 3  # of this version; SQLite's user_version
TALLIES: Final = "create table tally (queue integer primary key, record blob not null)"
OLDEST: Final = 1  # that this version can bring up
SEALED_IN_PLACE: Final = 2  # the oldest whose records tell where they belong
DEFINITIONS_AT_ONCE: Final = 1_000

Progress = Callable[[int, int], None]  # how many definitions of how many


class Migrated:
    """What a migration has found and done."""

    def __init__(self, found_format: int) -> None:
        self.found_format = found_format
        self.definitions = 0
        self.damaged = 0  # of those: left as they are, for a start to tell of


def format_of(db: apsw.Connection) -> int:
    """Return the format of a broker's file."""
    return int(db.execute("pragma user_version").get)


def bring_up(db: apsw.Connection, path: Path, progress: Progress, *, keep: bool) -> Migrated:
    """Bring a file of an older format to this version's; without `keep` do all of it and take it back.

    StoreRefused when that fails.
    """
    done = Migrated(format_of(db))
    try:
        db.execute("begin immediate")
        try:
            if done.found_format == 1:
                db.execute(TALLIES)
                _seal_with_places(db, done, progress)
            if done.found_format <= 2:
                widen(db)
            db.execute(f"pragma user_version = {FORMAT}")
            db.execute("commit" if keep else "rollback")
        except BaseException:
            with suppress(apsw.Error):
                if db.in_transaction:
                    db.execute("rollback")
            raise
    except apsw.Error as error:
        raise StoreRefused(
            f"cannot bring {path} from format {done.found_format} to format {FORMAT}: {error}; nothing is changed by half"
        ) from error
    return done


def _seal_with_places(db: apsw.Connection, done: Migrated, progress: Progress) -> None:
    total = int(db.execute("select count(*) from definition").get)
    kind: Any = -1
    key = b""
    while rows := _next_definitions(db, kind, key):
        sealed: list[tuple[bytes, Any, bytes]] = []
        for kind, key, record in rows:
            done.definitions += 1
            try:
                content = _content_of(kind, record)
            except Damaged:
                done.damaged += 1
            else:
                sealed.append((seal(content, place_of(kind, key.decode(errors="replace"))), kind, key))
        db.executemany("update definition set record = ? where kind = ? and key = cast(? as text)", sealed)
        progress(done.definitions, total)


def _next_definitions(db: apsw.Connection, kind: Any, key: bytes) -> list[Any]:
    """Return some of the definitions behind one. Keys are read as they are, since damage can make them no text."""
    return db.execute(
        "select kind, cast(key as blob), cast(record as blob) from definition where (kind, key) > (?, cast(? as text))"
        " order by kind, key limit ?",
        (kind, key, DEFINITIONS_AT_ONCE),
    ).fetchall()


def _content_of(kind: Any, record: Any) -> bytes:
    content = _unseal_1(record)
    if kind == DELAYED:  # the message in it was sealed a second time
        stated = load(content)
        if not isinstance(stated, list) or len(stated) != 5:
            raise Damaged("not what a delayed message is")
        *about, message = stated
        return dump([*about, _unseal_1(message)])
    return content


def _unseal_1(record: Any) -> bytes:
    if not isinstance(record, bytes) or len(record) < SEAL_BYTES:
        raise Damaged("no record")
    content = record[SEAL_BYTES:]
    if crc32c.crc32c(content).to_bytes(SEAL_BYTES, "big") != record[:SEAL_BYTES]:
        raise Damaged("the checksum does not match")
    return content
