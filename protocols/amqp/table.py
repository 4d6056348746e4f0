"""Field tables, with every type that RabbitMQ knows (AMQP 0-9-1 §4.2.5.5, as amended by RabbitMQ's errata).

`check_table` walks the bytes of a table without building anything and is the only place with limits and errors;
`decode_table` builds what was checked before. So a message's headers are checked when it is published and built only
if somebody asks for them. Numbers remember their type where Python has fewer (`core.model.widths`).
"""

import struct
from decimal import Decimal
from typing import Final

from core.model.properties import Headers, Timestamp, Value
from core.model.widths import Byte, Long, LongString, Short, Single, UnsignedByte, UnsignedInt, UnsignedShort
from protocols.amqp.errors import PeerError, malformed

DEPTH_LIMIT: Final = 32  # tables and arrays inside each other
ELEMENTS_LIMIT: Final = 65_536  # fields and items in one table, all levels together
FIRST_ELEMENTS_LIMIT: Final = 1_000  # the same before login

_STRING: Final = -1
_NESTED: Final = -2
_UNKNOWN: Final = -3


def _widths() -> list[int]:
    widths = [_UNKNOWN] * 256
    for kinds, width in ((b"V", 0), (b"tbB", 1), (b"su", 2), (b"Iif", 4), (b"D", 5), (b"lLdT", 8)):
        for kind in kinds:
            widths[kind] = width
    for kind in b"Sx":
        widths[kind] = _STRING
    for kind in b"AF":
        widths[kind] = _NESTED
    return widths


_WIDTHS: Final = _widths()  # bytes of a value, by its type octet


def check_table(data: bytes, at: int, end: int, elements_limit: int = ELEMENTS_LIMIT) -> int:
    """Return where the table that begins at `at` ends; PeerError when it is not well formed up to `end`."""
    at, inner = _enter(data, at, end)
    ends = [inner]
    tables = [True]
    left = elements_limit
    while ends:
        inner = ends[-1]
        if at == inner:
            ends.pop()
            tables.pop()
            continue
        left -= 1
        if left < 0:
            raise malformed(f"table of more than {elements_limit} elements")
        if tables[-1]:
            at = _check_key(data, at, inner)
        if at >= inner:
            raise _beyond()
        kind = data[at]
        at += 1
        width = _WIDTHS[kind]
        if width == _UNKNOWN:
            raise malformed(f"unknown type {kind} in a table")
        if width == _NESTED:
            if len(ends) >= DEPTH_LIMIT:
                raise malformed(f"table nested more than {DEPTH_LIMIT} deep")
            at, inner = _enter(data, at, inner)
            ends.append(inner)
            tables.append(kind == 0x46)
        elif width == _STRING:
            at = _enter(data, at, inner)[1]
        else:
            at += width
            if at > inner:
                raise _beyond()
    return at


def _enter(data: bytes, at: int, end: int) -> tuple[int, int]:
    if at + 4 > end:
        raise _beyond()
    start = at + 4
    inner = start + int.from_bytes(data[at:start], "big")
    if inner > end:
        raise _beyond()
    return start, inner


def _check_key(data: bytes, at: int, end: int) -> int:
    start = at + 1
    after = start + data[at]
    if after > end:
        raise _beyond()
    key = data[start:after]
    if not key.isascii():
        try:
            key.decode()
        except UnicodeDecodeError:
            raise malformed("name in a table is not UTF-8") from None
    return after


def _beyond() -> PeerError:
    return malformed("table does not fit into what it is in")


def decode_table(data: bytes, at: int) -> Headers:
    """Build the table that begins at `at` and was checked."""
    table: Headers = {}
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    at += 4
    while at < end:
        after = at + 1 + data[at]
        key = data[at + 1 : after].decode()
        table[key] = _value(data, after)
        at = after_value(data, after)
    return table


def after_value(data: bytes, at: int) -> int:
    """Return where the value that begins at `at`, with its type octet, ends; it was checked."""
    width = _WIDTHS[data[at]]
    return at + 1 + width if width >= 0 else at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")


def _value(data: bytes, at: int) -> Value:
    kind = chr(data[at])
    at += 1
    match kind:
        case "t":
            return data[at] != 0
        case "I":
            return int.from_bytes(data[at : at + 4], "big", signed=True)
        case "l" | "L":
            return Long(int.from_bytes(data[at : at + 8], "big", signed=True))
        case "b":
            return Byte(int.from_bytes(data[at : at + 1], "big", signed=True))
        case "B":
            return UnsignedByte(data[at])
        case "s":
            return Short(int.from_bytes(data[at : at + 2], "big", signed=True))
        case "u":
            return UnsignedShort(int.from_bytes(data[at : at + 2], "big"))
        case "i":
            return UnsignedInt(int.from_bytes(data[at : at + 4], "big"))
        case "f":
            return Single(struct.unpack_from(">f", data, at)[0])
        case "d":
            return struct.unpack_from(">d", data, at)[0]
        case "D":
            return Decimal(int.from_bytes(data[at + 1 : at + 5], "big", signed=True)).scaleb(-data[at])
        case "S":
            return _text(data[at + 4 : after_value(data, at - 1)])
        case "x":
            return data[at + 4 : after_value(data, at - 1)]
        case "T":
            return Timestamp(int.from_bytes(data[at : at + 8], "big"))
        case "F":
            return decode_table(data, at)
        case "A":
            return _array(data, at)
        case _:
            return None


def _array(data: bytes, at: int) -> list[Value]:
    items: list[Value] = []
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    at += 4
    while at < end:
        items.append(_value(data, at))
        at = after_value(data, at)
    return items


def _text(octets: bytes) -> str | bytes:
    # A long string is "a sequence of octets" (AMQP 0-9-1 §4.2.5.3); what is no text stays bytes.
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return LongString(octets)
