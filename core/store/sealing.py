"""Checksums: every record begins with the CRC-32C of what follows, so that a flipped bit is found and not believed."""

from typing import Final

import crc32c

from core.store.errors import Damaged

SEAL_BYTES: Final = 4


def seal(content: bytes) -> bytes:
    """Return `content` behind its checksum."""
    return crc32c.crc32c(content).to_bytes(SEAL_BYTES, "big") + content


def unseal(record: bytes) -> bytes:
    """Return what `seal` was given; Damaged when these are not its bytes."""
    content = record[SEAL_BYTES:]
    if len(record) < SEAL_BYTES or crc32c.crc32c(content).to_bytes(SEAL_BYTES, "big") != record[:SEAL_BYTES]:
        raise Damaged("the checksum does not match")
    return content
