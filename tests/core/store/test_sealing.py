"""Seals: a record is of its place and of no other."""

import sqlite3
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from core.recovery import recover
from core.store import kinds
from core.store.errors import Damaged
from core.store.sealing import NOWHERE, checksum, place_of, seal, seal_row, unseal, unseal_row
from core.store.sqlite import FILE, SqliteStore
from tests.core.parts import a_broker
from tests.core.store.filling import bodies_of, commit, filled, loaded

RENAME = "update definition set key = cast(? as text) where kind = ? and key = cast(? as text)"
ROWS = st.integers(1, (1 << 62) - 1)
PLACES = st.tuples(st.integers(1, 10), st.text())


@given(st.binary(), PLACES, PLACES)
def test_a_definition_is_read_under_its_own_kind_and_key_only(
    content: bytes, place: tuple[int, str], other: tuple[int, str]
) -> None:
    assume(place != other)
    record = seal(content, place_of(*place))
    assert unseal(record, place_of(*place)) == content
    with pytest.raises(Damaged):
        unseal(record, place_of(*other))


def test_a_key_that_is_no_text_any_more_is_another_one() -> None:
    """Not that of which it is what cannot be shown."""
    for key in ("q?", "q\ufffd", "q"):
        for byte in range(0x80, 0x100):
            wrong = b"q" + bytes([byte])
            with pytest.raises(Damaged):
                unseal(seal(b"x", place_of(2, key)), place_of(2, wrong.decode(errors="surrogateescape")))


@given(st.binary(), ROWS, ROWS)
def test_an_entry_is_read_in_its_own_row_only(content: bytes, row: int, other: int) -> None:
    assume(row != other)
    record = seal_row(content, checksum(content), row)
    assert unseal_row(record, row) == content
    with pytest.raises(Damaged):
        unseal_row(record, other)


@given(st.binary(), ROWS)
def test_what_was_sealed_for_no_row_in_particular_is_read_in_any(content: bytes, row: int) -> None:
    assert unseal_row(seal(content, NOWHERE), row) == content


@given(st.binary(max_size=30), ROWS)
def test_no_bytes_whatever_raise_anything_but_damaged(data: bytes, row: int) -> None:
    with pytest.raises(Damaged):
        unseal(data, b"k")
    with pytest.raises(Damaged):
        unseal_row(data, row)


def flipped(data: bytes) -> list[bytes]:
    """Return everything that is one bit away."""
    return [bytes([*data[:at], data[at] ^ 1 << bit, *data[at + 1 :]]) for at in range(len(data)) for bit in range(8)]


def test_every_flipped_bit_of_every_key_is_told(quick_path: Path) -> None:
    filled(quick_path, {"a": 2, "orders": 3}).close()
    with sqlite3.connect(quick_path / FILE) as db:
        keys = [(kind, bytes(key)) for kind, key in db.execute("select kind, cast(key as blob) from definition")]
    db.close()
    changes = [(kind, key, wrong) for kind, key in keys for wrong in flipped(key)]
    assert len(changes) > 80
    for kind, key, wrong in changes:
        change(quick_path, RENAME, (wrong, kind, key))
        told, there = read(quick_path)
        assert told, wrong
        assert set(there) < {"a", "orders"}
        out_of_quarantine(quick_path)
        change(quick_path, RENAME, (key, kind, wrong))
    for bit in range(8):
        change(quick_path, "update definition set kind = ?", (kinds.QUEUE ^ 1 << bit,))
        assert len(read(quick_path)[0]) >= 2
        out_of_quarantine(quick_path)
        change(quick_path, "update definition set kind = ?", (kinds.QUEUE,))
    assert read(quick_path) == ([], {"a": [b"a 0 ", b"a 1 "], "orders": [b"orders 0 ", b"orders 1 ", b"orders 2 "]})


def test_every_flipped_bit_of_a_row_is_told(tmp_path: Path) -> None:
    filled(tmp_path, {"a": 1, "b": 1}).close()
    row = (1 << 40) + 1
    for bit in range(62):
        wrong = row ^ 1 << bit
        change(tmp_path, "update entry set row = ? where row = ?", (wrong, row))
        told, there = read(tmp_path)
        assert told, bit
        assert there == {"a": [], "b": [b"b 0 "]}
        out_of_quarantine(tmp_path)
        change(tmp_path, "update entry set row = ? where row = ?", (row, wrong))


def test_messages_that_have_changed_places_are_set_aside(tmp_path: Path) -> None:
    filled(tmp_path, {"a": 3, "b": 1}).close()
    first, second = (1 << 40) + 1, (2 << 40) + 1
    for found, now in ((first, 1), (second, first), (1, second)):
        change(tmp_path, "update entry set row = ? where row = ?", (now, found))
    told, there = read(tmp_path)
    assert len(told) == 2
    assert there == {"a": [b"a 1 ", b"a 2 "], "b": []}


def out_of_quarantine(directory: Path) -> None:
    """Have what a start has set aside be where it was."""
    change(directory, "insert into entry select row, record from quarantine where row is not null", ())
    change(directory, "insert into definition select kind, key, record from quarantine where row is null", ())
    change(directory, "delete from quarantine", ())
    change(directory, "delete from definition where kind = ?", (kinds.USER,))  # that one may have been lost


def change(directory: Path, statement: str, values: tuple[object, ...]) -> None:
    with sqlite3.connect(directory / FILE) as db:
        db.execute(statement, values)
    db.close()


def read(directory: Path) -> tuple[list[str], dict[str, list[bytes]]]:
    """Start a broker on a store; return what was told, and what its queues have."""
    broker = a_broker()
    store = SqliteStore(directory)
    found = recover(broker, store)
    told = found.damage + loaded(broker) + [f"entries of queue number {number}" for number in found.strays]
    commit(broker, store)
    store.close()
    return told, bodies_of(broker)
