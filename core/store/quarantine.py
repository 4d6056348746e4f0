"""The table of what cannot be read: records that were set aside, each with where it was and why. Nothing is ever taken out of it.

An entry has the row that it had, a definition its kind and key. What is damaged may be out of its place in the order of the
table, so that a search by its key goes past it: a damaged definition is found by looking at all of them, and by its record too, for
there may be a sound one under the same key.
"""

from typing import Final

import apsw

from core.store.batch import Batch

QUARANTINE: Final = (
    "create table quarantine (row integer, kind integer, key text, record blob not null, reason text not null)"
)
_DEFINITION_GONE: Final = (
    "delete from definition where coalesce(cast(record as blob), x'') = ? and coalesce(cast(key as blob), x'') = ?"
    " and iif(typeof(kind) = 'integer', kind, -1) = ?"
)
_ADD_DEFINITION: Final = "insert into quarantine (kind, key, record, reason) values (?, cast(? as text), ?, ?)"
_ENTRY_GONE: Final = "delete from entry where row = ?"
_ADD_ENTRY: Final = "insert into quarantine (row, record, reason) values (?, ?, ?)"


def set_definitions_aside(db: apsw.Connection, batch: Batch) -> None:
    """Move the definitions that a batch sets aside."""
    for kind, key, record, reason in batch.definitions_set_aside:
        raw_key = key.encode(errors="surrogateescape")
        db.execute(_DEFINITION_GONE, (record, raw_key, kind))
        if db.changes():
            db.execute(_ADD_DEFINITION, (kind, raw_key, record, reason))


def set_entries_aside(db: apsw.Connection, batch: Batch) -> None:
    """Move the entries that a batch sets aside."""
    for row, record, reason in batch.set_aside:
        db.execute(_ADD_ENTRY, (row, record, reason))
        db.execute(_ENTRY_GONE, (row,))


def widen(db: apsw.Connection) -> None:
    """Make of the table of format 2, which has entries only, that of this version."""
    db.execute("alter table quarantine rename to quarantine_2")
    db.execute(QUARANTINE)
    db.execute("insert into quarantine (row, record, reason) select row, record, reason from quarantine_2")
    db.execute("drop table quarantine_2")
