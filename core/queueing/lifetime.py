"""The life of a queue that nobody uses (RabbitMQ `x-expires`).

A queue is in use while it has a consumer, and for so long after it was last declared or asked for an entry.
"""

from typing import TYPE_CHECKING

from core.queueing.home import Home
from core.timers import NEVER, Timed, Timers

if TYPE_CHECKING:
    from core.queueing.queue import Queue


class Lifetime(Timed):
    """Deletes one queue when it has been idle for too long."""

    def __init__(self, queue: "Queue", home: Home, timers: Timers, idle_s: float) -> None:
        super().__init__()
        self._queue = queue
        self._home = home
        self._timers = timers
        self.idle_s = idle_s

    def begin(self) -> None:
        """Count from now on, because the queue was used, unless it has a consumer."""
        self.deadline = NEVER if self._queue.consumers else self._timers.clock.now + self.idle_s
        self._timers.watch(self)

    def end(self) -> None:
        """Count no more."""
        self._timers.forget(self)

    def timeout(self) -> None:
        self.deadline = NEVER
        self._home.remove_queue(self._queue)
