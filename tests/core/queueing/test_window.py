"""The window of a durable queue: what leaves memory, what comes back, and what is told of what does not."""

import pytest

from core.model.errors import Limit
from core.model.message import AT_LEAST_ONCE, AT_MOST_ONCE, plain_message
from core.recovery import recover
from core.routing.selector import parse_selector
from core.store.batch import rows_of
from core.store.memory import MemoryStore
from tests.core.parts import Holder, a_broker, a_client
from tests.core.queueing.windows import ENTRY_BYTES, all_of, commit, make_small


class Scene:
    """A queue with a window of three entries."""

    def __init__(self, arguments: dict[str, object] | None = None) -> None:
        self.store = MemoryStore()
        self.arguments = arguments
        self.start()

    def start(self) -> None:
        self.broker = a_broker()
        make_small(self.broker)
        self.found = recover(self.broker, self.store)
        self.client = a_client(self.broker)
        self.queue = self.client.declare_queue("q", durable=True, arguments=self.arguments)

    def publish(self, *bodies: bytes, qos: int = AT_LEAST_ONCE) -> None:
        target = self.client.target("", "q")
        for body in bodies:
            self.client.publish(target.exchange, plain_message(target.address, body, qos), None, 0)

    def commit(self) -> None:
        commit(self.broker, self.store)

    def bodies(self) -> list[bytes]:
        found: list[bytes] = []
        while (entry := self.queue.get()) is not None:
            found.append(entry.message.body)
            self.queue.accept(entry)
        return found

    def told(self) -> list[str]:
        return self.broker.surroundings.windows.told()


def bodies(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_what_is_committed_and_over_the_limit_leaves_memory() -> None:
    scene = Scene()
    scene.publish(*bodies(100))
    scene.broker.surroundings.windows.turn_ended()
    assert len(scene.queue.backlog.present()) == 100  # nothing is committed yet
    scene.commit()
    assert len(scene.queue.backlog.present()) <= 3
    assert (scene.queue.ready_count, scene.queue.ready_bytes) == (100, 190)
    assert scene.bodies() == bodies(100)
    scene.commit()
    assert (scene.store.queue_numbers(), scene.store.tallies()) == ([], [])


def test_what_is_under_way_to_the_store_stays_in_memory() -> None:
    scene = Scene()
    scene.publish(*bodies(10))
    scene.commit()
    scene.publish(*bodies(10))
    journal, windows = scene.broker.surroundings.journal, scene.broker.surroundings.windows
    batch = journal.seal()
    assert batch is not None
    windows.turn_ended()
    assert len(scene.queue.backlog.present()) >= 10
    scene.store.commit(batch)
    journal.committed = batch.number
    windows.turn_ended()
    assert len(scene.queue.backlog.present()) <= 3
    assert scene.bodies() == bodies(10) * 2


def test_a_thousand_entries_on_disk_take_as_much_memory_as_ten() -> None:
    held = []
    for count in (10, 1_000):
        scene = Scene()
        scene.publish(*bodies(count))
        scene.commit()
        held.append(scene.broker.surroundings.usage.held_bytes)
    assert held[0] == held[1]


def test_a_transient_message_behind_those_on_disk_keeps_its_place() -> None:
    scene = Scene()
    scene.publish(*bodies(20))
    scene.commit()
    scene.publish(b"transient", qos=AT_MOST_ONCE)
    scene.publish(*bodies(20))
    scene.commit()
    assert len(scene.queue.backlog.present()) <= 3
    assert scene.bodies() == [*bodies(20), b"transient", *bodies(20)]


def test_a_transient_message_that_is_paged_out_promises_nothing() -> None:
    scene = Scene()
    scene.publish(*bodies(20))
    scene.commit()
    promises = scene.broker.surroundings.journal.promises
    scene.publish(b"transient", qos=AT_MOST_ONCE)
    assert scene.broker.surroundings.journal.promises == promises


def test_a_purge_removes_what_is_on_disk_and_not_what_is_lent() -> None:
    scene = Scene()
    scene.publish(*bodies(20))
    scene.commit()
    lent = scene.queue.get()
    assert lent is not None
    assert scene.client.purge_queue("q") == 19
    scene.commit()
    assert scene.queue.shelf is not None
    assert [row for row, _ in scene.store.rows(scene.queue.shelf.number, 0, 100)] == [lent.row]
    scene.publish(b"new")
    scene.queue.requeue(lent)
    assert scene.bodies() == [b"0", b"new"]


def test_a_queue_that_is_deleted_leaves_nothing() -> None:
    scene = Scene()
    scene.publish(*bodies(20))
    scene.commit()
    assert scene.client.delete_queue("q") == 20
    scene.commit()
    assert (scene.store.queue_numbers(), scene.store.tallies()) == ([], [])
    assert scene.broker.surroundings.usage.held_bytes == 0
    assert not scene.broker.surroundings.windows._members


def test_the_longest_queue_drops_its_head_from_the_disk() -> None:
    scene = Scene({"x-max-length": 10})
    for number in range(30):
        scene.publish(b"%d" % number)
        scene.commit()
    assert scene.queue.ready_count == 10
    assert scene.bodies() == [b"%d" % number for number in range(20, 30)]


def test_a_full_queue_counts_what_is_on_disk() -> None:
    scene = Scene({"x-max-length": 10, "x-overflow": "reject-publish"})
    scene.publish(*bodies(8))
    scene.commit()
    scene.publish(*bodies(8))
    assert scene.queue.ready_count == 10
    assert not scene.queue.admits(1, 1)


def test_what_expires_on_disk_is_given_up_when_its_turn_comes() -> None:
    scene = Scene({"x-message-ttl": 60_000})
    scene.publish(*bodies(20))
    scene.commit()
    scene.broker.clock.now += 30.0
    scene.broker.clock.wall += 30.0
    scene.publish(b"late")
    scene.commit()
    scene.broker.clock.now += 31.0
    scene.broker.clock.wall += 31.0
    for timed in scene.broker.timers.due():
        timed.timeout()
    assert scene.queue.ready_count == 1
    assert scene.broker.counters.dropped == {"expired": 20}
    assert scene.bodies() == [b"late"]


def test_what_expires_is_given_up_after_a_start_that_nobody_comes_after() -> None:
    scene = Scene({"x-message-ttl": 60_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave"})
    scene.client.declare_queue("grave", durable=True)
    scene.publish(*bodies(20))
    scene.commit()
    wall = scene.broker.clock.wall
    scene.start()
    scene.broker.clock.now, scene.broker.clock.wall = scene.broker.clock.now + 61.0, wall + 61.0
    for timed in scene.broker.timers.due():
        timed.timeout()
    assert scene.client.find_queue("grave").ready_count == 20
    assert scene.queue.ready_count == 0


def test_a_start_reads_one_entry_of_each_queue() -> None:
    scene = Scene()
    scene.publish(*bodies(500))
    scene.commit()
    scene.start()
    assert scene.found.entries == 500
    assert (scene.queue.ready_count, len(scene.queue.backlog.present())) == (500, 1)
    assert scene.bodies() == bodies(500)


def test_what_comes_after_a_start_is_behind_what_is_on_disk() -> None:
    scene = Scene()
    scene.publish(*bodies(10))
    scene.commit()
    scene.start()
    scene.publish(b"new")
    assert scene.bodies() == [*bodies(10), b"new"]


def test_a_count_that_is_damaged_or_missing_is_made_again() -> None:
    scene = Scene()
    scene.publish(*bodies(10))
    scene.commit()
    number = scene.store.tallies()[0][0]
    scene.store._tallies[number] = b"damaged"
    scene.start()
    assert "its entries were counted" in scene.found.damage[0]
    assert (scene.queue.ready_count, scene.queue.ready_bytes) == (10, 10)
    del scene.store._tallies[number]
    scene.start()
    assert not scene.found.damage
    assert scene.bodies() == bodies(10)


def test_a_damaged_record_is_set_aside_when_it_is_met_and_costs_itself_only() -> None:
    scene = Scene()
    scene.publish(*bodies(10))
    scene.commit()
    rows = scene.store._rows
    damaged = rows_of(1)[0] + 6
    rows[damaged] = rows[damaged][:-1] + b"?"
    assert scene.bodies() == [body for body in bodies(10) if body != b"5"]
    assert scene.told() == [f"entry {damaged} of queue 'q': the checksum does not match; it is in quarantine"]
    scene.commit()
    assert [row for row, _, _ in scene.store.quarantine] == [damaged]
    assert (scene.queue.ready_count, scene.queue.ready_bytes, scene.store.tallies()) == (0, 0, [])


def test_rows_that_are_not_there_any_more_are_told_and_counted_out() -> None:
    scene = Scene()
    scene.publish(*bodies(10))
    scene.commit()
    for offset in (5, 6, 7):
        del scene.store._rows[rows_of(1)[0] + offset]
    assert scene.bodies() == [b"0", b"1", b"2", b"3", b"7", b"8", b"9"]
    assert scene.told() == ["queue 'q' has 3 entries fewer than were counted"]
    assert (scene.queue.ready_count, scene.queue.ready_bytes) == (0, 0)


def test_a_selector_finds_what_is_on_disk() -> None:
    scene = Scene()
    scene.publish(*bodies(20))
    scene.commit()
    line = scene.queue.in_order()
    assert [entry.message.body for entry in line.entries()] == bodies(20)


def test_who_selects_or_browses_is_refused_where_memory_has_no_room_for_what_is_on_disk() -> None:
    scene = Scene()
    scene.publish(*bodies(200))
    scene.commit()
    scene.broker.surroundings.usage.limit_bytes = 100 * ENTRY_BYTES
    choosy = Holder()
    choosy.selector = parse_selector("TRUE")
    for ask in (lambda: scene.client.consume("q", choosy), lambda: scene.client.browse("q", Holder())):
        with pytest.raises(Limit, match=r"queue 'q' has 19. messages on disk, more than there is memory for"):
            ask()
    assert not scene.queue.consumers
    assert scene.bodies() == bodies(200)


def test_all_windows_shrink_while_the_broker_holds_much() -> None:
    scene = Scene()
    windows = scene.broker.surroundings.windows
    windows.window_bytes = 1 << 20
    usage = scene.broker.surroundings.usage
    names = [f"q{number}" for number in range(30)]
    for name in names:
        scene.client.declare_queue(name, durable=True)
        target = scene.client.target("", name)
        for number in range(100):
            message = plain_message(target.address, b"%d" % number, AT_LEAST_ONCE)
            scene.client.publish(target.exchange, message, None, 0)
    scene.commit()
    before = usage.held_bytes
    usage.limit_bytes = before  # half of which is too much
    for _ in range(10):
        windows.turn_ended()
    assert usage.held_bytes <= before // 2
    for name in names:
        queue = scene.client.find_queue(name)
        assert [entry.message.body for entry in all_of(queue)] == bodies(100)
