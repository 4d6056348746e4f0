"""What is more than a queue may have, and very much: it goes over some turns, whatever comes meanwhile."""

from core.queueing.excess import DROPPED_AT_ONCE
from core.queueing.queue import Queue
from core.queueing.stock import REJECT_PUBLISH
from core.queueing.surroundings import Surroundings
from core.timers import Clock
from tests.core.parts import a_queue, put


def overfull() -> tuple[Queue, Surroundings]:
    surroundings = Surroundings(Clock(100.0))
    queue = a_queue("q", surroundings)
    put(queue, *[b"%d" % number for number in range(3 * DROPPED_AT_ONCE)])
    queue.limit_entries = 10
    return queue, surroundings


def a_turn(surroundings: Surroundings) -> int:
    due = surroundings.timers.due()
    for timed in due:
        timed.timeout()
        surroundings.timers.watch(timed)
    return len(due)


def test_it_is_given_up_over_some_turns_oldest_first() -> None:
    queue, surroundings = overfull()
    assert queue.keep_limits() == DROPPED_AT_ONCE
    assert queue.ready_count == 2 * DROPPED_AT_ONCE
    assert queue.backlog.head().message.body == b"%d" % DROPPED_AT_ONCE
    put(queue, b"new")
    assert queue.ready_count == DROPPED_AT_ONCE + 1
    assert a_turn(surroundings) == 1
    assert [entry.message.body for entry in queue.backlog.entries()][-1] == b"new"
    assert queue.ready_count == 10
    assert a_turn(surroundings) == 0
    assert surroundings.counters.dropped["maxlen"] == 3 * DROPPED_AT_ONCE + 1 - 10


def test_a_larger_limit_ends_it() -> None:
    queue, surroundings = overfull()
    queue.keep_limits()
    queue.limit_entries = 5 * DROPPED_AT_ONCE
    assert a_turn(surroundings) == 1
    assert (queue.ready_count, a_turn(surroundings)) == (2 * DROPPED_AT_ONCE, 0)


def test_a_queue_that_is_to_refuse_now_keeps_what_is_left() -> None:
    queue, surroundings = overfull()
    queue.keep_limits()
    queue.overflow = REJECT_PUBLISH
    assert a_turn(surroundings) == 1
    assert (queue.ready_count, queue.keep_limits()) == (2 * DROPPED_AT_ONCE, 0)


def test_a_queue_that_is_deleted_meanwhile_is_left_alone() -> None:
    queue, surroundings = overfull()
    queue.keep_limits()
    assert queue.delete() == 2 * DROPPED_AT_ONCE
    assert a_turn(surroundings) == 1
    assert (queue.ready_count, a_turn(surroundings)) == (0, 0)
