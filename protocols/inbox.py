"""Received bytes that do not make a whole frame yet.

A frame that arrives in many pieces is joined once, when its announced length is there, so the cost is linear in its
size whatever the pieces.
"""


class Inbox:
    """Holds the start of a frame until the rest of it has come."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._needed = 0

    def add(self, data: bytes) -> bytes:
        """Return what is held with `data` behind it, or nothing while the frame cannot be whole yet."""
        if not self._held:
            return data
        self._held.append(data)
        self._size += len(data)
        if self._size < self._needed:
            return b""
        data = b"".join(self._held)
        self._held = []
        return data

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
        return data
