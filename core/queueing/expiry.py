"""The watch over a queue's oldest entry, so that what has expired does not hold memory until a consumer comes.

Only the head is watched, as in RabbitMQ: an entry that expires behind one that does not is dropped when its turn comes.
"""

from typing import TYPE_CHECKING, Final

from core.timers import NEVER, Timed, Timers

if TYPE_CHECKING:
    from core.queueing.stock import Stock

EXPIRED_AT_ONCE: Final = 1_000  # entries that one look at the head gives up; the next look is in the next turn


class HeadExpiry(Timed):
    """Drops the expired head of one queue when its time has come."""

    def __init__(self, queue: "Stock", timers: Timers) -> None:
        super().__init__()
        self._queue = queue
        self._timers = timers

    def watch(self, expires_at: float) -> None:
        """Look at the head at that time (monotonic seconds) at the latest."""
        if expires_at < self.deadline:
            self.deadline = expires_at
            self._timers.watch(self)

    def watch_head(self) -> None:
        """Look when the present head expires at the latest."""
        backlog = self._queue.backlog
        if backlog.count:
            expires_at = backlog.head().expires_at
            if expires_at != 0.0:
                self.watch(expires_at)

    def look(self) -> None:
        """Drop at once what has expired at the head."""
        self.watch(self._drop())

    def timeout(self) -> None:
        self.deadline = self._drop()

    def _drop(self) -> float:
        """Give up what has expired at the head; return when to look again, or NEVER."""
        queue = self._queue
        now = self._timers.clock.now
        for _ in range(EXPIRED_AT_ONCE):
            backlog = queue.backlog
            if not backlog.count:
                return NEVER
            expires_at = backlog.head().expires_at
            if expires_at == 0.0:
                return NEVER
            if expires_at > now:
                return expires_at
            queue.expire(backlog.take())
        return now
