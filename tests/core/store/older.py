"""Stores of older formats, made of what this version writes."""

import sqlite3
from pathlib import Path

import crc32c

from core.store import kinds
from core.store.sealing import place_of, unseal, unseal_row
from core.store.sqlite import FILE
from core.store.values import dump, load


def make_format_1(directory: Path) -> None:
    """Make of a store that nobody uses the one that the first format would have had."""
    make_format_2(directory)
    with sqlite3.connect(directory / FILE) as db:
        for kind, key, record in db.execute("select kind, key, record from definition").fetchall():
            content = unseal(record, place_of(kind, key))
            if kind == kinds.DELAYED:
                *about, message = load(content)
                content = dump([*about, sealed_1(content_1(message))])
            elif kind == kinds.RETAINED:
                content = content_1(content)
            db.execute("update definition set record = ? where kind = ? and key = ?", (sealed_1(content), kind, key))
        for row, record in db.execute("select row, record from entry").fetchall():
            db.execute("update entry set record = ? where row = ?", (sealed_1(content_1(unseal_row(record, row))), row))
        db.execute("drop table tally")
        db.execute("pragma user_version = 1")
    db.close()


def make_format_2(directory: Path) -> None:
    """Make of a store that nobody uses the one that the second format would have had. No queue has message groups."""
    with sqlite3.connect(directory / FILE) as db:
        rows = db.execute("select row, record, reason from quarantine where row is not null").fetchall()
        db.execute("drop table quarantine")
        db.execute("create table quarantine (row integer primary key, record blob not null, reason text not null)")
        db.executemany("insert into quarantine values (?, ?, ?)", rows)
        db.execute("pragma user_version = 2")
    db.close()


def content_1(content: bytes) -> bytes:
    """Return a message as the first version has it, which does not say when it was stored."""
    return b"\x01" + content[1:12] + content[16:]


def sealed_1(content: bytes) -> bytes:
    """Return a record of the first format."""
    return crc32c.crc32c(content).to_bytes(4, "big") + content
