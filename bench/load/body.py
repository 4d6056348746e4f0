"""The body of every message: 16 hexadecimal digits for a time stamp, then filler.

No byte of it is zero, so that the end of a STOMP frame can be found by looking for its NUL.
"""

from typing import Final

STAMP_BYTES: Final = 16


def body(size_bytes: int) -> bytes:
    return b"0" * STAMP_BYTES + b"x" * (size_bytes - STAMP_BYTES)


def stamp(time_ns: int) -> bytes:
    return b"%016x" % time_ns
