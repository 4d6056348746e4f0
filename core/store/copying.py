"""Backup and restore: a store copied to another file at one moment, page by page, also while a broker writes to it."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from core.store.errors import StoreError, StoreFull, StoreRefused
from core.store.formats import OLDEST
from core.store.inspection import Inspection, open_to_read
from core.store.sqlite import FILE, LOCK, lock_directory, sync_path

PAGES_AT_ONCE: Final = 1_000  # copied between two reports: 4 MB
PART: Final = f"{FILE}.part"  # of a restore that has not ended; the next one begins anew

Progress = Callable[[int, int], None]  # how many pages of how many


def back_up(directory: Path, target: Path, progress: Progress) -> int:
    """Copy a store to a new file that is on stable storage when this returns; return its size in bytes."""
    inspection = Inspection(directory, OLDEST)  # a backup is what one makes before a migration
    try:
        with _new_file(target):
            _copy(inspection.db, target, progress, clean=None)
    finally:
        inspection.close()
    return target.stat().st_size


def restore(source: Path, directory: Path, progress: Progress) -> int:
    """Make a store of a backup, in a directory that has none; return its size in bytes.

    Its messages may have been delivered since, so the store counts as one that was not stopped in order.
    """
    if not source.is_file():
        raise StoreRefused(f"there is no backup {source}")
    if directory.is_dir():
        there = sorted(path.name for path in directory.iterdir() if path.name not in (LOCK, PART))
        if there:
            raise StoreRefused(f"{directory} is not empty: it has {there[0]}; restore into an empty directory")
    backup = open_to_read(source, OLDEST)
    try:
        _check_structure(backup, source)
        lock = lock_directory(directory)
        try:
            part = directory / PART
            part.unlink(missing_ok=True)
            with _new_file(part):
                _copy(backup, part, progress, clean=0)
                part.rename(directory / FILE)
                sync_path(directory)
        finally:
            os.close(lock)
    finally:
        backup.close()
    return (directory / FILE).stat().st_size


def _check_structure(backup: apsw.Connection, source: Path) -> None:
    try:
        found = backup.execute("pragma quick_check(1)").get
    except apsw.Error as error:
        found = str(error)
    if found != "ok":
        raise StoreRefused(
            f"{source} is damaged and cannot be restored: {found}; `dragoman store salvage` takes out what is readable"
        )


class _new_file:  # noqa: N801 - reads as what it is in a `with`
    """A file that nobody had and only its owner may read; gone again when what fills it fails."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            raise StoreRefused(f"{self._path} exists, and is not overwritten; name another file") from None
        except OSError as error:
            raise StoreRefused(f"cannot create {self._path}: {error.strerror}") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self._path}{suffix}")
        if isinstance(error, apsw.FullError):
            raise StoreFull(f"no space left for {self._path}") from error
        if isinstance(error, apsw.Error | OSError):
            raise StoreError(f"cannot write {self._path}: {error}") from error


def _copy(source: apsw.Connection, target: Path, progress: Progress, *, clean: int | None) -> None:
    copy = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(PAGES_AT_ONCE)
                progress(backup.page_count - backup.remaining, backup.page_count)
        copy.execute("pragma synchronous = full")
        copy.execute("pragma journal_mode = delete").fetchall()  # one file, whatever is beside the other
        if clean is not None:
            copy.execute("update mark set value = ? where name = 'clean'", (clean,))
    finally:
        copy.close()
    sync_path(target)
    sync_path(target.absolute().parent)
