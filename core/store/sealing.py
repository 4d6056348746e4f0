"""Checksums: a record begins with the CRC-32C of what follows and of the place where it is kept.

So a flipped bit is found and not believed, also one in the key of a definition or in the row of an entry, and so is a record
that stands in the place of another.
"""

import struct
from typing import Final

import crc32c

from core.store.errors import Damaged

_ROW: Final = struct.Struct(">q")
SEAL_BYTES: Final = 4
NOWHERE: Final = b""  # the place of an entry that is sealed for every row; see `core.store.journal`


def place_of(kind: int, key: str) -> bytes:
    """Return the place of a definition. Bytes of a key that damage has made no text stay what they are, and different."""
    return f"{kind} {key}".encode(errors="surrogatepass")


def checksum(content: bytes) -> int:
    """Return what `seal_row` needs to know of a content, which may be for several rows."""
    return crc32c.crc32c(content)


def seal(content: bytes, place: bytes) -> bytes:
    """Return `content` as the record of a place."""
    return crc32c.crc32c(place, crc32c.crc32c(content)).to_bytes(SEAL_BYTES, "big") + content


def seal_row(content: bytes, its_checksum: int, row: int) -> bytes:
    """Return `content` as the record of a row."""
    return crc32c.crc32c(_ROW.pack(row), its_checksum).to_bytes(SEAL_BYTES, "big") + content


def unseal(record: bytes, place: bytes) -> bytes:
    """Return what `seal` was given; Damaged when these are not its bytes, or not those of this place."""
    content = record[SEAL_BYTES:]
    if len(record) < SEAL_BYTES or not _is_sealed(record, crc32c.crc32c(place, crc32c.crc32c(content))):
        raise Damaged("the checksum does not match")
    return content


def unseal_row(record: bytes, row: int) -> bytes:
    """Return the content of a row's record; Damaged when it is not what was written, or was written to another row."""
    content = record[SEAL_BYTES:]
    its_checksum = crc32c.crc32c(content)
    if len(record) < SEAL_BYTES or not (
        _is_sealed(record, crc32c.crc32c(_ROW.pack(row), its_checksum)) or _is_sealed(record, its_checksum)
    ):
        raise Damaged("the checksum does not match")
    return content


def _is_sealed(record: bytes, expected: int) -> bool:
    return int.from_bytes(record[:SEAL_BYTES], "big") == expected
