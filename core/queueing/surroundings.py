"""What all queues of a broker share."""

from typing import TYPE_CHECKING

from core.counters import Counters
from core.queueing.dead_letters import DeadLetters
from core.queueing.offline import OfflineLimits
from core.queueing.usage import MEMORY_LIMIT_BYTES, Usage
from core.queueing.windows import Windows
from core.store.journal import Journal
from core.store.natives import Natives, Restore
from core.store.record import Codec
from core.timers import Clock, Timers

if TYPE_CHECKING:
    from core.queueing.browser import Walks
    from core.queueing.entry import Lender


class Surroundings:
    """Time, memory, counts, dead letters, what is told to the store, and the queues that the broker is to run."""

    def __init__(
        self,
        clock: Clock,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        natives: dict[int, Restore] | None = None,
        offline: OfflineLimits | None = None,
    ) -> None:
        self.clock = clock
        self.codec = Codec(Natives(natives if natives is not None else {}), clock)
        self.journal = Journal(self.codec)
        self.timers = Timers(clock)
        self.usage = Usage(memory_limit_bytes)
        self.windows = Windows(self.usage, self.journal, self.codec)
        self.counters = Counters()
        self.offline = offline if offline is not None else OfflineLimits()
        self.dead_letters = DeadLetters(self.timers, self.usage, self.counters, self.journal)
        self.woken: list[Lender] = []  # with something to hand over; run by the broker
        self.walks: Walks | None = None  # made for the first who browses
