"""A subscriber whose messages all take the same number of bytes on the wire.

One topic, one body size and fixed-width numbers make every delivery equally long, so whole messages are counted by
division and their fields are read and checked as slices with a stride: a few nanoseconds a message, compiled or not.
A message of another size shows at once as a wrong octet at the stride.
"""

import socket
import time

from bench.load.body import STAMP_BYTES
from bench.load.link import RECEIVE_BYTES, Drain, WorkError


class StrideDrain(Drain):
    """Counts deliveries of `size` bytes each, with the time stamp at `stamp_at`."""

    def __init__(self, sock: socket.socket, size: int, stamp_at: int, limit_bytes: int = RECEIVE_BYTES) -> None:
        super().__init__(sock)
        self.size = size
        self.stamp_at = stamp_at
        self.buffer = bytearray(limit_bytes + size)
        self.view = memoryview(self.buffer)
        self.held: int = 0  # bytes of an incomplete message at the start of the buffer

    def readable(self) -> None:
        try:
            taken = self.sock.recv_into(self.view[self.held :])
        except BlockingIOError:
            return
        except OSError as error:
            raise WorkError(f"the broker reset the connection: {error}") from error
        if not taken:
            raise WorkError("the broker closed the connection")
        end = self.held + taken
        count = end // self.size
        if not count:
            self.held = end
            return
        whole = count * self.size
        if not self.regular(count, whole):
            raise WorkError(self.complaint(bytes(self.view[:end])))
        if self.stamped:
            self.clock(count)
        self.took(count, whole)
        self.received += count
        self.held = end - whole
        if self.held:
            self.view[: self.held] = bytes(self.view[whole:end])

    def clock(self, count: int) -> None:
        now = time.monotonic_ns()
        position = self.stamp_at
        for _ in range(count):
            self.latencies.append(now - int(self.buffer[position : position + STAMP_BYTES], 16))
            position += self.size

    def regular(self, count: int, whole: int) -> bool:
        """Tell whether the first `whole` bytes of the buffer are `count` deliveries, each where it should be."""
        return True

    def took(self, count: int, whole: int) -> None:
        """Acknowledge `count` deliveries; `received` does not count them yet."""

    def complaint(self, data: bytes) -> str:
        return f"not the expected delivery: {data[:80]!r}"
