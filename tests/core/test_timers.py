"""The heap of deadlines against a list, and what it does not keep alive."""

import gc
import weakref

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.timers import NEVER, STALE_LIMIT, Clock, Timed, Timers

TIMES = st.integers(0, 50).map(float)


class Alarm(Timed):
    def __init__(self, deadline: float = NEVER) -> None:
        super().__init__()
        self.deadline = deadline


class TimersModel(RuleBasedStateMachine):
    """Every due deadline is found at the first look after it, once, in order, and no other is."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.timers = Timers(self.clock)
        self.alarms: list[Alarm] = []

    @rule(delay=TIMES)
    def start(self, delay: float) -> None:
        self.alarms.append(Alarm(self.clock.now + delay))
        self.timers.watch(self.alarms[-1])

    @rule(data=st.data(), delay=TIMES)
    @precondition(lambda self: self.alarms)
    def move(self, data: st.DataObject, delay: float) -> None:
        alarm = data.draw(st.sampled_from(self.alarms))
        earlier = self.clock.now + delay < alarm.deadline
        alarm.deadline = self.clock.now + delay
        if earlier:
            self.timers.watch(alarm)

    @rule(data=st.data())
    @precondition(lambda self: self.alarms)
    def forget(self, data: st.DataObject) -> None:
        alarm = self.alarms.pop(data.draw(st.integers(0, len(self.alarms) - 1)))
        self.timers.forget(alarm)
        self.timers.forget(alarm)

    @rule(data=st.data())
    @precondition(lambda self: self.alarms)
    def silence(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.alarms)).deadline = NEVER

    @rule(seconds=TIMES)
    def look(self, seconds: float) -> None:
        self.clock.now += seconds
        due = self.timers.due()
        assert len(due) == len(set(due))
        assert set(due) == {alarm for alarm in self.alarms if alarm.deadline <= self.clock.now}
        for timed in due:
            timed.deadline = NEVER
            self.timers.watch(timed)
        assert self.timers.due() == []

    @invariant()
    def nobody_is_looked_at_too_late(self) -> None:
        deadlines = [alarm.deadline for alarm in self.alarms]
        assert self.timers.next_look() <= min(deadlines, default=NEVER)

    @invariant()
    def the_heap_is_bounded_by_what_is_watched(self) -> None:
        assert self.timers.count <= len(self.alarms)
        assert len(self.timers._heap) <= 2 * self.timers.count + STALE_LIMIT


TestTimers = TimersModel.TestCase
TestTimers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(TIMES, max_size=20))
def test_the_oldest_deadline_comes_first(times: list[float]) -> None:
    clock = Clock()
    timers = Timers(clock)
    for time in times:
        timers.watch(Alarm(time))
    clock.now = 100.0
    assert [timed.deadline for timed in timers.due()] == sorted(times)


def test_moving_a_deadline_later_costs_nothing_and_earlier_is_noticed() -> None:
    clock = Clock()
    timers, alarm = Timers(clock), Alarm(10.0)
    timers.watch(alarm)
    for deadline in range(11, 100):
        alarm.deadline = float(deadline)
        timers.watch(alarm)
    assert len(timers._heap) == 1
    clock.now = 10.0
    assert timers.due() == []
    assert timers.next_look() == 99.0
    alarm.deadline = 20.0
    timers.watch(alarm)
    assert timers.next_look() == 20.0
    clock.now = 20.0
    assert timers.due() == [alarm]


def test_a_deadline_that_moves_ever_earlier_does_not_fill_the_heap() -> None:
    timers, alarm = Timers(Clock()), Alarm()
    for deadline in range(10_000, 0, -1):
        alarm.deadline = float(deadline)
        timers.watch(alarm)
        assert len(timers._heap) <= 2 + STALE_LIMIT


def test_who_is_forgotten_is_not_kept_alive_until_its_deadline() -> None:
    """A keep-alive of 18 hours must not keep a closed connection in memory for as long."""
    timers, alarm = Timers(Clock()), Alarm(1e9)
    timers.watch(alarm)
    timers.forget(alarm)
    assert timers.count == 0
    reference = weakref.ref(alarm)
    del alarm
    gc.collect()
    assert reference() is None


def test_a_deadline_of_never_is_not_filed() -> None:
    timers = Timers(Clock())
    timers.watch(Alarm())
    assert timers.count == 0
    assert timers.next_look() == NEVER
