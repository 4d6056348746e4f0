"""What topics have retained, for subscriptions that ask for it (`activemq.retroactive`), no faster than the client reads.

It is looked for in steps, because a wildcard may lead past every topic there is: so many in a turn for one connection, and
the rest in the turns that follow.
"""

from collections import deque
from typing import Final

from core.client import Client
from core.queueing.retained import Walk
from core.routing.pattern import Pattern
from core.routing.sink import Sink
from core.timers import NEVER, Timed
from protocols.stomp.speaker import Speaker
from protocols.stomp.subscription import Subscription

STEPS_LIMIT: Final = 5_000  # levels of topics that are visited in a turn: some milliseconds
STALE_LIMIT: Final = 100  # subscriptions in the line that may have ended, beside as many as have not
STEPS_AT_ONCE: Final = 20  # and between two looks at how full the output is


class Asked:
    """A subscription that is owed what was retained before it."""

    def __init__(self, subscription: Subscription, sink: Sink, walk: Walk) -> None:
        self.subscription = subscription
        self.sink = sink
        self.walk = walk


class Retroactive(Timed):
    """What one connection is owed. Its deadline is the next turn, while there is more."""

    def __init__(self, speaker: Speaker, client: Client) -> None:
        super().__init__()
        self._speaker = speaker
        self._client = client
        self._timers = speaker.broker.timers
        self._asked: deque[Asked] = deque()
        self._tidy_at = STALE_LIMIT

    def add(self, subscription: Subscription, sink: Sink, pattern: Pattern) -> None:
        """Have a new subscription get by `sink` what is retained for the topics that a pattern selects."""
        if len(self._asked) >= self._tidy_at:
            self._asked = deque([asked for asked in self._asked if not asked.subscription.ended])
            self._tidy_at = 2 * len(self._asked) + STALE_LIMIT
        self._asked.append(Asked(subscription, sink, self._client.retained(pattern)))
        self._come_back()

    def go_on(self) -> None:
        """Go on, because the output has room again."""
        if self._asked:
            self._come_back()

    def timeout(self) -> None:
        self.deadline = NEVER
        steps = STEPS_LIMIT
        while self._asked and steps > 0 and not self._speaker.congested:
            asked = self._asked[0]
            if asked.subscription.ended or asked.walk.finished:
                self._asked.popleft()
                steps -= 1
                continue
            before = asked.walk.steps
            for message in asked.walk.go_on(STEPS_AT_ONCE):
                asked.sink.take(message)
            steps -= asked.walk.steps - before
        if self._asked and not self._speaker.congested:
            self._come_back()

    def end(self) -> None:
        """Owe nothing more, because the connection has ended."""
        self.deadline = NEVER
        self._timers.forget(self)
        self._asked.clear()

    def _come_back(self) -> None:
        self.deadline = self._timers.clock.now
        self._timers.watch(self)
