"""Expiry: at the head of the queue by the clock, behind it when its turn comes."""

import pytest

from core.model.message import Address, Message, plain_message
from core.model.properties import Properties, Stated
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from tests.core.parts import Holder, a_client, a_queue, put, run_queues


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


# The queue's own time to live (RabbitMQ `x-message-ttl`)


def with_ttl(milliseconds: int) -> Queue:
    client = a_client()
    client.vhost.surroundings.clock.now = 100.0
    return client.declare_queue("q", arguments={"x-message-ttl": milliseconds})


@pytest.mark.parametrize(("own", "passes", "left"), [
    (0.0, 4.9, 1), (0.0, 5.0, 0), (103.0, 2.9, 1), (103.0, 3.0, 0), (109.0, 4.9, 1), (109.0, 5.0, 0),
])  # fmt: skip
def test_the_shorter_of_two_lives_counts(own: float, passes: float, left: int) -> None:
    queue = with_ttl(5_000)
    expiring(queue, b"x", own)
    let_pass(queue._surroundings, passes)
    assert queue.ready_count == left


def test_a_queue_that_keeps_nothing_serves_a_waiting_consumer() -> None:
    queue, consumer = with_ttl(0), Holder(credit=1)
    put(queue, b"1")
    let_pass(queue._surroundings, 0.0)
    assert queue.ready_count == 0
    queue.add(consumer)
    put(queue, b"2", b"3")
    assert consumer.bodies == [b"2"]
    let_pass(queue._surroundings, 0.0)
    assert queue.ready_count == 0
    queue.requeue(consumer.held[0])
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"2"], "what comes back has expired too"


def test_the_message_of_another_queue_lives_as_long_as_it_says() -> None:
    brief, lasting = with_ttl(1_000), a_queue()
    message = plain_message(Address("", "q"), b"x")
    assert brief.take(message)
    assert lasting.take(message)
    assert message.expires_at == 0.0
    let_pass(brief._surroundings, 1.0)
    assert (brief.ready_count, lasting.ready_count) == (0, 1)


def test_an_entry_that_becomes_the_head_is_watched() -> None:
    queue = a_queue()
    put(queue, b"lasting")
    expiring(queue, b"brief", 101.0)
    let_pass(queue._surroundings, 0.5)
    entry = queue.get()
    assert entry is not None
    assert queue.ready_count == 1
    let_pass(queue._surroundings, 0.5)
    assert queue.ready_count == 0


def test_an_entry_behind_one_of_a_higher_priority_waits_for_its_turn_to_expire() -> None:
    """RabbitMQ: expired messages may be "stuck behind non-expired higher priority ones"."""
    queue = a_client().declare_queue("q", arguments={"x-max-priority": 1})
    said = Properties()
    said.priority = 1
    expiring(queue, b"low", queue._surroundings.clock.now + 1.0)
    assert queue.take(Message(Address("", "q"), b"high", 0, Stated(said)))
    let_pass(queue._surroundings, 2.0)
    assert queue.ready_count == 2
    assert queue.get() is not None
    assert queue.ready_count == 0
