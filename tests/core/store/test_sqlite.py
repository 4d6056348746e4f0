"""The store on disk: who may use it, what it refuses, and that it gives space back."""

import sqlite3
from pathlib import Path

import pytest

from core.store.batch import Batch, Run, rows_of
from core.store.errors import StoreRefused
from core.store.formats import FORMAT
from core.store.sqlite import FILE, SqliteStore


def filled(directory: Path, count: int, size: int) -> SqliteStore:
    """Return a store with so many rows in queue 1."""
    store = SqliteStore(directory)
    store.begin()
    batch = Batch(1)
    run = Run(rows_of(1)[0] + 1)
    run.records = [bytes(size)] * count
    batch.runs.append(run)
    store.commit(batch)
    return store


def test_a_directory_in_use_is_refused_with_its_name(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    with pytest.raises(StoreRefused, match="in use by another broker"):
        SqliteStore(tmp_path)
    store.close()
    SqliteStore(tmp_path).close()


def test_only_the_owner_can_read_what_is_stored(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "data").close()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data" / FILE).stat().st_mode & 0o077 == 0


def test_a_newer_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("pragma user_version = 99")
    db.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreRefused, match="has format 99"):
        SqliteStore(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_the_file_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("create table theirs (x)")
    db.close()
    with pytest.raises(StoreRefused, match="not one of a broker"):
        SqliteStore(tmp_path)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + bytes(50)])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreRefused):
        SqliteStore(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


@pytest.mark.parametrize("left", [0, 100, 1_500])
def test_space_is_given_back_when_there_is_nothing_to_commit(tmp_path: Path, left: int) -> None:
    """Where little is left the file is written anew, else the free pages go a few at a time."""
    store = filled(tmp_path, 5_000, 30_000)
    reader = store.reader()
    batch = Batch(2)
    batch.removed_ranges.append((rows_of(1)[0] + left + 1, rows_of(1)[0] + 5_000))
    store.commit(batch)
    steps = 0
    while store.tidy():
        steps += 1
    assert (steps > 10) == (left > 1_000)
    size = (tmp_path / FILE).stat().st_size
    assert size < 2 * left * 30_000 + (64 << 20)
    rows = store.rows(1, 0, 10_000)
    assert len(rows) == left
    first, end = rows_of(1)
    assert reader.read(first, end, 10_000, 1 << 40) == rows
    assert store._one("pragma auto_vacuum") == 2
    assert store._one("pragma user_version") == FORMAT
    store.close()
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    db.close()


def test_space_is_given_back_once_a_backlog_is_drained(tmp_path: Path) -> None:
    store = filled(tmp_path, 5_000, 30_000)
    assert (tmp_path / FILE).stat().st_size + (tmp_path / f"{FILE}-wal").stat().st_size > 140 << 20
    first = rows_of(1)[0] + 1
    for number in range(50):
        batch = Batch(number + 2)
        batch.removed.extend(range(first + 100 * number, first + 100 * number + 100))
        store.commit(batch)
    store.close()
    assert (tmp_path / FILE).stat().st_size < 64 << 20
