"""Queues that are not durable, while the broker holds much: what leaves memory, how it comes back, and what is left of it."""

import pytest

from core.model.errors import Limit
from core.model.message import AT_LEAST_ONCE
from core.queueing.backlog import Backlog
from core.queueing.usage import ENTRY_COST_BYTES
from core.routing.selector import parse_selector
from core.store.batch import rows_of
from core.store.kinds import VOLATILE, key_of
from core.store.sealing import place_of, seal
from core.store.values import dump
from tests.core.parts import Holder
from tests.core.queueing.pressure import Scene, bodies
from tests.core.queueing.windows import ENTRY_BYTES, all_of, in_memory


def test_without_pressure_nothing_is_written_and_the_queue_is_a_plain_backlog() -> None:
    scene = Scene()
    scene.publish(*bodies(9))
    scene.publish(b"persistent", qos=AT_LEAST_ONCE)
    scene.turns(3)
    assert type(scene.queue.backlog) is Backlog
    assert (scene.stored(), scene.noted(), scene.broker.surroundings.journal.collecting) == ([], [], 1)


def test_what_a_queue_has_when_the_broker_holds_much_leaves_memory_and_comes_back_in_order() -> None:
    scene = Scene()
    scene.publish(*bodies(500))
    scene.turns()
    usage = scene.broker.surroundings.usage
    assert usage.held_bytes <= usage.limit_bytes // 2
    assert (scene.queue.ready_count, scene.queue.ready_bytes) == (500, sum(map(len, bodies(500))))
    assert [entry.message.body for entry in all_of(scene.queue)] == bodies(500)
    assert scene.noted() == [key_of("", "1")]
    assert scene.take(500) == bodies(500)


def test_what_comes_behind_it_does_not_stay_in_memory() -> None:
    scene = Scene()
    for first in range(0, 1_000, 50):
        scene.publish(*bodies(50, first))
        scene.turns(20)
    assert in_memory(scene.queue) <= 10
    assert scene.take(1_000) == bodies(1_000)


def test_nobody_is_promised_anything() -> None:
    scene = Scene()
    scene.publish(*bodies(100))
    scene.publish(*bodies(100, 100), qos=AT_LEAST_ONCE)
    scene.turns()
    scene.publish(*bodies(100, 200), qos=AT_LEAST_ONCE)
    scene.take(50)
    scene.client.purge_queue("q")
    scene.publish(*bodies(100))
    scene.turns()
    scene.client.delete_queue("q")
    scene.turns()
    assert scene.broker.surroundings.journal.promises == 0


def test_an_empty_queue_gives_its_number_back_and_is_a_plain_backlog_again() -> None:
    scene = Scene()
    for _ in range(3):
        scene.publish(*bodies(100))
        scene.turns()
        assert scene.noted()
        assert scene.take(100) == bodies(100)
        scene.turns(2)
        assert type(scene.queue.backlog) is Backlog
        assert (scene.stored(), scene.noted()) == ([], [])
    assert scene.broker.surroundings.journal.numbers.new_shelf(1_000).number == 1


def test_what_is_taken_is_removed_from_the_store_in_the_course_of_time() -> None:
    scene = Scene()
    scene.publish(*bodies(500))
    scene.turns()
    scene.take(400)
    scene.turns(2)
    assert len(scene.stored()) <= 110


@pytest.mark.parametrize("settled", [False, True])
def test_a_deleted_queue_leaves_nothing(settled: bool) -> None:
    scene = Scene()
    scene.publish(*bodies(100))
    scene.turns()
    lent = scene.lent(3)
    if not settled:
        scene.publish(*bodies(10))
    scene.client.delete_queue("q")
    for entry in lent:
        scene.queue.requeue(entry)
    scene.turns(3)
    assert (scene.stored(), scene.noted(), scene.broker.surroundings.usage.held_bytes) == ([], [], 0)


def test_a_large_queue_that_is_deleted_goes_in_parts() -> None:
    scene = Scene()
    scene.broker.surroundings.journal.many = 50
    scene.broker.surroundings.windows.leftovers.rows_at_once = 20
    scene.publish(*bodies(200))
    scene.turns()
    before = len(scene.stored())
    scene.client.delete_queue("q")
    scene.turns(1)
    scene.turns(1)
    assert 0 < len(scene.stored()) < before
    assert len(scene.noted()) == 1
    scene.turns(20)
    assert (scene.stored(), scene.noted()) == ([], [])


def test_a_purge_keeps_what_is_lent_and_what_comes_after_it() -> None:
    scene = Scene()
    scene.publish(*bodies(100))
    scene.turns()
    lent = scene.lent(2)
    assert scene.client.purge_queue("q") == 98
    scene.publish(*bodies(100, 200))
    scene.turns()
    scene.queue.requeue(lent[0])
    assert scene.take(101) == [b"0", *bodies(100, 200)]
    scene.turns(3)
    assert (scene.stored(), scene.noted()) == ([], [])


def test_what_is_given_back_takes_its_old_place_and_says_so() -> None:
    scene = Scene()
    scene.publish(*bodies(100))
    scene.turns()
    lent = scene.lent(20)
    for entry in reversed(lent):
        scene.queue.requeue(entry)
    again = scene.lent(100)
    assert [entry.message.body for entry in again] == bodies(100)
    assert [entry.redelivered for entry in again] == [True] * 20 + [False] * 80


def test_limits_count_what_is_on_disk() -> None:
    scene = Scene({"x-max-length": 100})
    scene.publish(*bodies(90))
    scene.turns()
    scene.publish(*bodies(30, 90))
    assert scene.queue.ready_count == 100
    assert scene.take(100) == bodies(100, 20)
    refusing = Scene({"x-max-length-bytes": 190, "x-overflow": "reject-publish"})
    refusing.publish(*bodies(90))
    refusing.turns()
    refusing.publish(*bodies(100, 90))
    assert refusing.queue.ready_count == 100
    assert refusing.take(100) == bodies(100)


def test_what_is_on_disk_expires_and_becomes_a_dead_letter() -> None:
    scene = Scene({"x-message-ttl": 60_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave"})
    scene.declare("grave")
    scene.publish(*bodies(100))
    scene.turns()
    clock = scene.broker.clock
    clock.now, clock.wall = clock.now + 61.0, clock.wall + 61.0
    for timed in scene.broker.timers.due():
        timed.timeout()
    assert (scene.queue.ready_count, scene.client.find_queue("grave").ready_count) == (0, 100)
    scene.turns()
    assert len(scene.noted()) == 1  # the grave's
    scene.queue = scene.client.find_queue("grave")
    assert scene.take(100) == bodies(100)


def test_a_queue_with_priorities_stays_in_memory() -> None:
    scene = Scene({"x-max-priority": 5})
    scene.publish(*bodies(100))
    scene.turns(5)
    assert (in_memory(scene.queue), scene.stored(), scene.noted()) == (100, [], [])


def test_who_selects_finds_what_is_on_disk_or_is_refused_where_memory_has_no_room() -> None:
    scene = Scene()
    scene.publish(*bodies(100))
    scene.turns()
    choosy = Holder()
    choosy.selector = parse_selector("TRUE")
    with pytest.raises(Limit, match="messages on disk, more than there is memory for"):
        scene.client.consume("q", choosy)
    scene.broker.surroundings.usage.limit_bytes = 1_000 * ENTRY_BYTES
    scene.client.consume("q", choosy)
    scene.broker.run()
    while scene.broker.surroundings.woken:
        scene.broker.run()
    assert [entry.message.body for entry in choosy.held] == bodies(100)
    for entry in choosy.held:
        scene.queue.accept(entry)
    scene.turns(3)
    assert (scene.stored(), scene.noted(), scene.queue.window) == ([], [], None)


def test_where_the_store_has_no_number_left_all_stays_in_memory() -> None:
    scene = Scene()
    scene.broker.surroundings.journal.numbers.limit = 1
    scene.publish(*bodies(100))
    scene.turns(5)
    assert (in_memory(scene.queue), scene.noted()) == (100, [])
    assert scene.take(100) == bodies(100)


def test_a_store_that_takes_nothing_more_gets_no_more_to_write() -> None:
    """As one whose disk is full: what waits for it is one batch, however often it is looked at."""
    scene = Scene()
    scene.publish(*bodies(500))
    windows = scene.broker.surroundings.windows
    for _ in range(50):
        windows.turn_ended()
    assert scene.queue.window is not None
    assert len(scene.queue.window._leaving) <= 7
    assert in_memory(scene.queue) == 500
    assert scene.take(250) == bodies(250)
    scene.turns()
    assert scene.take(250) == bodies(250, 250)


@pytest.mark.parametrize("durable", [False, True])
def test_while_the_disk_has_no_room_nothing_begins_to_leave_memory(durable: bool) -> None:
    scene = Scene(durable=durable)
    scene.turns(1)
    scene.broker.short_of_disk = True
    assert scene.broker.alarm == "low on disk"
    scene.publish(*bodies(100))
    scene.turns(5)
    assert (in_memory(scene.queue), scene.stored(), scene.noted()) == (100, [], [])
    scene.broker.short_of_disk = False
    assert scene.broker.alarm == "low on memory"
    scene.turns(3)
    scene.broker.low_on_disk = True
    assert scene.broker.alarm == "low on disk"
    scene.turns(2)
    before = len(scene.stored())
    scene.turns(5)
    assert 0 < before == len(scene.stored())
    assert scene.take(100) == bodies(100)


def test_many_queues_share_what_may_be_in_memory() -> None:
    scene = Scene()
    usage = scene.broker.surroundings.usage
    scene.broker.surroundings.windows.window_bytes = 1 << 20
    names = [f"q{number}" for number in range(10)]
    for name in names:
        scene.declare(name)
        usage.limit_bytes = 900_000
        scene.publish(*bodies(100), queue=name)
    assert usage.held_bytes > usage.limit_bytes // 2
    scene.turns()
    assert usage.held_bytes <= usage.limit_bytes // 2
    for name in names:
        scene.queue = scene.client.find_queue(name)
        assert scene.take(100) == bodies(100)


def test_a_start_removes_what_an_earlier_process_left_without_a_word() -> None:
    scene = Scene()
    scene.publish(*bodies(300))
    scene.turns()
    assert scene.stored()
    scene.start()
    assert (scene.found.damage, scene.found.strays) == ([], [])
    assert scene.queue.ready_count == 0
    scene.publish(*bodies(50))  # while the rest is there
    scene.turns()
    assert scene.take(50) == bodies(50)
    scene.turns(3)
    assert (scene.stored(), scene.noted()) == ([], [])


def test_a_start_that_is_interrupted_leaves_it_to_the_next_one() -> None:
    scene = Scene()
    scene.publish(*bodies(300))
    scene.turns()
    for _ in range(3):
        scene.start()
        scene.broker.surroundings.windows.leftovers.rows_at_once = 20
        scene.turns(2)
        assert scene.noted()
    scene.start()
    scene.turns(3)
    assert (scene.found.damage, scene.stored(), scene.noted()) == ([], [], [])


def test_a_damaged_note_removes_nothing() -> None:
    scene = Scene(durable=True)
    scene.publish(*bodies(3), qos=AT_LEAST_ONCE)
    scene.turns(1)
    assert scene.queue.shelf is not None
    number = scene.queue.shelf.number
    scene.store._definitions[VOLATILE, key_of("", str(number))] = b"damaged"
    scene.start()
    scene.turns(3)
    assert "checksum" in scene.found.damage[0]
    assert scene.take(3) == bodies(3)


def test_a_note_with_the_number_of_a_durable_queue_removes_nothing() -> None:
    scene = Scene()
    scene.publish(*bodies(100))
    scene.turns()
    shelf = scene.declare("durable", durable=True).shelf
    assert shelf is not None
    scene.publish(b"kept", qos=AT_LEAST_ONCE, queue="durable")
    scene.turns(1)
    key = key_of("", str(shelf.number))
    scene.store._definitions[VOLATILE, key] = seal(dump(["q"]), place_of(VOLATILE, key))
    scene.start()
    scene.turns(3)
    scene.queue = scene.client.find_queue("durable")
    assert scene.take(1) == [b"kept"]
    assert any("transient queue" in sentence for sentence in scene.found.damage)


def test_memory_is_counted_for_what_is_there() -> None:
    scene = Scene()
    scene.publish(*bodies(300))
    scene.turns()
    usage = scene.broker.surroundings.usage
    lent = scene.lent(5)
    held = [*scene.queue.backlog.present(), *lent]
    assert usage.held_bytes == sum(entry.message.size_bytes + ENTRY_COST_BYTES for entry in held)
    assert rows_of(1)[0] < min(scene.stored())
