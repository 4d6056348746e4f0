"""Received bytes that do not make a whole frame yet.

A STOMP frame need not announce its length, so what is held is searched for the end that is missing, each byte once:
the cost is linear in the size of the frame whatever the pieces it comes in.
"""

from typing import Final

from core.queueing.usage import Usage
from protocols.inbox import Held

FOR_HEAD: Final = 0  # the empty line that ends the headers is missing
FOR_NUL: Final = 1  # the NUL that ends the body is missing
FOR_COUNT: Final = 2  # bytes announced by content-length are missing


class Inbox:
    """Holds the start of a frame until the rest of it has come, or more than is allowed."""

    def __init__(self, usage: Usage) -> None:
        self._count = Held(usage)
        self._held = bytearray()
        self._waits = FOR_HEAD
        self._limit = 0

    def add(self, data: bytes) -> bytes:
        """Return what is held with `data` behind it, or nothing while that cannot be a whole frame.

        Limit when there is no room to hold more, on all connections together.
        """
        held = self._held
        seen = len(held)
        if not seen:
            return data
        self._count.grow(seen + len(data))
        held += data
        size = len(held)
        if size < self._limit and not self._found(seen):
            return b""
        self.clear()
        return bytes(held)

    def clear(self) -> None:
        """Hold nothing."""
        self._held = bytearray()
        self._count.end()

    def keep(self, rest: bytes, waits: int, limit: int) -> None:
        """Hold `rest` until what it waits for is there, or `limit` bytes from its start on are."""
        self._held = bytearray(rest)
        self._waits = waits
        self._limit = limit

    def _found(self, seen: int) -> bool:
        if self._waits == FOR_COUNT:
            return False
        held = self._held
        if held.find(b"\0", seen) >= 0:
            return True
        if self._waits == FOR_NUL:
            return False
        start = max(0, seen - 2)
        return held.find(b"\n\n", start) >= 0 or held.find(b"\n\r\n", start) >= 0
