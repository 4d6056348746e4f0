"""Expiry: at the head of the queue by the clock, behind it when its turn comes."""

from core.model.message import Address, plain_message
from core.queueing.queue import Queue, Surroundings
from tests.core.parts import Holder, a_queue, put, run_queues


def expiring(queue: Queue, body: bytes, expires_at: float) -> None:
    message = plain_message(Address("", queue.name), body)
    message.expires_at = expires_at
    assert queue.take(message)


def let_pass(surroundings: Surroundings, seconds: float) -> None:
    surroundings.clock.now += seconds
    for timed in surroundings.timers.due():
        timed.timeout()
        surroundings.timers.watch(timed)


def test_expired_heads_are_dropped_without_any_consumer() -> None:
    queue = a_queue()
    surroundings = queue._surroundings
    for life in (5.0, 5.0, 9.0):
        expiring(queue, b"x", 100.0 + life)
    let_pass(surroundings, 4.9)
    assert queue.ready_count == 3
    let_pass(surroundings, 0.2)
    assert queue.ready_count == 1
    let_pass(surroundings, 4.0)
    assert queue.ready_count == 0
    assert surroundings.usage.held_bytes == 0
    assert surroundings.counters.dropped == {"expired": 3}
    assert surroundings.timers.count == 0


def test_an_expired_entry_behind_a_lasting_one_goes_when_its_turn_comes() -> None:
    queue, consumer = a_queue(), Holder()
    put(queue, b"lasting")
    expiring(queue, b"brief", 101.0)
    put(queue, b"last")
    let_pass(queue._surroundings, 2.0)
    assert queue.ready_count == 3
    queue.add(consumer)
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"lasting", b"last"]
    assert queue._surroundings.counters.dropped == {"expired": 1}


def test_a_message_that_has_no_time_is_delivered_if_somebody_waits() -> None:
    """RabbitMQ: a TTL of 0 expires messages "unless they can be delivered to a consumer immediately"."""
    queue, consumer = a_queue(), Holder(credit=1)
    queue.add(consumer)
    expiring(queue, b"1", 100.0)
    expiring(queue, b"2", 100.0)
    assert consumer.bodies == [b"1"]
    let_pass(queue._surroundings, 0.0)
    assert queue.ready_count == 0
    assert queue.get() is None


def test_a_requeued_entry_expires_as_any_other() -> None:
    queue, consumer = a_queue(), Holder(credit=1)
    queue.add(consumer)
    expiring(queue, b"1", 105.0)
    let_pass(queue._surroundings, 10.0)
    assert queue.unsettled_count == 1, "what is lent does not expire"
    queue.remove(consumer)
    queue.requeue(consumer.held[0])
    let_pass(queue._surroundings, 0.0)
    assert (queue.ready_count, queue._surroundings.counters.dropped) == (0, {"expired": 1})


def test_a_deleted_queue_is_watched_no_more() -> None:
    queue = a_queue()
    expiring(queue, b"1", 1e9)
    assert queue._surroundings.timers.count == 1
    queue.delete()
    assert queue._surroundings.timers.count == 0
