"""The store on disk: who may use it, and what it refuses."""

import sqlite3
from pathlib import Path

import pytest

from core.store.errors import StoreRefused
from core.store.sqlite import FILE, SqliteStore


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
