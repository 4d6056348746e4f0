"""Retained messages on the way to a new subscriber, no faster than it reads (MQTT 3.1.1 §3.3.1.3).

Those of QoS 1 and 2 wait in the session's queue like any other. Those of QoS 0 wait here while the output is full,
since a subscriber that just came is owed all of them and not only what fits.

They are looked for in steps: a wildcard may lead past every topic there is, and a packet may have ten thousand of them. A
turn does so many steps for one connection, and the rest in the turns that follow.
"""

from collections import deque
from typing import Final

from core.client import Client
from core.counters import Counters
from core.model.message import Message
from core.queueing.retained import Walk
from core.routing.pattern import Pattern
from core.timers import NEVER, Timed, Timers
from protocols.connection import Connection
from protocols.mqtt.session import MqttSession
from protocols.mqtt.subscription import Subscription
from protocols.mqtt.topics import UNSAYABLE, topic_field

ASKED_LIMIT: Final = 50_000  # subscriptions that are still to be greeted, as many as a session has
STEPS_LIMIT: Final = 5_000  # levels of topics that are visited in a turn: some milliseconds


class Asked:
    """A subscription that is to be greeted."""

    def __init__(self, text: str, subscription: Subscription, pattern: Pattern) -> None:
        self.text = text
        self.subscription = subscription
        self.pattern = pattern


class Greeting(Timed):
    """The retained messages that one connection has been promised. Its deadline is the next turn, while there are more."""

    def __init__(self, connection: Connection, session: MqttSession, client: Client) -> None:
        super().__init__()
        self._connection = connection
        self._session = session
        self._client = client
        self._timers: Timers = connection.broker.timers
        self._counters: Counters = connection.broker.counters
        self._asked: deque[Asked] = deque()
        self._walk: Walk | None = None  # of the first of them, once it has begun
        self._waiting: deque[tuple[Message, Subscription]] = deque()
        self._turn = 0.0  # when the steps that are left were given out
        self._steps_left = STEPS_LIMIT

    @property
    def full(self) -> bool:
        """Whether nothing more should be promised: whoever keeps subscribing without reading gets no more."""
        return len(self._asked) >= ASKED_LIMIT or self._session.deliveries.full

    def add(self, text: str, subscription: Subscription, pattern: Pattern) -> None:
        """Send retained messages to a subscription that was made just now."""
        self._asked.append(Asked(text, subscription, pattern))
        self.go_on()

    def go_on(self) -> None:
        """Send what waits, as far as the output has room, and look for more, as far as the turn has."""
        now = self._timers.clock.now
        if now != self._turn:
            self._turn = now
            self._steps_left = STEPS_LIMIT
        self._send()
        while self._asked and self._steps_left > 0 and not self._connection.congested:
            self._look()
            self._send()
        if self._asked and not self._connection.congested:
            self.deadline = now
            self._timers.watch(self)

    def timeout(self) -> None:
        self.deadline = NEVER
        self._turn = NEVER  # this is a turn of its own, whatever the clock says
        self.go_on()

    def end(self) -> None:
        """Promise nothing more, because the connection has ended."""
        self.deadline = NEVER
        self._timers.forget(self)
        self._asked.clear()
        self._waiting.clear()
        self._walk = None

    def _look(self) -> None:
        """Look for what the first subscription is to be greeted with."""
        asked = self._asked[0]
        if self._session.subscriptions.get(asked.text) is not asked.subscription:
            self._next()  # it has ended, or another has taken its place and is asked for too
            return
        if self._session.deliveries.full:
            self._counters.drop("slow_subscriber")
            self._next()
            return
        walk = self._walk
        if walk is None:
            walk = self._walk = self._client.retained(asked.pattern)
        before = walk.steps
        for message in walk.go_on(self._steps_left):
            self._promise(asked.subscription, message)
        self._steps_left -= walk.steps - before
        if walk.finished:
            self._next()

    def _next(self) -> None:
        self._asked.popleft()
        self._walk = None
        self._steps_left -= 1

    def _promise(self, subscription: Subscription, message: Message) -> None:
        if message.qos and subscription.qos:
            if topic_field(message.address) == UNSAYABLE:
                self._counters.drop("not_a_topic")
            else:
                self._session.deliveries.keep(message, subscription)
        elif self._waiting or self._connection.congested:
            self._waiting.append((message, subscription))
        else:
            self._write(message, subscription)

    def _send(self) -> None:
        waiting = self._waiting
        connection = self._connection
        while waiting and not connection.congested:
            message, subscription = waiting.popleft()
            self._write(message, subscription)

    def _write(self, message: Message, subscription: Subscription) -> None:
        frame = self._session.deliveries.dialect.at_most_once(message, subscription)
        if frame:
            self._counters.delivered += 1
            self._connection.write(frame)
