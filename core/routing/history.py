"""The last messages that an exchange has seen, for those who are bound to it later.

They take memory that no consumer can free, so there is room for so much of it (`core.routing.room`); where there is
none, the oldest go, and fewer are kept. A message's time to live begins when it is delivered.
"""

from collections import deque
from typing import Final

from core.model.message import Message
from core.model.properties import NO_PROPERTIES
from core.routing.room import Room
from core.routing.sink import Sink
from core.timers import Clock

NOT_STORED: Final = "x-recent-history-no-store"  # a header: true keeps a message out
FOR_EVER: Final = -1.0  # a time to live, in seconds
KEPT_COST_BYTES: Final = 512  # of memory beside the bytes of the message


class History(Sink):
    """Keeps the last `length` messages."""

    def __init__(self, length: int, clock: Clock, room: Room) -> None:
        super().__init__()
        self._length = length
        self._clock = clock
        self._room = room
        self._kept: deque[tuple[Message, float]] = deque()  # with its time to live in seconds

    def take(self, message: Message) -> bool:
        if message.native is not NO_PROPERTIES and message.properties.headers.get(NOT_STORED) is True:
            return True
        if len(self._kept) >= self._length:
            self._drop_oldest()
        while not self._room.hold_kept(message.size_bytes + KEPT_COST_BYTES):
            if not self._kept:
                return True
            self._drop_oldest()
        ttl_s = max(0.0, message.expires_at - self._clock.now) if message.expires_at else FOR_EVER
        self._kept.append((message, ttl_s))
        return True

    def replay(self, sink: Sink) -> None:
        """Give all that is kept to `sink`, the oldest first."""
        for message, ttl_s in list(self._kept):
            copy = message
            if ttl_s != FOR_EVER:
                copy = message.aimed_at(message.address)
                copy.expires_at = self._clock.now + ttl_s
            sink.take(copy)

    def clear(self) -> None:
        """Forget all."""
        while self._kept:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        message, _ = self._kept.popleft()
        self._room.release_kept(message.size_bytes + KEPT_COST_BYTES)
