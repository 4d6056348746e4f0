"""Looking for the next message without a break before sleeping, while messages come so close that it pays.

Waking a sleeping process on another core takes tens of microseconds, which is most of what one small message costs: at a few
thousand a second it is what the slowest hundredth waits for. Erlang's schedulers, which RabbitMQ runs on, look for work
before they sleep for the same reason.

A core is kept busy only while the usual time to the next message is shorter than the poll, and only as long as nobody else
wants that core.
"""

import time
from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from gateway.poller import Poller

SMOOTHING: Final = 1 / 16  # of one waiting time in the usual one
LONGEST: Final = 8  # times the poll, that one waiting time counts as at most: a pause is forgotten after 30 messages
TAKEN_AWAY_S: Final = 1e-3  # between two looks, a microsecond apart by themselves: somebody else has had the core
BACK_OFF_S: Final = 0.01  # without a busy poll then; a machine takes the core for itself now and then, too


@mypyc_attr(allow_interpreted_subclasses=True)
class BusyPoll:
    """Waits at a poller, which is asked again and again for up to `longest_s` before it is left to sleep; 0 sleeps at once."""

    def __init__(self, longest_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.longest_s = longest_s
        self._clock = clock
        self._usual_s = longest_s * LONGEST  # from the end of a turn to the next message
        self._not_before = 0.0

    def wait(self, poller: Poller, wait_s: float) -> list[tuple[int, int]]:
        """Return what is ready, or after `wait_s` nothing."""
        if not self.longest_s:
            return poller.poll(wait_s)
        begin = self._clock()
        events: list[tuple[int, int]] = []
        if self._usual_s <= self.longest_s and begin >= self._not_before:
            events = self._look(poller, begin)
        if not events:
            events = poller.poll(wait_s)
        waited_s = min(self._clock() - begin, self.longest_s * LONGEST)
        self._usual_s += (waited_s - self._usual_s) * SMOOTHING
        return events

    def _look(self, poller: Poller, begin: float) -> list[tuple[int, int]]:
        last = begin
        while last - begin < self.longest_s:
            events = poller.poll(0.0)
            if events:
                return events
            now = self._clock()
            if now - last > TAKEN_AWAY_S:
                self._not_before = now + BACK_OFF_S
                break
            last = now
        return []
