"""Field tables: against pika's and pamqp's codecs, and against bytes that are no table."""

import struct
from decimal import Decimal
from typing import Any, Final

import pamqp.decode
import pamqp.encode
import pika.data
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.properties import Timestamp
from core.model.widths import Byte, Long, LongString, Short, Single, UnsignedByte, UnsignedInt, UnsignedShort
from protocols.amqp.errors import SYNTAX_ERROR, PeerError
from protocols.amqp.table import DEPTH_LIMIT, check_table, decode_table
from protocols.amqp.table_encoding import encode_table

names = st.text(max_size=20).filter(lambda name: len(name.encode()) <= 255)
leaves = st.one_of(
    st.builds(Byte, st.integers(-128, 127)),
    st.builds(UnsignedByte, st.integers(0, 255)),
    st.builds(Short, st.integers(-(1 << 15), (1 << 15) - 1)),
    st.builds(UnsignedShort, st.integers(0, (1 << 16) - 1)),
    st.builds(UnsignedInt, st.integers(0, (1 << 32) - 1)),
    st.builds(Long, st.integers(-(1 << 63), (1 << 63) - 1)),
    st.builds(Single, st.floats(allow_nan=False, width=32)),
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.builds(
        lambda number, scale: Decimal(number).scaleb(-scale), st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, 9)
    ),
    st.text(max_size=30),
    st.binary(max_size=30),
    st.builds(Timestamp, st.integers(0, (1 << 64) - 1)),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
tables = st.dictionaries(names, values, max_size=6)

# A table of one field `a` of each type, and its value.
TYPES: Final[tuple[tuple[bytes, Any], ...]] = (
    (b"t\x00", False),
    (b"t\x02", True),
    (b"b\xff", Byte(-1)),
    (b"B\xff", UnsignedByte(255)),
    (b"s\xff\xfe", Short(-2)),
    (b"u\xff\xfe", UnsignedShort(65_534)),
    (b"I\xff\xff\xff\xff", -1),
    (b"i\xff\xff\xff\xff", UnsignedInt(0xFFFF_FFFF)),
    (b"l" + b"\xff" * 8, Long(-1)),
    (b"L" + b"\xff" * 8, Long(-1)),
    (b"f" + struct.pack(">f", 0.5), Single(0.5)),
    (b"d" + struct.pack(">d", 0.1), 0.1),
    (b"D\x02\x00\x00\x00\x7d", Decimal("1.25")),
    (b"D\x00\xff\xff\xff\xff", Decimal(-1)),
    (b"S\x00\x00\x00\x02\xc3\xa4", "ä"),
    (b"S\x00\x00\x00\x01\xff", LongString(b"\xff")),
    (b"x\x00\x00\x00\x01\xff", b"\xff"),
    (b"T" + b"\xff" * 8, Timestamp((1 << 64) - 1)),
    (b"V", None),
    (b"A\x00\x00\x00\x03V" + b"t\x01", [None, True]),
    (b"F\x00\x00\x00\x03\x01bV", {"b": None}),
)


def table_of(field: bytes) -> bytes:
    return len(field).to_bytes(4, "big") + field


def read(data: bytes) -> dict[str, Any]:
    assert check_table(data, 0, len(data)) == len(data)
    return decode_table(data, 0)


@pytest.mark.parametrize(("field", "value"), TYPES, ids=[repr(row[0][:2]) for row in TYPES])
def test_every_type_is_read(field: bytes, value: Any) -> None:
    (read_value,) = read(table_of(b"\x01a" + field)).values()
    assert read_value == value
    assert type(read_value) is type(value)
    written = b"l" + field[1:] if field[:1] == b"L" else field  # two letters for one type
    assert encode_table({"a": read_value}) == table_of(b"\x01a" + written.replace(b"t\x02", b"t\x01"))


@given(tables)
def test_a_table_comes_back_as_it_was(table: dict[str, Any]) -> None:
    encoded = encode_table(table)
    assert read(encoded) == table
    assert encode_table(read(encoded)) == encoded


@given(tables)
def test_pika_reads_what_we_write(table: dict[str, Any]) -> None:
    encoded = encode_table(table)
    decoded, size = pika.data.decode_table(encoded, 0) if _pika_can(table) else (None, len(encoded))
    assert size == len(encoded)
    assert decoded is None or _plain(decoded) == _plain(table)


@given(st.dictionaries(names, st.floats(allow_nan=False) | st.text(), max_size=4))
def test_pamqp_reads_what_we_write(table: dict[str, Any]) -> None:
    encoded = encode_table(table)
    assert pamqp.decode.field_table(encoded) == (len(encoded), table)


def _pika_can(value: Any) -> bool:
    """In pika timestamps are datetimes, which end long before AMQP's, and a double is read as an integer."""
    if isinstance(value, dict):
        return all(_pika_can(item) for item in value.values())
    if isinstance(value, list):
        return all(_pika_can(item) for item in value)
    return not isinstance(value, (Timestamp, float))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return bytes(value) if isinstance(value, bytearray) else value


@given(st.dictionaries(names, st.one_of(st.text(), st.booleans(), st.integers(-(1 << 31), (1 << 31) - 1), st.none())))
def test_we_read_what_pika_and_pamqp_write(table: dict[str, Any]) -> None:
    pieces: list[bytes] = []
    pika.data.encode_table(pieces, table)
    assert read(b"".join(pieces)) == table
    assert read(pamqp.encode.field_table(table)) == table


def test_a_number_that_no_type_holds_is_text() -> None:
    assert read(encode_table({"n": 1 << 64, "d": Decimal("1e20"), "nan": Decimal("NaN")})) == {
        "n": "18446744073709551616",
        "d": "100000000000000000000",
        "nan": "NaN",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x00",
        b"\x00\x00\x00\x01",
        table_of(b"\x05a"),
        table_of(b"\x01a"),
        table_of(b"\x01aZ\x00"),
        table_of(b"\x01aU\x00\x00"),
        table_of(b"\x01aI\x00\x00\x00"),
        table_of(b"\x01aS\x00\x00\x00\x05abc"),
        table_of(b"\x01aS\xff\xff\xff\xff"),
        table_of(b"\x01aF\x00\x00\x00\x09\x01bV"),
        table_of(b"\x01aA\x00\x00\x00\x02VI"),
        table_of(b"\x02\xc3\x28V"),
    ],
)
def test_what_is_no_table_is_a_syntax_error(data: bytes) -> None:
    with pytest.raises(PeerError) as failure:
        check_table(data, 0, len(data))
    assert failure.value.code == SYNTAX_ERROR


def nested(depth: int, kind: bytes) -> bytes:
    field = b""
    for _ in range(depth - 1):
        field = (b"\x01a" if kind == b"F" else b"") + kind + table_of(field)
    return table_of(field if kind == b"F" else b"\x01a" + field if field else b"")


@pytest.mark.parametrize("kind", [b"F", b"A"])
@pytest.mark.parametrize(("depth", "fits"), [(DEPTH_LIMIT, True), (DEPTH_LIMIT + 1, False), (580, False)])
def test_nesting_has_a_limit(kind: bytes, depth: int, fits: bool) -> None:
    data = nested(depth, kind)
    if fits:
        assert read(data).keys() == {"a"}
    else:
        with pytest.raises(PeerError, match="deep"):
            check_table(data, 0, len(data))


@given(st.integers(8, 12))
def test_the_number_of_elements_has_a_limit(count: int) -> None:
    data = table_of(b"\x01a" + b"A" + table_of(b"V" * (count - 1)))
    if count <= 10:
        assert check_table(data, 0, len(data), 10) == len(data)
    else:
        with pytest.raises(PeerError, match="more than 10 elements"):
            check_table(data, 0, len(data), 10)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_an_error(data: bytes) -> None:
    try:
        end = check_table(data, 0, len(data))
    except PeerError:
        return
    assert end <= len(data)
    decode_table(data, 0)
