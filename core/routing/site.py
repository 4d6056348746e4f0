"""What the exchanges of one virtual host share."""

from collections.abc import Callable

from core.counters import Counters
from core.routing.chance import Chance
from core.routing.composite import ForwardingRules, Publishes
from core.routing.delayed import DelayedMessages
from core.routing.memory import Memory
from core.routing.room import Room
from core.timers import Timers


class Site:
    """Made once for each virtual host, and known to each of its exchanges."""

    def __init__(
        self, host: Publishes, counters: Counters, timers: Timers, room: Room, unique: Callable[[], str]
    ) -> None:
        self.counters = counters
        self.clock = timers.clock
        self.room = room
        self.memory = Memory(counters)
        self.forwarding = ForwardingRules(host)
        self.delayed = DelayedMessages(counters, timers, room)
        self.chance = Chance(unique)
