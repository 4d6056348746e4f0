"""Publishers wait while a disk has little space left, and go on when it has enough, which is more."""

from pathlib import Path

import pytest

from core.timers import NEVER
from gateway.headroom import CHECK_S, Headroom, free_bytes_of
from tests.core.parts import a_broker

LIMIT = 1_000


def test_publishers_wait_below_the_limit_and_until_a_quarter_more_is_free() -> None:
    broker = a_broker()
    free = [LIMIT]
    headroom = Headroom(broker, LIMIT, lambda: free[0])
    headroom.start()
    seen: list[tuple[int, str]] = []
    for now, free[0] in enumerate([LIMIT, LIMIT - 1, LIMIT, 1_249, 1_250, LIMIT], 1):
        broker.clock.now += CHECK_S
        for timed in broker.timers.due():
            timed.timeout()
            broker.timers.watch(timed)
        seen.append((free[0], broker.alarm))
        assert headroom.deadline == (now + 1) * CHECK_S != NEVER
    low = "low on disk"
    assert seen == [(1_000, ""), (999, low), (1_000, low), (1_249, low), (1_250, ""), (1_000, "")]


def test_a_full_disk_and_one_with_little_space_are_two_reasons(tmp_path: Path) -> None:
    broker = a_broker()
    free = [0]
    headroom = Headroom(broker, LIMIT, lambda: free[0])
    headroom.timeout()
    broker.low_on_disk = True
    free[0] = 2 * LIMIT
    headroom.timeout()
    assert broker.alarm == "low on disk"
    broker.low_on_disk = False
    assert broker.alarm == ""
    assert free_bytes_of(tmp_path) > 0


@pytest.mark.parametrize("before", [0, 2 * LIMIT])
def test_where_nothing_can_be_told_all_stays_as_it_is(tmp_path: Path, before: int) -> None:
    broker = a_broker()
    Headroom(broker, LIMIT, lambda: before).timeout()
    alarm = broker.alarm
    headroom = Headroom(broker, LIMIT, lambda: free_bytes_of(tmp_path / "gone"))
    headroom.timeout()
    assert broker.alarm == alarm
    assert headroom.deadline == CHECK_S
