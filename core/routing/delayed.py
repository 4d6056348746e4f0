"""Messages that wait for their time, in order of the time and then of their arrival.

What waits can be listed and cancelled. It takes memory that no consumer can free, so there is room for so much of it
(`core.routing.room`); a message that finds no room is refused. A message's time to live begins when it is due, as if it
had been published then. What is durable and waits in a durable exchange is told to a keeper, and told again when it goes: a
message is passed on in the same turn, so that a store has it in one place or the other.
"""

import heapq
from typing import Final

from mypy_extensions import mypyc_attr

from core.counters import Counters
from core.model.message import Address, Message
from core.model.properties import Headers, Value
from core.routing.room import Room
from core.routing.sink import Sink
from core.timers import NEVER, Timed, Timers

DELAY: Final = "x-delay"  # a header: milliseconds
DELAY_LIMIT_MS: Final = 0xFFFF_FFFF  # the plugin's: a longer delay is none
FOR_EVER: Final = -1.0  # a time to live, in seconds
DIGITS_LIMIT: Final = 10  # of a delay that is given as text
DELAYED_COST_BYTES: Final = 768  # of memory beside the bytes of the message
SAID_BYTES: Final = 4_096  # of memory, allowed for what one message says about itself where it is not at hand yet
DUE_AT_ONCE: Final = 1_000  # messages handed over in one go, so that connections have their turn in between
STALE_LIMIT: Final = 64  # entries of the heap that may stand for cancelled messages, beside as many as wait


def delay_ms(headers: Headers) -> int:
    """Return how long a message with these headers waits; 0 when it does not."""
    value: Value = headers.get(DELAY)
    delay = 0
    if isinstance(value, str):
        digits = value.removeprefix("+")
        if len(digits) <= DIGITS_LIMIT and digits.isascii() and digits.isdecimal():
            delay = int(digits)
    elif isinstance(value, float):
        if 0 <= value <= DELAY_LIMIT_MS:
            delay = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        delay = value
    return delay if 0 < delay <= DELAY_LIMIT_MS else 0


@mypyc_attr(allow_interpreted_subclasses=True)
class WaitingRoom(Sink):
    """Where the delayed messages of one exchange wait."""

    def __init__(self, name: str, delayed: "DelayedMessages") -> None:
        super().__init__()
        self.name = name
        self.waiting: dict[int, Delayed] = {}
        self._delayed = delayed

    def take(self, message: Message) -> bool:
        return self._delayed.hold(message, self.delay_of(message.properties.headers), self)

    def delay_of(self, headers: Headers) -> int:
        """Return how many milliseconds a message waits here."""
        return delay_ms(headers)

    def admits(self, count: int, size_bytes: int) -> bool:
        return self._delayed.admits(size_bytes + count * (DELAYED_COST_BYTES + SAID_BYTES))

    def came(self, delayed: "Delayed") -> None:
        """Learn that a message waits here."""

    def went(self, delayed: "Delayed") -> None:
        """Learn that a message no longer waits here."""

    def lasts(self) -> bool:
        """Tell whether durable messages outlive the process here."""
        return False

    def release(self, delayed: "Delayed", now: float) -> None:
        """Route what has waited, as its headers say then."""
        self.pass_on(delayed.released(now))

    def pass_on(self, message: Message) -> None:
        """Route a message whose time has come."""
        raise AssertionError(f"the exchange of waiting room {self.name!r} does not say where messages go")


class Delayed:
    """A message that waits."""

    def __init__(self, number: int, due: float, delay: int, message: Message, room: WaitingRoom) -> None:
        self.id = number
        self.due = due  # monotonic seconds
        self.delay_ms = delay
        self.message = message
        self.room = room
        self.size_bytes = message.size_bytes + DELAYED_COST_BYTES  # of memory
        self.ttl_s = FOR_EVER  # of life once it is due
        self.kept = False  # whether the keeper was told of it

    @property
    def exchange(self) -> str:
        """The exchange where it waits, which need not be the one that it was aimed at."""
        return self.room.name

    @property
    def address(self) -> Address:
        return self.message.address

    def released(self, now: float) -> Message:
        """Return the message as it is delivered: `x-delay` is negative, which says how long it has waited."""
        message = self.message
        headers = dict(message.properties.headers)
        headers[DELAY] = -self.delay_ms
        copy = message.restated(message.address, message.properties.with_headers(headers))
        copy.also_to = message.also_to
        if self.ttl_s != FOR_EVER:
            copy.expires_at = now + self.ttl_s
        return copy


@mypyc_attr(allow_interpreted_subclasses=True)
class DelayedKeeper:
    """Has a store remember what waits."""

    def delayed(self, delayed: Delayed) -> bool:
        """Remember a message; False when there is nothing that remembers."""
        return False

    def delayed_no_longer(self, delayed: Delayed) -> None:
        """Forget a message."""


class DelayedMessages(Timed):
    """All that waits in one virtual host."""

    def __init__(self, counters: Counters, timers: Timers, room: Room) -> None:
        super().__init__()
        self._counters = counters
        self._timers = timers
        self._room = room
        self._waiting: dict[int, Delayed] = {}
        self._heap: list[tuple[float, int]] = []  # when, and which: cancelled ones are still in it
        self._last_number = 0
        self.keeper = DelayedKeeper()

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def hold(self, message: Message, delay: int, room: WaitingRoom) -> bool:
        """Keep a message for `delay` milliseconds; False when there is no room for it."""
        now = self._timers.clock.now
        self._last_number += 1
        delayed = Delayed(self._last_number, now + delay / 1000, delay, message, room)
        if not self._room.hold_kept(delayed.size_bytes):
            self._counters.drop("delayed_full")
            return False
        if message.expires_at:
            delayed.ttl_s = max(0.0, message.expires_at - now)
        if message.qos and room.lasts():
            delayed.kept = self.keeper.delayed(delayed)
        self._add(delayed)
        return True

    def restore(self, number: int, due: float, delay: int, ttl_s: float, message: Message, room: WaitingRoom) -> bool:
        """Take back what the keeper has remembered; False when there is no room for it."""
        self._last_number = max(self._last_number, number)
        delayed = Delayed(number, due, delay, message, room)
        if not self._room.hold_kept(delayed.size_bytes):
            return False
        delayed.ttl_s = ttl_s
        delayed.kept = True
        self._add(delayed)
        return True

    def _add(self, delayed: Delayed) -> None:
        self._waiting[delayed.id] = delayed.room.waiting[delayed.id] = delayed
        delayed.room.came(delayed)
        heapq.heappush(self._heap, (delayed.due, delayed.id))
        if delayed.due < self.deadline:
            self.deadline = delayed.due
            self._timers.watch(self)

    def admits(self, size: int) -> bool:
        """Tell whether messages that take `size` bytes of memory would all be kept."""
        return self._room.has_room(size)

    def listed(self) -> list[Delayed]:
        """Return what waits, in the order in which it will be delivered."""
        return sorted(self._waiting.values(), key=lambda delayed: (delayed.due, delayed.id))

    def cancel(self, number: int) -> bool:
        """Drop the message with this id; False when it does not wait (any more)."""
        delayed = self._waiting.get(number)
        if delayed is None:
            return False
        self._forget(delayed)
        self._tidy()
        return True

    def drop(self, room: WaitingRoom) -> None:
        """Drop all that waits in a room, because its exchange is deleted."""
        self._counters.drop("delayed_exchange_deleted", len(room.waiting))
        for delayed in list(room.waiting.values()):
            self._forget(delayed)
        self._tidy()

    def timeout(self) -> None:
        """Deliver what is due."""
        now = self._timers.clock.now
        for _ in range(DUE_AT_ONCE):
            delayed = self._first()
            if delayed is None or delayed.due > now:
                break
            heapq.heappop(self._heap)
            self._forget(delayed)
            delayed.room.release(delayed, now)
        first = self._first()
        self.deadline = first.due if first is not None else NEVER

    def _first(self) -> Delayed | None:
        heap = self._heap
        while heap:
            delayed = self._waiting.get(heap[0][1])
            if delayed is not None:
                return delayed
            heapq.heappop(heap)
        return None

    def _forget(self, delayed: Delayed) -> None:
        del self._waiting[delayed.id]
        del delayed.room.waiting[delayed.id]
        delayed.room.went(delayed)
        self._room.release_kept(delayed.size_bytes)
        if delayed.kept:
            self.keeper.delayed_no_longer(delayed)

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._waiting) + STALE_LIMIT:
            self._heap[:] = [filed for filed in self._heap if filed[1] in self._waiting]
            heapq.heapify(self._heap)
