"""The schedule of a virtual host: messages that are published later, once or again and again, as ActiveMQ's headers say.

It is an exchange that is in no list: whoever publishes there has been authorised to publish where the message's address
says, and there it goes when it is due. What waits is kept and counted like all delayed messages (`core.routing.delayed`).
A message that is to come again waits anew under headers that say what is left of its job, so that a store needs to know
nothing more; while messages take more memory than they may, a repeated one is left out that time.
"""

from typing import ClassVar, Final

from core.model.message import Message
from core.model.properties import Headers, Value
from core.queueing.home import Home
from core.queueing.usage import Usage
from core.routing.binding import Binding
from core.routing.delayed import FOR_EVER, Delayed, WaitingRoom
from core.routing.exchange import Exchange
from core.routing.route import Collector
from core.routing.sink import take_all
from core.routing.site import Site

SCHEDULE: Final = "amq.schedule"
DELAY: Final = "AMQ_SCHEDULED_DELAY"  # milliseconds until the first time; without it, as long as the period
PERIOD: Final = "AMQ_SCHEDULED_PERIOD"  # milliseconds from one time to the next
REPEAT: Final = "AMQ_SCHEDULED_REPEAT"  # times that it comes again after the first; below zero: until its place is gone
JOB: Final = "scheduledJobId"
PERIOD_LEAST_MS: Final = 100  # a fifth of ActiveMQ's own step of time
DIGITS_LIMIT: Final = 10
RATE_LIMIT: Final = 10_000.0  # times a second that all comes again, in one virtual host: one client would keep it busy


class Schedule(Exchange):
    """Takes messages, of which each says when it is due."""

    kind: ClassVar[str] = "x-schedule"

    def __init__(self, home: Home, site: Site, usage: Usage) -> None:
        super().__init__(SCHEDULE, site, {})
        self.room = ScheduleRoom(home, site, usage)
        self._wait = [Binding(self.room, "", {})]

    def select(self, collector: Collector) -> list[Binding]:
        return self._wait


class ScheduleRoom(WaitingRoom):
    """Where all messages of the schedule wait."""

    def __init__(self, home: Home, site: Site, usage: Usage) -> None:
        super().__init__(SCHEDULE, site.delayed)
        self._home = home
        self._counters = site.counters
        self._usage = usage
        self._rate = 0.0  # times a second that something comes again

    def take(self, message: Message) -> bool:
        rate = _rate_of(message)
        if rate and self._rate + rate > RATE_LIMIT:
            self._counters.drop("schedule_rate")
            return False
        return super().take(message)

    def came(self, delayed: Delayed) -> None:
        self._rate += _rate_of(delayed.message)

    def went(self, delayed: Delayed) -> None:
        self._rate -= _rate_of(delayed.message)

    def delay_of(self, headers: Headers) -> int:
        return _number(headers.get(DELAY)) or _period(headers)

    def lasts(self) -> bool:
        return True

    def release(self, delayed: Delayed, now: float) -> None:
        message = delayed.message
        said = message.properties
        headers = dict(said.headers)
        job = headers.setdefault(JOB, str(delayed.id))
        period = _period(headers)
        repeat = _number(headers.get(REPEAT)) if period else 0
        plain = {name: value for name, value in headers.items() if name not in {DELAY, PERIOD, REPEAT}}
        copy = message.restated(message.address, said.with_headers(plain))
        if delayed.ttl_s != FOR_EVER:
            copy.expires_at = now + delayed.ttl_s
        exchange = self._home.find_exchange(message.address.exchange)
        route = exchange.route(copy) if exchange is not None else None
        if route is None or not (route.sinks or route.keepers):
            self._counters.unroutable += 1
            if route is None or not message.address.exchange:
                return  # the queue or exchange is gone, and its job with it
        elif period and job != str(delayed.id) and self._usage.held_bytes > self._usage.limit_bytes:
            self._counters.drop("schedule_memory")
        else:
            self._counters.work += len(route.sinks)
            take_all(route.sinks or route.keepers, copy)
        if repeat:
            headers[DELAY] = str(period)
            headers[REPEAT] = str(max(-1, repeat - 1))
            again = message.restated(message.address, said.with_headers(headers))
            again.expires_at = copy.expires_at
            late_ms = int((now - delayed.due) * 1000)  # times that were missed are not made up for
            self._delayed.hold(again, period - late_ms % period, self)


def _rate_of(message: Message) -> float:
    """Return how often a second a message will come again."""
    headers = message.properties.headers
    period = _period(headers)
    return 1000 / period if period and _number(headers.get(REPEAT)) else 0.0


def _period(headers: Headers) -> int:
    period = _number(headers.get(PERIOD))
    return max(period, PERIOD_LEAST_MS) if period > 0 else 0


def _number(value: Value) -> int:
    """Return what a header says, which was checked by whoever took the message in."""
    if not isinstance(value, str) or len(value) > DIGITS_LIMIT:
        return 0
    digits = value.removeprefix("-")
    return int(value) if digits.isascii() and digits.isdecimal() else 0
