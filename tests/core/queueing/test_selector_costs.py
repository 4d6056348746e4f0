"""What selectors cost is counted: memory as long as their consumers are there, and work for every message and text."""

import contextlib

import pytest

from core.model.arguments import SELECTOR
from core.model.errors import InvalidSelector, Limit
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.routing.selector import parse_selector
from core.routing.selector.parser import PARSE_STEPS
from core.timers import Clock
from tests.core.parts import Holder, a_client, run_queues
from tests.core.queueing.test_selecting import put, subscribe, surroundings_and_queue

LONG = " OR ".join(f"n = {number}" for number in range(100))


def test_the_longer_a_selector_the_more_it_costs() -> None:
    short, long = parse_selector("n > 1"), parse_selector(LONG)
    assert long.cost_bytes > 50_000 > 2_500 > short.cost_bytes
    assert long.steps > 10 * short.steps


def test_a_selector_counts_as_defined_while_its_consumer_is_there() -> None:
    surroundings, queue = surroundings_and_queue()
    usage = surroundings.usage
    first, second = subscribe(queue, LONG), subscribe(queue, LONG)
    assert usage.defined_bytes == 2 * parse_selector(LONG).cost_bytes
    queue.remove(first)
    queue.remove(first)
    assert usage.defined_bytes == parse_selector(LONG).cost_bytes
    queue.delete()
    assert second.cancellations == 1
    assert usage.defined_bytes == 0


def test_a_selector_that_finds_no_room_changes_nothing() -> None:
    surroundings = Surroundings(Clock(100.0), memory_limit_bytes=10_000)
    queue = Queue("q", surroundings)
    consumer = Holder()
    consumer.selector = parse_selector(LONG)
    with pytest.raises(Limit):
        queue.add(consumer)
    assert (queue.consumers, consumer.lender, surroundings.usage.defined_bytes) == ({}, None, 0)
    put(queue, "a")
    plain = subscribe(queue, "")
    run_queues(surroundings)
    assert plain.bodies == [b"a"]


def test_whoever_publishes_to_a_queue_with_many_selectors_has_worked_for_it() -> None:
    """Or the messages of one chunk could hold the broker up for seconds."""
    surroundings, queue = surroundings_and_queue()
    for number in range(500):
        subscribe(queue, f"n > {number}")
    before = surroundings.counters.work
    put(queue, "a")
    assert surroundings.counters.work - before >= 500


def test_selectors_that_are_found_by_a_text_are_no_work_for_messages_that_say_another() -> None:
    surroundings, queue = surroundings_and_queue()
    for number in range(500):
        subscribe(queue, f"key = '{number}' AND n > 1")
    before = surroundings.counters.work
    put(queue, "a")
    assert surroundings.counters.work - before < 5
    before = surroundings.counters.work
    put(queue, "7")
    assert surroundings.counters.work - before < 5


@pytest.mark.parametrize("text", ["n > 1", "n > > 1"])
def test_a_selector_is_work_to_parse_whether_or_not_it_is_one(text: str) -> None:
    client = a_client()
    client.declare_queue("q")
    before = client.counters.work
    with contextlib.suppress(InvalidSelector):
        client.consume("q", Holder(), arguments={SELECTOR: text})
    assert client.counters.work - before == PARSE_STEPS * len(text)
