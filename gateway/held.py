"""Output that must wait: what a machine has said since it promised something that is not on stable storage yet.

A client learns nothing from a broker that could still forget it: all output behind a promise waits for the commit that keeps
it, in order, whatever it says. So each protocol's confirms, receipts and answers are safe without knowing of a store.
"""

from collections import deque


class Held:
    """Parts of output, each with the batch that must be committed before they are sent. `size` is in bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: deque[tuple[int, list[bytes], int]] = deque()

    def put(self, batch: int, parts: list[bytes]) -> None:
        """Add output that waits for a batch, which is none before those that were named already."""
        size = 0
        for part in parts:
            size += len(part)
        self.size += size
        self._parts.append((batch, parts, size))

    def release(self, committed: int) -> list[bytes]:
        """Return what may be sent once all batches up to `committed` are."""
        waiting = self._parts
        released: list[bytes] = []
        while waiting and waiting[0][0] <= committed:
            _, parts, size = waiting.popleft()
            released.extend(parts)
            self.size -= size
        return released
