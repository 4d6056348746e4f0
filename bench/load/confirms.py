"""AMQP publishers whose confirms are what is measured: how long each takes, and how many of one message each are under way."""

import socket
import time
from collections import deque

from bench.load import amqp_frames
from bench.load.amqp import AmqpSource
from bench.load.body import body
from bench.load.link import Source


class TimedSource(AmqpSource):
    """Knows when each message was due and when it was confirmed; its body has no stamp. A confirm stands for all before it."""

    def __init__(self, sock: socket.socket, publication: bytes, size_bytes: int, window: int) -> None:
        super().__init__(sock, publication, size_bytes, window, True)
        self.window: int = window  # how many messages one piece has at most
        self.unstamped: int = 0  # messages that were sent before the first one with a time
        self.due: list[int] = []
        self.taken: list[int] = []  # nanoseconds from the time that each was due, in the same order

    def publish_stamped(self, stamps: list[int]) -> None:
        if not self.due:
            self.unstamped = self.sent
        self.due.extend(stamps)
        for start in range(0, len(stamps), self.window):
            self.publish(min(self.window, len(stamps) - start))

    def readable(self) -> None:
        super().readable()
        if not self.due:
            return
        now = time.monotonic_ns()
        while len(self.taken) < self.confirmed - self.unstamped:
            self.taken.append(now - self.due[len(self.taken)])

    def taken_after(self, seconds: float) -> list[int]:
        """Return how long the confirms of what was due so long after the first message took."""
        if not self.due:
            return []
        start = self.due[0] + int(seconds * 1e9)
        return [taken for due, taken in zip(self.due, self.taken, strict=False) if due >= start]


class WaitingSource(AmqpSource):
    """A publisher that has one message under way, and joins the line again when it is confirmed."""

    def __init__(self, sock: socket.socket, publication: bytes, size_bytes: int, line: deque[Source]) -> None:
        super().__init__(sock, publication, size_bytes, 1, True)
        self.line = line
        line.append(self)

    def readable(self) -> None:
        waiting = self.confirmed < self.sent
        super().readable()
        if waiting and self.confirmed == self.sent:
            self.line.append(self)

    def publish_share(self) -> int:
        self.publish(1)
        return 1


def persistent(queue: str, size_bytes: int) -> bytes:
    """Encode one persistent message for a queue."""
    return amqp_frames.publish("", queue, body(size_bytes), amqp_frames.PERSISTENT)
