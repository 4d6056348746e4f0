"""The cells of B-tree pages, read without believing anything in them: https://sqlite.org/fileformat2.html, "B-tree Pages".

A cell that cannot be one is None; what is in a cell that can is for its checksum to say.
"""

from collections.abc import Callable, Iterator
from typing import Final

from core.store.raw_pages import PAGE_BYTES

INDEX_INTERIOR: Final = 2
TABLE_INTERIOR: Final = 5
INDEX_LEAF: Final = 10
TABLE_LEAF: Final = 13
HEAD_BYTES: Final = {INDEX_INTERIOR: 12, TABLE_INTERIOR: 12, INDEX_LEAF: 8, TABLE_LEAF: 8}
CELLS_LIMIT: Final = (PAGE_BYTES - 8) // 6  # of one page
OVERFLOW_BYTES: Final = PAGE_BYTES - 4  # of one page
TABLE_LOCAL: Final = PAGE_BYTES - 35  # bytes of a payload that need no overflow
INDEX_LOCAL: Final = (PAGE_BYTES - 12) * 64 // 255 - 23
LEAST_LOCAL: Final = (PAGE_BYTES - 12) * 32 // 255 - 23  # bytes on the page of one that does
TEXT, BLOB = 13, 12  # serial types of empty ones; each byte adds two

Cell = tuple[int, bytes]  # the row, which an index has none of, and the record
ReadPage = Callable[[int], bytes | None]
Columns = list[int | bytes | None]  # texts are bytes here


def kind_of(page: bytes, start: int = 0) -> int:
    """Return what kind of page of a tree this is; 0 for none. `start` is where its head is."""
    kind = page[start]
    if kind not in HEAD_BYTES or int.from_bytes(page[start + 3 : start + 5], "big") > CELLS_LIMIT:
        return 0
    return kind


def children(page: bytes) -> list[int]:
    """Return the pages below one that is no leaf."""
    found = [int.from_bytes(page[at : at + 4], "big") for at in _places(page)]
    return [*found, int.from_bytes(page[8:12], "big")]


def cells(page: bytes, read: ReadPage, start: int = 0) -> Iterator[Cell | None]:
    """Return the cells of a page, each read whole, in order; none where cells have no payload."""
    kind = kind_of(page, start)
    for at in _places(page, start) if kind in (TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR) else ():
        try:
            yield _cell(page, kind, at, read)
        except IndexError:
            yield None


def _places(page: bytes, start: int = 0) -> list[int]:
    first = start + HEAD_BYTES[page[start]]
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    return [int.from_bytes(page[at : at + 2], "big") for at in range(first, first + 2 * count, 2)]


def _cell(page: bytes, kind: int, at: int, read: ReadPage) -> Cell | None:
    if kind == INDEX_INTERIOR:
        at += 4
    size, at = _varint(page, at)
    row = 0
    if kind == TABLE_LEAF:
        row, at = _varint(page, at)
    most = TABLE_LOCAL if kind == TABLE_LEAF else INDEX_LOCAL
    if size <= most:
        return (row, page[at : at + size]) if at + size <= PAGE_BYTES else None
    local = LEAST_LOCAL + (size - LEAST_LOCAL) % OVERFLOW_BYTES
    if local > most:
        local = LEAST_LOCAL
    if at + local + 4 > PAGE_BYTES:
        return None
    rest = _overflow(int.from_bytes(page[at + local : at + local + 4], "big"), size - local, read)
    return None if rest is None else (row, page[at : at + local] + rest)


def _overflow(number: int, size: int, read: ReadPage) -> bytes | None:
    """Return what is on a chain of pages, or None when it ends too early."""
    parts: list[bytes] = []
    seen: set[int] = set()
    while size > 0:
        page = read(number)
        if page is None or number in seen:
            return None
        seen.add(number)
        parts.append(page[4 : 4 + min(size, OVERFLOW_BYTES)])
        size -= OVERFLOW_BYTES
        number = int.from_bytes(page[:4], "big")
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        octet = data[at]
        at += 1
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            return value, at
    return value << 8 | data[at], at + 1


def columns(record: bytes) -> Columns | None:
    """Return the columns of a record, or None when it is none ("Record Format")."""
    try:
        end, at = _varint(record, 0)
        types: list[int] = []
        while at < end:
            serial, at = _varint(record, at)
            types.append(serial)
    except IndexError:
        return None
    found: Columns = []
    for serial in types:
        if serial in (8, 9):
            found.append(serial - 8)
            continue
        size = (serial - BLOB) // 2 if serial >= BLOB else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[serial]
        value = record[at : at + size]
        if len(value) < size:
            return None
        at += size
        if serial >= BLOB:
            found.append(value)
        else:
            found.append(int.from_bytes(value, "big", signed=True) if serial else None)
    return found
