"""The way of dead letters: what a queue gives up is published again to its dead-letter exchange.

One letter after the other, never one inside the other: a letter may die in the next queue at once, and chains of queues
may be longer than the stack is deep. Much in one go is spread over turns; queues that all dead-letter to each other can
make a copy for each way through them, so there is a limit to what waits.

A store has the entry until its letter is published, in one commit with that: who dies meanwhile gives it up again.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from core.counters import Counters
from core.model.message import Message
from core.queueing.death import REJECTED, dead_letter, goes_in_a_cycle
from core.queueing.entry import Entry, Lender
from core.queueing.home import Home
from core.queueing.usage import ENTRY_COST_BYTES, Usage
from core.routing.sink import Sink, take_all
from core.timers import NEVER, Timed, Timers

if TYPE_CHECKING:
    from core.store.journal import Journal

LETTERS_AT_ONCE: Final = 1_000
LETTERS_LIMIT: Final = 100_000  # that wait for their turn


class DeadLettering:
    """Where the dead letters of one queue go: an exchange, which is looked up each time, and a key, if not their own."""

    def __init__(self, home: Home, queue: str, exchange: str, key: str | None) -> None:
        self.home = home
        self.queue = queue
        self.exchange = exchange
        self.key = key


class DeadLetters(Timed):
    """Publishes the dead letters of all queues of a broker."""

    def __init__(self, timers: Timers, usage: Usage, counters: Counters, journal: "Journal") -> None:
        super().__init__()
        self._timers = timers
        self._journal = journal
        self._usage = usage
        self._counters = counters
        self._waiting: deque[tuple[DeadLettering, Entry, str]] = deque()
        self._busy = False  # publishing, or to go on in the next turn

    def send(self, where: DeadLettering, entry: Entry, reason: str) -> None:
        """Publish what a queue has given up; when it is its turn, which is at once as a rule."""
        if len(self._waiting) >= LETTERS_LIMIT:
            self._counters.drop("dead_letter_limit")
            self._forget(entry)
            return
        self._usage.held_bytes += entry.message.size_bytes + ENTRY_COST_BYTES
        self._waiting.append((where, entry, reason))
        if not self._busy:
            self._go_on()

    def finish(self) -> None:
        """Publish what waits, because the broker stops in order; as much as may wait."""
        for _ in range(LETTERS_LIMIT // LETTERS_AT_ONCE):
            if not self._waiting:
                return
            self._go_on()

    def timeout(self) -> None:
        self.deadline = NEVER
        self._go_on()

    def _go_on(self) -> None:
        self._busy = True
        try:
            for _ in range(LETTERS_AT_ONCE):
                if not self._waiting:
                    break
                where, entry, reason = self._waiting.popleft()
                self._usage.held_bytes -= entry.message.size_bytes + ENTRY_COST_BYTES
                self._forget(entry)
                self._publish(where, entry.message, reason)
        finally:
            if self._waiting:
                self.deadline = self._timers.clock.now
                self._timers.watch(self)
            else:
                self._busy = False

    def _forget(self, entry: Entry) -> None:
        if entry.row:
            self._journal.remove(entry)

    def _publish(self, where: DeadLettering, message: Message, reason: str) -> None:
        counters = self._counters
        exchange = where.home.find_exchange(where.exchange)
        if exchange is None:
            counters.drop("dead_letter_exchange_missing")
            return
        key = where.key
        letter = dead_letter(
            message,
            exchange.address(message.address.key if key is None else key),
            where.queue,
            reason,
            int(self._timers.clock.wall),
            readdressed=key is not None,
        )
        route = exchange.route(letter)
        sinks = route.sinks
        counters.work += len(sinks) + 1
        if not sinks:
            counters.unroutable += 1
            sinks = route.keepers
        elif reason != REJECTED:
            sinks = self._without_cycles(sinks, letter)
        take_all(sinks, letter)

    def _without_cycles(self, sinks: list[Sink], letter: Message) -> list[Sink]:
        going_on: list[Sink] = []
        for sink in sinks:
            if isinstance(sink, Lender) and goes_in_a_cycle(letter, sink.name):
                self._counters.drop("dead_letter_cycle")
            else:
                going_on.append(sink)
        return going_on
