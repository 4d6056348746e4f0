"""Priorities of messages and of consumers, and the single active consumer."""

import pytest

from core.model.message import Address, Message
from core.model.properties import Properties, Stated
from core.queueing.backlog import Backlog
from core.queueing.priority_backlog import PriorityBacklog
from core.queueing.queue import Queue
from tests.core.parts import Holder, a_client, a_queue, put, run_queues


def with_priorities(highest: int) -> Queue:
    return a_client().declare_queue("q", arguments={"x-max-priority": highest})


def put_with_priority(queue: Queue, body: bytes, priority: int | None) -> None:
    said = Properties()
    said.priority = priority
    assert queue.take(Message(Address("", "q"), body, 0, Stated(said)))


def all_of(queue: Queue) -> list[bytes]:
    bodies: list[bytes] = []
    while (entry := queue.get()) is not None:
        bodies.append(entry.message.body)
        queue.accept(entry)
    return bodies


def test_a_higher_priority_goes_first_and_more_than_the_highest_is_the_highest() -> None:
    queue = with_priorities(5)
    for body, priority in ((b"none", None), (b"0", 0), (b"5", 5), (b"255", 255), (b"3", 3), (b"5 again", 5)):
        put_with_priority(queue, body, priority)
    assert all_of(queue) == [b"5", b"255", b"5 again", b"3", b"none", b"0"]
    assert queue._surroundings.usage.held_bytes == 0


def test_a_queue_without_priorities_does_not_look_at_them() -> None:
    for queue in (a_queue(), with_priorities(0)):
        assert type(queue.backlog) is Backlog
        put_with_priority(queue, b"low", 0)
        put_with_priority(queue, b"high", 9)
        assert all_of(queue) == [b"low", b"high"]


def test_an_entry_comes_back_to_its_place_within_its_priority() -> None:
    queue = with_priorities(255)
    for body, priority in ((b"low 1", 1), (b"low 2", 1), (b"high 1", 200), (b"high 2", 200)):
        put_with_priority(queue, body, priority)
    entries = [queue.get() for _ in range(3)]
    for entry in reversed(entries):
        assert entry is not None
        queue.requeue(entry)
    assert all_of(queue) == [b"high 1", b"high 2", b"low 1", b"low 2"]


def test_a_full_queue_drops_from_the_head_whatever_its_priority() -> None:
    """RabbitMQ: "higher priority messages might be dropped to make way for lower priority ones"."""
    queue = with_priorities(9)
    queue.limit_entries = 2
    for body, priority in ((b"9", 9), (b"1", 1), (b"0", 0)):
        put_with_priority(queue, body, priority)
    assert all_of(queue) == [b"1", b"0"]


def test_a_purged_queue_holds_nothing() -> None:
    queue = with_priorities(9)
    for priority in range(10):
        put_with_priority(queue, b"x", priority)
    assert isinstance(queue.backlog, PriorityBacklog)
    assert queue.purge() == 10
    assert (queue.ready_count, queue.ready_bytes, queue._surroundings.usage.held_bytes) == (0, 0, 0)
    put_with_priority(queue, b"y", 3)
    assert all_of(queue) == [b"y"]


# Consumers


def ranked(queue: Queue, priority: int, credit: int) -> Holder:
    consumer = Holder(credit=credit)
    consumer.priority = priority
    queue.add(consumer)
    return consumer


def test_consumers_of_a_higher_priority_are_served_first_while_they_have_credit() -> None:
    queue = a_queue()
    plain, low = ranked(queue, 0, 10), ranked(queue, -5, 10)
    first, second = ranked(queue, 10, 2), ranked(queue, 10, 2)
    put(queue, *[b"%d" % number for number in range(8)])
    assert (first.bodies, second.bodies) == ([b"0", b"2"], [b"1", b"3"])
    assert (plain.bodies, low.bodies) == ([b"4", b"5", b"6", b"7"], [])
    queue.accept(second.held[0])
    put(queue, b"8", b"9")
    assert second.bodies[-1] == b"8"
    assert plain.bodies[-1] == b"9"
    queue.remove(plain)
    queue.remove(first)
    put(queue, b"10")
    assert low.bodies == [b"10"]


def test_a_queue_that_is_left_by_all_ranks_keeps_what_comes() -> None:
    queue = a_queue()
    consumers = [ranked(queue, priority, 1) for priority in (3, 1, 2)]
    for consumer in consumers:
        queue.remove(consumer)
    put(queue, b"1")
    assert queue.ready_count == 1
    last = ranked(queue, 7, 1)
    run_queues(queue._surroundings)
    assert last.bodies == [b"1"]


def test_one_consumer_is_active_and_the_next_takes_its_place() -> None:
    queue = a_client().declare_queue("q", arguments={"x-single-active-consumer": True})
    first, second, third, better = (ranked(queue, priority, 1) for priority in (0, 0, 0, 5))
    put(queue, b"1", b"2", b"3")
    assert (first.bodies, second.bodies, better.bodies) == ([b"1"], [], []), "nobody helps when its credit is used up"
    queue.remove(third)
    queue.remove(first)
    run_queues(queue._surroundings)
    assert (better.bodies, second.bodies) == ([b"2"], [])
    queue.requeue(first.held[0])
    queue.accept(better.held[0])
    run_queues(queue._surroundings)
    assert better.bodies == [b"2", b"1"]
    queue.remove(better)
    run_queues(queue._surroundings)
    assert second.bodies == [b"3"]


@pytest.mark.parametrize("single", [True, False])
def test_a_suspended_consumer_that_is_active_goes_on_when_it_can(single: bool) -> None:
    queue = a_client().declare_queue("q", arguments={"x-single-active-consumer": single})
    first, second = Holder(), Holder()
    first.suspended = True
    queue.add(first)
    queue.add(second)
    put(queue, b"1")
    assert second.bodies == ([] if single else [b"1"])
    first.suspended = False
    queue.resume(second)
    queue.resume(first)
    run_queues(queue._surroundings)
    assert first.bodies == ([b"1"] if single else [])
