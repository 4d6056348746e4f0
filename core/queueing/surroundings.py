"""What all queues of a broker share."""

from typing import TYPE_CHECKING

from core.counters import Counters
from core.queueing.dead_letters import DeadLetters
from core.queueing.usage import MEMORY_LIMIT_BYTES, Usage
from core.timers import Clock, Timers

if TYPE_CHECKING:
    from core.queueing.queue import Queue


class Surroundings:
    """Time, memory, counts, dead letters, and the queues that the broker is to run."""

    def __init__(self, clock: Clock, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self.clock = clock
        self.timers = Timers(clock)
        self.usage = Usage(memory_limit_bytes)
        self.counters = Counters()
        self.dead_letters = DeadLetters(self.timers, self.usage, self.counters)
        self.woken: list[Queue] = []  # queues with something to hand over; run by the broker
