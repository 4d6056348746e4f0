"""Entries that come back later. Their order and counts are the model's (`tests/models`)."""

import pytest

from core.model.errors import InUse
from core.queueing.deferred import BACK_AT_ONCE, REQUEUE_DELAY_LIMIT_S
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.queueing.usage import ENTRY_COST_BYTES, KEPT_PARTS
from core.timers import Clock
from tests.core.parts import Holder, a_client, put, run_queues


def surroundings_and_queue(memory_limit_bytes: int = 1 << 30) -> tuple[Surroundings, Queue]:
    surroundings = Surroundings(Clock(100.0), memory_limit_bytes)
    return surroundings, Queue("q", surroundings)


def fetch(queue: Queue) -> Entry:
    entry = queue.get()
    assert entry is not None
    return entry


def wait(surroundings: Surroundings, seconds: float) -> None:
    surroundings.clock.now += seconds
    for timed in surroundings.timers.due():
        timed.timeout()
        surroundings.timers.watch(timed)
    run_queues(surroundings)


def test_an_entry_comes_back_to_its_place_when_its_time_has_come() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, b"1", b"2")
    entry = fetch(queue)
    queue.requeue_later(entry, 5.0)
    assert (queue.ready_count, queue.deferred_count, queue.unsettled_count) == (1, 1, 0)
    wait(surroundings, 4.9)
    assert queue.ready_count == 1
    wait(surroundings, 0.1)
    assert (queue.ready_count, queue.deferred_count) == (2, 0)
    assert fetch(queue) is entry
    assert entry.redelivered


def test_the_consumer_has_its_credit_back_at_once() -> None:
    surroundings, queue = surroundings_and_queue()
    consumer = Holder(credit=1)
    queue.add(consumer)
    put(queue, b"1", b"2")
    queue.requeue_later(consumer.held[0], 5.0)
    run_queues(surroundings)
    assert consumer.bodies == [b"1", b"2"]
    queue.remove(consumer)
    wait(surroundings, 5.0)
    assert queue.ready_count == 1


@pytest.mark.parametrize("delay_s", [0.0, -1.0])
def test_no_delay_is_a_requeue(delay_s: float) -> None:
    _, queue = surroundings_and_queue()
    put(queue, b"1")
    queue.requeue_later(fetch(queue), delay_s)
    assert (queue.ready_count, queue.deferred_count) == (1, 0)


def test_a_delay_has_a_limit() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, b"1")
    queue.requeue_later(fetch(queue), float("inf"))
    wait(surroundings, REQUEUE_DELAY_LIMIT_S - 1)
    assert queue.deferred_count == 1
    wait(surroundings, 1.0)
    assert queue.ready_count == 1


def test_what_finds_no_room_comes_back_at_once() -> None:
    """Nobody could make room: no consumer can end what waits."""
    surroundings, queue = surroundings_and_queue(KEPT_PARTS * (2 * (ENTRY_COST_BYTES + 1) + 10))
    put(queue, b"1", b"2", b"3")
    for entry in [fetch(queue) for _ in range(3)]:
        queue.requeue_later(entry, 5.0)
    assert (queue.ready_count, queue.deferred_count) == (1, 2)
    wait(surroundings, 5.0)
    assert (queue.ready_count, queue.deferred_count) == (3, 0)
    assert surroundings.usage.kept_bytes == 0


def test_many_come_back_in_several_goes() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, *[b"x"] * (BACK_AT_ONCE + 1))
    for _ in range(BACK_AT_ONCE + 1):
        queue.requeue_later(fetch(queue), 1.0)
    wait(surroundings, 1.0)
    assert queue.deferred_count == 1
    assert surroundings.timers.next_look() <= surroundings.clock.now
    wait(surroundings, 0.0)
    assert queue.ready_count == BACK_AT_ONCE + 1


def test_an_earlier_return_is_not_kept_waiting_by_a_later_one() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, b"1", b"2")
    queue.requeue_later(fetch(queue), 60.0)
    queue.requeue_later(fetch(queue), 1.0)
    wait(surroundings, 1.0)
    assert fetch(queue).message.body == b"2"


def test_purge_and_delete_drop_what_would_come_back() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, b"1", b"2")
    queue.requeue_later(fetch(queue), 5.0)
    assert queue.purge() == 2
    assert queue.deferred_count == 0
    put(queue, b"3")
    queue.requeue_later(fetch(queue), 5.0)
    assert queue.delete() == 1
    wait(surroundings, 10.0)
    assert (queue.ready_count, queue.deferred_count) == (0, 0)
    assert (surroundings.usage.held_bytes, surroundings.usage.kept_bytes, surroundings.timers.count) == (0, 0, 0)


def test_what_was_lent_by_a_deleted_queue_does_not_come_back() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, b"1")
    entry = fetch(queue)
    queue.delete()
    queue.requeue_later(entry, 5.0)
    assert queue.deferred_count == 0
    assert surroundings.usage.held_bytes == 0


def test_what_expires_meanwhile_is_given_up_then() -> None:
    surroundings, queue = surroundings_and_queue()
    queue.ttl_s = 2.0
    put(queue, b"1")
    queue.requeue_later(fetch(queue), 60.0)
    wait(surroundings, 2.0)
    wait(surroundings, 0.0)
    assert (queue.ready_count, queue.deferred_count) == (0, 0)
    assert surroundings.counters.dropped == {"expired": 1}


def test_a_queue_with_entries_that_come_back_is_not_empty() -> None:
    client = a_client()
    queue = client.declare_queue("q")
    put(queue, b"1")
    queue.requeue_later(fetch(queue), 5.0)
    with pytest.raises(InUse):
        client.delete_queue("q", if_empty=True)
    assert client.delete_queue("q") == 1
