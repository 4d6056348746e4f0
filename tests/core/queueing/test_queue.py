"""The queue's promises one by one; the random mixture of all of them is in tests/models/test_queue_model.py."""

import pytest

from core.model.message import Address, plain_message
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.stock import DROP_HEAD, REJECT_PUBLISH
from core.queueing.surroundings import Surroundings
from core.queueing.usage import ENTRY_COST_BYTES
from core.timers import Clock
from tests.core.parts import Holder, a_queue, put, run_queues


def with_consumers(queue: Queue, count: int, credit: int) -> list[Holder]:
    consumers = [Holder(credit=credit) for _ in range(count)]
    for consumer in consumers:
        queue.add(consumer)
    return consumers


def test_entries_come_in_order_whether_the_consumer_was_there_before_or_not() -> None:
    queue, consumer = a_queue(), Holder()
    put(queue, b"1", b"2")
    queue.add(consumer)
    put(queue, b"3")
    assert consumer.bodies == [], "nothing overtakes what waits"
    run_queues(queue._surroundings)
    put(queue, b"4")
    assert consumer.bodies == [b"1", b"2", b"3", b"4"]
    assert [entry.attempts for entry in consumer.held] == [1] * 4
    assert not any(entry.redelivered for entry in consumer.held)


@pytest.mark.parametrize("waiting", [True, False])
def test_entries_go_round_among_willing_consumers(waiting: bool) -> None:
    queue = a_queue()
    bodies = [b"%d" % number for number in range(30)]
    if waiting:
        put(queue, *bodies)
    consumers = with_consumers(queue, 3, credit=100)
    if waiting:
        run_queues(queue._surroundings)
    else:
        put(queue, *bodies)
    assert [consumer.bodies for consumer in consumers] == [bodies[0::3], bodies[1::3], bodies[2::3]]


def test_a_consumer_that_ran_out_of_credit_gets_its_turn_behind_the_others() -> None:
    queue = a_queue()
    slow, quick = Holder(credit=1), Holder(credit=100)
    queue.add(slow)
    queue.add(quick)
    put(queue, b"1", b"2", b"3", b"4")
    assert (slow.bodies, quick.bodies) == ([b"1"], [b"2", b"3", b"4"])
    queue.accept(slow.held[0])
    put(queue, b"5", b"6", b"7")
    assert (slow.bodies, quick.bodies) == ([b"1", b"6"], [b"2", b"3", b"4", b"5", b"7"])


def test_requeued_entries_take_their_old_place() -> None:
    """RabbitMQ: "messages are requeued to their original position if possible"."""
    queue, consumer = a_queue(), Holder(credit=3)
    put(queue, b"1", b"2", b"3", b"4", b"5")
    queue.add(consumer)
    run_queues(queue._surroundings)
    queue.remove(consumer)
    first, second, third = consumer.held
    for entry in (third, first, second):
        queue.requeue(entry)
    other = Holder()
    queue.add(other)
    run_queues(queue._surroundings)
    assert other.bodies == [b"1", b"2", b"3", b"4", b"5"]
    assert [entry.redelivered for entry in other.held] == [True, True, True, False, False]
    assert [entry.attempts for entry in other.held] == [2, 2, 2, 1, 1]


def test_a_fetched_entry_that_comes_back_is_fetched_first() -> None:
    queue = a_queue()
    put(queue, b"1", b"2")
    first = queue.get()
    assert first is not None
    queue.requeue(first)
    again = queue.get()
    assert again is first
    assert again.redelivered
    assert (queue.ready_count, queue.unsettled_count) == (1, 1)


def test_settling_twice_changes_nothing() -> None:
    queue, consumer = a_queue(), Holder(credit=2)
    queue.add(consumer)
    put(queue, b"1")
    entry = consumer.held[0]
    for settle in (queue.accept, queue.accept, queue.requeue, queue.discard):
        settle(entry)
    assert (consumer.credit, queue.ready_count, queue.unsettled_count) == (2, 0, 0)
    assert queue._surroundings.usage.held_bytes == 0


def test_a_consumer_that_does_not_settle_holds_nothing() -> None:
    queue, consumer = a_queue(), Holder(settles=False)
    queue.add(consumer)
    put(queue, b"1", b"2")
    assert consumer.bodies == [b"1", b"2"]
    assert queue.unsettled_count == 0
    assert queue._surroundings.usage.held_bytes == 0


def test_a_suspended_consumer_gets_nothing_until_it_is_resumed() -> None:
    queue, consumer = a_queue(), Holder()
    queue.add(consumer)
    consumer.suspended = True
    put(queue, b"1", b"2")
    run_queues(queue._surroundings)
    assert consumer.bodies == []
    consumer.suspended = False
    queue.resume(consumer)
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"1", b"2"]


def test_what_a_cancelled_consumer_holds_stays_its_own_until_settled() -> None:
    queue, consumer = a_queue(), Holder(credit=1)
    queue.add(consumer)
    put(queue, b"1", b"2")
    queue.remove(consumer)
    assert (queue.ready_count, queue.unsettled_count) == (1, 1)
    queue.accept(consumer.held[0])
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"1"], "a settlement gives a cancelled consumer no new entries"
    assert queue.ready_count == 1


# Limits


def test_a_full_queue_drops_from_its_head() -> None:
    queue = a_queue()
    queue.limit_entries = 2
    put(queue, b"1", b"2", b"3")
    assert (queue.ready_count, queue.ready_bytes) == (2, 2)
    entry = queue.get()
    assert entry is not None
    assert entry.message.body == b"2"
    assert queue._surroundings.counters.dropped == {"maxlen": 1}


def test_a_message_larger_than_the_queue_empties_it_and_goes_too() -> None:
    queue = a_queue()
    queue.limit_bytes = 4
    put(queue, b"1", b"22", b"55555")
    assert (queue.ready_count, queue.ready_bytes) == (0, 0)
    assert queue._surroundings.usage.held_bytes == 0
    assert queue._surroundings.counters.dropped == {"maxlen": 3}


@pytest.mark.parametrize(("bodies", "refused"), [((b"1", b"2"), b"3"), ((b"4444",), b"5"), ((), b"55555")])
def test_a_full_queue_that_rejects_refuses_and_keeps_what_it_has(bodies: tuple[bytes, ...], refused: bytes) -> None:
    queue = a_queue()
    queue.limit_entries, queue.limit_bytes, queue.overflow = 2, 4, REJECT_PUBLISH
    put(queue, *bodies)
    assert not queue.take(plain_message(Address("", "q"), refused))
    assert queue.ready_count == len(bodies)
    assert queue._surroundings.counters.dropped == {}


@pytest.mark.parametrize("overflow", [DROP_HEAD, REJECT_PUBLISH])
def test_a_queue_of_length_zero_still_serves_a_waiting_consumer(overflow: int) -> None:
    queue, consumer = a_queue(), Holder(credit=1)
    queue.limit_entries, queue.overflow = 0, overflow
    queue.add(consumer)
    assert queue.take(plain_message(Address("", "q"), b"1"))
    assert queue.take(plain_message(Address("", "q"), b"2")) == (overflow == DROP_HEAD)
    assert consumer.bodies == [b"1"]
    assert queue.ready_count == 0


def test_lent_entries_do_not_count_against_the_limit() -> None:
    queue, consumer = a_queue(), Holder(credit=3)
    queue.limit_entries = 2
    put(queue, b"1", b"2")
    queue.add(consumer)
    run_queues(queue._surroundings)
    put(queue, b"3", b"4", b"5")
    assert consumer.bodies == [b"1", b"2", b"3"]
    assert queue.ready_count == 2
    assert queue._surroundings.counters.dropped == {}


# Emptying and ending


def test_purge_takes_what_is_ready_and_leaves_what_is_lent() -> None:
    """AMQP 0-9-1 `queue.purge`: "removes all messages … which are not awaiting acknowledgment"."""
    queue, consumer = a_queue(), Holder(credit=1)
    queue.add(consumer)
    put(queue, b"1", b"22", b"333")
    assert queue.purge() == 2
    assert (queue.ready_count, queue.ready_bytes, queue.unsettled_count) == (0, 0, 1)
    assert queue._surroundings.usage.held_bytes == 1 + ENTRY_COST_BYTES
    queue.requeue(consumer.held[0])
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"1", b"1"]


def test_a_deleted_queue_cancels_its_consumers_and_takes_messages_no_more() -> None:
    queue, consumer = a_queue(), Holder(credit=1)
    queue.add(consumer)
    put(queue, b"1", b"2")
    assert queue.delete() == 1
    assert consumer.cancellations == 1
    assert consumer.lender is None
    assert queue.take(plain_message(Address("", "q"), b"3")), "a queue that goes meanwhile is no reason to refuse"
    queue.requeue(consumer.held[0])
    run_queues(queue._surroundings)
    assert consumer.bodies == [b"1"]
    assert queue._surroundings.usage.held_bytes == 0


def test_one_usage_counts_all_queues() -> None:
    surroundings = Surroundings(Clock())
    first, second = a_queue("first", surroundings), a_queue("second", surroundings)
    put(first, b"22")
    put(second, b"55555", b"")
    assert surroundings.usage.held_bytes == 7 + 3 * ENTRY_COST_BYTES


class Broken(Holder):
    """A consumer whose connection has a bug."""

    def __init__(self) -> None:
        super().__init__(credit=1)
        self.errors: list[Exception] = []

    def deliver(self, entry: Entry) -> None:
        super().deliver(entry)
        raise ValueError("a bug")

    def failed(self, error: Exception) -> None:
        self.errors.append(error)


def test_a_bug_in_one_consumer_costs_neither_the_publisher_nor_the_others() -> None:
    queue, broken, sound = a_queue(), Broken(), Holder()
    queue.add(broken)
    queue.add(sound)
    put(queue, b"1", b"2")
    assert [str(error) for error in broken.errors] == ["a bug"]
    assert sound.bodies == [b"2"]
    queue.remove(broken)
    queue.requeue(broken.held[0])
    run_queues(queue._surroundings)
    assert sound.bodies == [b"2", b"1"]
