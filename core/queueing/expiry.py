"""The watch over a queue's oldest entry, so that what has expired does not hold memory until a consumer comes.

Only the head is watched, as in RabbitMQ: an entry that expires behind one that does not is dropped when its turn comes.
"""

from typing import TYPE_CHECKING

from core.timers import Timed

if TYPE_CHECKING:
    from core.queueing.queue import Queue


class HeadExpiry(Timed):
    """Drops the expired head of one queue when its time has come."""

    def __init__(self, queue: "Queue") -> None:
        super().__init__()
        self._queue = queue

    def timeout(self) -> None:
        self.deadline = self._queue.drop_expired()
