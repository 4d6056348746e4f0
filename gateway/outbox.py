"""Output that the kernel has not taken yet: made when a send falls short, dropped when the peer has caught up.

Nothing is copied more than once: parts are joined into segments, and a segment is sent by slices of one view.
"""

from collections import deque
from typing import Final

SEGMENT_BYTES: Final = 1 << 20  # joined for one send; a longer part is a segment of its own


class Outbox:
    """A line of bytes. `size` counts what is not sent; `progress` is set when the kernel takes some."""

    def __init__(self) -> None:
        self.size = 0
        self.progress = True
        self._first = b""  # the segment under way
        self._sent = 0  # bytes of it that the kernel has
        self._behind: deque[bytes] = deque()

    def put(self, parts: list[bytes]) -> None:
        """Add output behind what there is."""
        self._behind.extend(parts)
        for part in parts:
            self.size += len(part)

    def put_rest(self, data: bytes, sent: int) -> None:
        """Begin with a segment of which `sent` bytes are sent already. The outbox is empty before."""
        self._first = data
        self._sent = sent
        self.size = len(data) - sent

    def next_bytes(self) -> memoryview:
        """Return what to send next; empty when there is nothing. Says nothing new until `advance` was called."""
        if self._sent == len(self._first) and self._behind:
            self._first = self._next_segment()
            self._sent = 0
        return memoryview(self._first)[self._sent : self._sent + SEGMENT_BYTES]

    def _next_segment(self) -> bytes:
        behind = self._behind
        parts = [behind.popleft()]
        size = len(parts[0])
        while behind and size + len(behind[0]) <= SEGMENT_BYTES:
            parts.append(behind.popleft())
            size += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def advance(self, count: int) -> None:
        """Note that the kernel has taken `count` bytes of what `next_bytes` returned."""
        if count:
            self._sent += count
            self.size -= count
            self.progress = True
