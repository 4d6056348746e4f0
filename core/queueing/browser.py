"""A walk over the ready entries of a queue that takes none of them out (STOMP `browser:true`).

Whoever browses gets copies of the entries, in order: those that were there when the walk began and are there when it comes
by. To settle a copy gives credit back and changes nothing else. Each run of the broker goes a bounded number of steps,
for all who browse together.
"""

from collections import deque
from typing import Final

from core.queueing.consumer import Consumer
from core.queueing.entry import Entry, Lender
from core.queueing.ordered_backlog import NOWHERE
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.queueing.turns import wait_for_shared
from core.queueing.usage import ENTRY_COST_BYTES
from core.routing.selector.selector import Selector

BROWSED_AT_ONCE: Final = 1_000  # entries that one run looks at, of all walks together
SHARE: Final = 100  # entries that one walk looks at before another has its turn


class Browser(Lender):
    """One walk. It begins when it is woken, and ends with `Consumer.browsed` or `close`. Limit where the queue is too long."""

    def __init__(self, queue: Queue, consumer: Consumer, selector: Selector | None, surroundings: Surroundings) -> None:
        queue.check_in_order()
        super().__init__(queue.name)
        self.counts_deliveries = queue.counts_deliveries
        self.finished = False
        self._queue = queue
        self._consumer = consumer
        self._selector = selector
        self._surroundings = surroundings
        self._end_sequence = queue.next_sequence  # of the first entry that came after the beginning
        self._place = NOWHERE  # of the last entry that was looked at
        self._woken = False
        consumer.lender = self

    def wake(self) -> None:
        """Have the walk go on when the present batch is done."""
        if not self._woken and not self.finished:
            self._woken = True
            walks = self._surroundings.walks
            if walks is None:
                walks = self._surroundings.walks = Walks(self._surroundings)
            walks.add(self)

    def close(self) -> None:
        """End the walk early. What was delivered may still be settled."""
        if not self.finished:
            self.finished = True
            self._consumer.lender = None
            if self._consumer.shared is not None:
                self._consumer.shared.forget(self._consumer)

    def go_on(self, steps: int) -> int:
        """Go so many steps at most, and return how many it were."""
        self._woken = False
        consumer = self._consumer
        for gone in range(steps):
            if self.finished:
                return gone
            entry = self._next()
            if entry is None:
                self.close()
                consumer.browsed()
                return gone
            if self._wanted(entry):
                if not consumer.willing():
                    wait_for_shared(consumer)
                    return gone
                self._show(entry)
            self._place = self._queue.in_order().place_of(entry)
        self.wake()
        return steps

    def _next(self) -> Entry | None:
        queue = self._queue
        return queue.in_order().after(self._place) if queue.ready_count else None

    def _wanted(self, entry: Entry) -> bool:
        if entry.sequence >= self._end_sequence or 0.0 < entry.expires_at <= self._surroundings.clock.now:
            return False
        return self._selector is None or self._selector.matches(entry.message)

    def _show(self, entry: Entry) -> None:
        consumer = self._consumer
        copy = Entry(self, entry.message, entry.sequence, entry.via)
        copy.expires_at = entry.expires_at
        copy.attempts = entry.attempts
        copy.redelivered = entry.redelivered
        if consumer.settles:
            copy.consumer = consumer
            consumer.credit -= 1
            if consumer.shared is not None:
                consumer.shared.take(consumer)
            self._surroundings.usage.held_bytes += entry.message.size_bytes + ENTRY_COST_BYTES
        try:
            consumer.deliver(copy)
        except Exception as error:  # noqa: BLE001 - a bug in the browsing connection costs that one
            consumer.failed(error)

    def resume(self, consumer: Consumer) -> None:
        self.wake()

    def accept(self, entry: Entry) -> None:
        consumer = entry.consumer
        if consumer is None:
            return  # settled before
        entry.consumer = None
        self._surroundings.usage.held_bytes -= entry.message.size_bytes + ENTRY_COST_BYTES
        consumer.credit += 1
        if consumer.shared is not None:
            consumer.shared.give_back()
        self.wake()

    def requeue(self, entry: Entry) -> None:
        self.accept(entry)

    def requeue_later(self, entry: Entry, delay_s: float) -> None:
        self.accept(entry)

    def discard(self, entry: Entry) -> None:
        self.accept(entry)


class Walks(Lender):
    """The walks of a broker that can go on: they take turns, and one run is as long as it would be for one of them."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__("")
        self._surroundings = surroundings
        self._waiting: deque[Browser] = deque()
        self._woken = False

    def add(self, browser: Browser) -> None:
        """Let a walk go on when its turn comes."""
        self._waiting.append(browser)
        self._wake()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._surroundings.woken.append(self)

    def run(self) -> None:
        self._woken = False
        waiting = self._waiting
        steps = BROWSED_AT_ONCE
        while waiting and steps > 0:
            steps -= 1 + waiting.popleft().go_on(min(SHARE, steps))  # a turn is a step too, even if it leads nowhere
        if waiting:
            self._wake()
