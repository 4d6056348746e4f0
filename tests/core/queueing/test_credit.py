"""Credit that several consumers share, on one queue or on several."""

from core.queueing.credit import Credit
from core.queueing.surroundings import Surroundings
from core.timers import Clock
from tests.core.parts import Holder, a_queue, put, run_queues


def test_shared_credit_that_comes_back_serves_a_consumer_of_another_queue() -> None:
    """AMQP `basic.qos` with `global`: the channel's limit, not the queue's."""
    surroundings, shared = Surroundings(Clock()), Credit(1)
    first, second = a_queue("first", surroundings), a_queue("second", surroundings)
    here, there = Holder(shared=shared), Holder(shared=shared)
    first.add(here)
    second.add(there)
    put(first, b"1")
    put(second, b"2")
    assert (here.bodies, there.bodies) == ([b"1"], [])
    first.accept(here.held[0])
    run_queues(first._surroundings)
    assert there.bodies == [b"2"]


def test_consumers_that_share_credit_take_turns() -> None:
    surroundings, shared = Surroundings(Clock()), Credit(1)
    queues = [a_queue(f"q{number}", surroundings) for number in range(3)]
    consumers = [Holder(shared=shared) for _ in queues]
    for queue, consumer in zip(queues, consumers, strict=True):
        put(queue, *[b"%d" % number for number in range(10)])
        queue.add(consumer)
    run_queues(queues[0]._surroundings)
    for _ in range(9):
        held = [entry for consumer in consumers for entry in consumer.held if entry.consumer is not None]
        assert len(held) == 1
        held[0].queue.accept(held[0])
        run_queues(queues[0]._surroundings)
    assert sorted(len(consumer.held) for consumer in consumers) == [3, 3, 4]


def test_a_larger_shared_limit_is_used_at_once_and_a_smaller_one_waits() -> None:
    queue, shared = a_queue(), Credit(1)
    consumer = Holder(shared=shared)
    queue.add(consumer)
    put(queue, b"1", b"2", b"3", b"4")
    shared.resize(3)
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"1", b"2", b"3"]
    shared.resize(1)
    queue.accept(consumer.held[0])
    queue.accept(consumer.held[1])
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"1", b"2", b"3"], "one is still held, and one is the limit"
    queue.accept(consumer.held[2])
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"1", b"2", b"3", b"4"]


def test_a_consumer_that_leaves_waits_for_shared_credit_no_more() -> None:
    queue, shared = a_queue(), Credit(1)
    staying, leaving = Holder(shared=shared), Holder(shared=shared)
    queue.add(staying)
    queue.add(leaving)
    put(queue, b"1", b"2")
    queue.remove(leaving)
    assert leaving not in shared._waiting
    queue.accept(staying.held[0])
    run_queues(queue._surroundings)
    assert (staying.bodies, leaving.bodies) == ([b"1", b"2"], [])
