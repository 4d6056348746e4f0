"""A store without a broker brought to this version's format, or shown that it can be."""

import os
from pathlib import Path

import apsw

from core.store.errors import StoreRefused
from core.store.formats import FORMAT, OLDEST, Migrated, Progress, bring_up, format_of
from core.store.sqlite import FILE, check_format, lock_directory


def migrate(directory: Path, progress: Progress, *, check: bool) -> Migrated:
    """Bring a store to this version's format; with `check` do all of it and take it back. StoreRefused when it cannot be done.

    A store of this format is left alone, also when a broker uses it.
    """
    path = directory / FILE
    if not path.is_file():
        raise StoreRefused(f"there is no store in {directory}: {path} does not exist")
    if _format_at(path) == FORMAT:
        return Migrated(FORMAT)
    lock = lock_directory(directory)
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            db.execute("pragma synchronous = full")
            return bring_up(db, path, progress, keep=not check)
        finally:
            db.close()
    except apsw.Error as error:
        raise StoreRefused(f"cannot open {path}: {error}") from error
    finally:
        os.close(lock)


def _format_at(path: Path) -> int:
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            check_format(db, path, OLDEST)
            return format_of(db)
        finally:
            db.close()
    except apsw.Error as error:
        raise StoreRefused(f"cannot open {path}: {error}") from error
