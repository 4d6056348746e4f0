"""Transient messages in durable queues: in memory while there is room, and in their place among persistent ones when there is none."""

import pytest

from core.model.message import AT_LEAST_ONCE, AT_MOST_ONCE
from tests.core.queueing.pressure import Scene, bodies
from tests.core.queueing.windows import ENTRY_BYTES, in_memory


def test_without_pressure_a_durable_queue_writes_no_transient_message_however_many_there_are() -> None:
    scene = Scene(durable=True)
    scene.broker.surroundings.usage.limit_bytes = 1 << 30
    scene.publish(*bodies(500))
    scene.turns(5)
    assert (in_memory(scene.queue), scene.stored()) == (500, [])


def test_a_durable_queue_that_was_long_within_one_turn_writes_no_transient_message() -> None:
    scene = Scene(durable=True)
    scene.broker.surroundings.usage.limit_bytes = 1 << 30
    scene.publish(*bodies(10), qos=AT_LEAST_ONCE)
    scene.take(9)
    scene.turns(1)
    scene.publish(*bodies(3))
    scene.turns(3)
    assert len(scene.stored()) == 1


def test_transient_messages_at_the_head_of_a_durable_queue_leave_memory() -> None:
    scene = Scene(durable=True)
    scene.publish(*bodies(500))
    scene.turns()
    assert in_memory(scene.queue) <= 10
    assert scene.broker.surroundings.journal.promises == 1  # the declaration
    assert scene.take(500) == bodies(500)
    scene.turns(2)
    assert (scene.stored(), scene.store.tallies()) == ([], [])


def test_persistent_messages_wait_behind_few_transient_ones_only_in_the_store() -> None:
    scene = Scene(durable=True)
    scene.broker.surroundings.usage.limit_bytes = 1 << 30
    scene.publish(b"transient")
    scene.publish(*bodies(100), qos=AT_LEAST_ONCE)
    scene.turns(3)
    assert in_memory(scene.queue) <= 4
    assert len(scene.stored()) == 100
    assert scene.take(101) == [b"transient", *bodies(100)]


def test_transient_messages_that_are_many_keep_persistent_ones_in_memory_until_the_broker_holds_much() -> None:
    scene = Scene(durable=True)
    usage = scene.broker.surroundings.usage
    usage.limit_bytes = 1 << 30
    scene.publish(*bodies(50))
    scene.publish(*bodies(50, 50), qos=AT_LEAST_ONCE)
    scene.turns(3)
    assert in_memory(scene.queue) == 100
    usage.limit_bytes = 20 * ENTRY_BYTES
    scene.turns()
    assert in_memory(scene.queue) <= 10
    assert scene.take(100) == bodies(100)


@pytest.mark.parametrize("turns", range(1, 25))
def test_a_crash_while_they_leave_keeps_all_persistent_messages_in_order(turns: int) -> None:
    scene = Scene(durable=True)
    for number in range(40):
        scene.publish(b"%d" % number, qos=AT_LEAST_ONCE if number % 3 == 1 else AT_MOST_ONCE)
    scene.turns(turns)
    persistent = [b"%d" % number for number in range(40) if number % 3 == 1]
    scene.start()
    assert (scene.found.damage, scene.found.strays) == ([], [])
    found = scene.take(100)
    assert [body for body in found if body in persistent] == persistent
    assert found == sorted(found, key=int)
