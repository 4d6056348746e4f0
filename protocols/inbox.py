"""Received bytes that do not make a whole frame yet.

A frame that arrives in many pieces is joined once, when its announced length is there, so the cost is linear in its
size whatever the pieces. What is held of large frames counts as unfinished messages of the broker, for many connections
can each hold less than their limit.
"""

from typing import Final

from core.queueing.usage import Usage

UNCOUNTED_BYTES: Final = 131_072  # of one connection: AMQP's largest frame; most have less, and for a moment only


class Held:
    """Counts what one inbox holds."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._counted_bytes = 0

    def grow(self, size: int) -> None:
        """Learn that so many bytes are to be held in all; Limit when there is no room for them."""
        if size > UNCOUNTED_BYTES:
            self._usage.hold_unfinished(size - self._counted_bytes)
            self._counted_bytes = size

    def end(self) -> None:
        """Learn that nothing is held."""
        if self._counted_bytes:
            self._usage.release_unfinished(self._counted_bytes)
            self._counted_bytes = 0


class Inbox:
    """Holds the start of a frame until the rest of it has come."""

    def __init__(self, usage: Usage) -> None:
        self._count = Held(usage)
        self._held: list[bytes] = []
        self._size = 0
        self._needed = 0

    def add(self, data: bytes) -> bytes:
        """Return what is held with `data` behind it, or nothing while the frame cannot be whole yet.

        Limit when there is no room to hold more, on all connections together.
        """
        if not self._held:
            return data
        size = self._size + len(data)
        if size >= self._needed:
            self._held.append(data)
            return self.take()
        self._count.grow(size)
        self._held.append(data)
        self._size = size
        return b""

    def keep(self, rest: bytes, needed: int) -> None:
        """Hold `rest` until there are `needed` bytes from its start on (0: any further byte may complete it)."""
        if rest:
            self._held = [rest]
            self._size = len(rest)
            self._needed = needed

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size if self._held else 0

    def take(self) -> bytes:
        """Return what is held and hold nothing."""
        data = b"".join(self._held)
        self._held = []
        self._count.end()
        return data
