"""A core is kept busy only while messages come close enough, and nobody else wants it."""

from collections.abc import Callable
from typing import Final

import pytest

from gateway.busy_poll import BACK_OFF_S, LONGEST, SMOOTHING, TAKEN_AWAY_S, BusyPoll
from gateway.poller import READ, Poller

POLL_S: Final = 300e-6
LOOK_S: Final = 1e-6  # one look at the poller
SLEEP_S: Final = 0.005
SOMEBODY: Final = [(7, READ)]


class Machine(Poller):
    """A poller and the clock around it: messages come `gap_s` after the wait for them has begun."""

    def __init__(self, gap_s: float) -> None:
        self.now = 1_000.0
        self.gap_s = gap_s
        self.look_s = LOOK_S
        self.due = 0.0
        self.looks = 0
        self.sleeps = 0

    def clock(self) -> float:
        return self.now

    def poll(self, wait_s: float) -> list[tuple[int, int]]:
        if wait_s:
            self.sleeps += 1
            self.now = min(max(self.now, self.due), self.now + wait_s)
        else:
            self.looks += 1
            self.now += self.look_s
        return SOMEBODY if self.now >= self.due else []


@pytest.fixture
def wait() -> Callable[[BusyPoll, Machine, int], None]:
    def run(busy: BusyPoll, machine: Machine, messages: int) -> None:
        machine.looks = machine.sleeps = 0
        for _ in range(messages):
            machine.due = machine.now + machine.gap_s
            assert busy.wait(machine, SLEEP_S) == SOMEBODY

    return run


Wait = Callable[[BusyPoll, Machine, int], None]


def test_messages_that_come_close_are_looked_for_without_sleeping(wait: Wait) -> None:
    machine = Machine(POLL_S / 2)
    busy = BusyPoll(POLL_S, machine.clock)
    wait(busy, machine, 100)  # it does not know yet
    wait(busy, machine, 100)
    assert machine.sleeps == 0
    assert machine.looks > 100


def test_messages_that_come_seldom_find_it_asleep_without_a_look(wait: Wait) -> None:
    machine = Machine(POLL_S * 2)
    wait(BusyPoll(POLL_S, machine.clock), machine, 1_000)
    assert (machine.looks, machine.sleeps) == (0, 1_000)


def test_it_falls_asleep_soon_once_messages_stay_away(wait: Wait) -> None:
    machine = Machine(POLL_S / 10)
    busy = BusyPoll(POLL_S, machine.clock)
    wait(busy, machine, 200)
    machine.gap_s = SLEEP_S
    wait(busy, machine, 3)  # each counts as LONGEST polls, of which SMOOTHING is taken
    assert 3 * LONGEST * SMOOTHING > 1
    wait(busy, machine, 10)
    assert machine.looks == 0


def test_it_backs_off_where_somebody_else_takes_the_core(wait: Wait) -> None:
    machine = Machine(POLL_S / 2)
    busy = BusyPoll(POLL_S, machine.clock)
    wait(busy, machine, 200)
    machine.look_s = 2 * TAKEN_AWAY_S
    machine.gap_s = machine.look_s * 2
    wait(busy, machine, 1)
    machine.look_s, machine.gap_s = LOOK_S, POLL_S / 2
    messages = int(BACK_OFF_S / 2 / machine.gap_s)  # half of it is over, or less
    wait(busy, machine, messages)
    assert (machine.looks, machine.sleeps) == (0, messages)
    wait(busy, machine, 300)
    wait(busy, machine, 100)
    assert machine.sleeps == 0


def test_none_sleeps_at_once(wait: Wait) -> None:
    machine = Machine(POLL_S / 2)
    wait(BusyPoll(0.0, machine.clock), machine, 100)
    assert (machine.looks, machine.sleeps) == (0, 100)
