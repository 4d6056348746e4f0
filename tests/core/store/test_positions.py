"""Positions in the store: they begin anew where that is safe, and no entry ever gets a row of another queue."""

import pytest

from core.broker import Broker
from core.client import Client
from core.model.message import AT_LEAST_ONCE, Message, plain_message
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.recovery import mark_seen, recover
from core.store.batch import POSITION_LIMIT
from core.store.memory import MemoryStore
from core.store.positions import RESERVED
from tests.core.parts import a_broker, a_client
from tests.core.store.filling import bodies_of, commit

LIMIT = 20


class Scene:
    """A broker with a store, in which each queue has few positions."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.start()
        self.client.declare_queue("q", durable=True)
        commit(self.broker, self.store)

    def start(self) -> None:
        self.broker: Broker = a_broker()
        journal = self.broker.surroundings.journal
        journal.positions.limit = LIMIT
        journal.numbers.reuse_limit = LIMIT // 2
        self.damage = recover(self.broker, self.store).damage
        self.client: Client = a_client(self.broker)

    @property
    def queue(self) -> Queue:
        return self.broker.vhosts["/"].queue("q")

    def message(self, body: bytes = b"x") -> Message:
        return plain_message(self.client.target("", "q").address, body, AT_LEAST_ONCE)

    def put(self, count: int = 1) -> list[bool]:
        return [self.queue.put(self.message(), None) for _ in range(count)]

    def commit(self) -> None:
        commit(self.broker, self.store)

    def take(self, count: int = 1) -> list[Entry]:
        found = [self.queue.get() for _ in range(count)]
        assert None not in found
        return [entry for entry in found if entry is not None]

    def accept(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.queue.accept(entry)

    def told(self) -> list[str]:
        return self.broker.surroundings.windows.told()

    @property
    def positions(self) -> list[int]:
        return sorted(row % POSITION_LIMIT for row in self.store._rows)


def test_a_queue_that_is_empty_now_and_then_never_runs_out() -> None:
    scene = Scene()
    highest = 0
    for _ in range(100):
        assert all(scene.put(3))
        scene.commit()
        highest = max(highest, *scene.positions)
        scene.accept(scene.take(3))
        scene.commit()
    assert highest < LIMIT
    assert scene.told() == []


def test_what_leaves_in_the_batch_of_the_next_one_keeps_its_position() -> None:
    """A batch adds rows before it removes others: the same row would be gone."""
    scene = Scene()
    for position in range(1, LIMIT):
        assert scene.put() == [True]
        scene.commit()
        assert scene.positions == [position]
        scene.accept(scene.take())
    scene.commit()
    scene.put()
    scene.commit()
    assert scene.positions == [1]
    assert scene.told() == []


def test_a_queue_that_is_never_empty_refuses_messages_until_it_is() -> None:
    scene = Scene()
    scene.put()
    for _ in range(LIMIT - 2):
        assert scene.put() == [True]
        scene.commit()
        scene.accept(scene.take())
    assert scene.put(2) == [True, True], "what comes before it is noticed has positions behind the limit"
    scene.commit()
    assert scene.put(2) == [False, False]
    assert not scene.queue.admits(1, 1)
    assert scene.told() == ["queue 'q' has used up its positions in the store: it refuses messages until it is empty"]
    held = scene.take(3)
    assert scene.put() == [False], "they are still there"
    scene.accept(held[:2])
    scene.commit()
    assert scene.put() == [False]
    scene.queue.requeue(held[2])
    assert scene.queue.ready_count == 1, "what comes back was never new"
    scene.accept(scene.take())
    assert scene.put() == [False], "it is not committed that they are gone"
    scene.commit()
    assert scene.queue.admits(1, 1)
    assert scene.put() == [True]
    scene.commit()
    assert scene.positions == [1]
    assert scene.told() == []


def test_a_queue_without_positions_is_one_after_a_start_too() -> None:
    scene = Scene()
    scene.put(LIMIT + 3)
    scene.commit()
    for _ in range(2):
        scene.start()
        assert len(scene.damage) == 1
        assert "used up its positions" in scene.damage[0]
        assert scene.put() == [False]
    scene.accept(scene.take(LIMIT + 3))
    scene.commit()
    assert scene.put() == [True]
    scene.commit()
    assert scene.positions == [1]


@pytest.mark.parametrize("stopped", [False, True])
def test_rows_that_are_given_again_were_not_delivered_before(stopped: bool) -> None:
    """Neither those that an end without order leaves in doubt nor those that an orderly stop names."""
    scene = Scene()
    scene.put(LIMIT // 2)
    scene.commit()
    if stopped:
        for entry in scene.take(3):
            scene.queue.requeue(entry)
        mark_seen(scene.broker)
        scene.commit()
        scene.store.close()
    scene.start()
    assert scene.queue.shelf is not None
    assert (scene.queue.shelf.redelivered_until > 0) != stopped
    assert len(scene.queue.shelf.seen) == (3 if stopped else 0)
    scene.accept(scene.take(LIMIT // 2))
    scene.commit()
    scene.put(5)
    scene.commit()
    assert scene.positions == [1, 2, 3, 4, 5]
    assert scene.queue.window is not None
    scene.queue.window.shrink(0)
    assert scene.queue.window.stored_count == 4
    held = scene.take(2)
    for entry in held:
        assert not entry.redelivered
        scene.queue.requeue(entry)
    mark_seen(scene.broker)
    scene.commit()
    scene.store.close()
    scene.start()
    assert [entry.redelivered for entry in scene.take(5)] == [True, True, False, False, False]


def test_rows_that_the_store_has_and_nobody_counts_are_in_the_way() -> None:
    scene = Scene()
    scene.put(LIMIT)
    scene.commit()
    row, record = max(scene.store._rows.items())
    scene.accept(scene.take(LIMIT))
    scene.commit()
    scene.store._rows[row] = record
    scene.put()
    scene.commit()
    assert scene.positions == [LIMIT, LIMIT + 1]
    assert scene.put() == [False]


def test_a_queue_that_has_the_number_of_another_begins_anew_behind_that_ones_rows() -> None:
    """Somebody may hold a message of that one still, and settle it whenever he likes."""
    scene = Scene()
    scene.put(8)
    scene.commit()
    held = scene.take(8)
    scene.client.delete_queue("q")
    scene.commit()
    scene.client.declare_queue("q", durable=True)
    assert scene.queue.shelf is not None
    assert scene.queue.shelf.number == 1
    for _ in range(10):
        scene.put(2)
        scene.commit()
        assert min(scene.positions) > 8
        scene.accept(scene.take(2))
        scene.commit()
    scene.put(2)
    scene.commit()
    for entry in held:
        entry.queue.accept(entry)
    scene.commit()
    scene.start()
    assert bodies_of(scene.broker) == {"q": [b"x", b"x"]}


def test_a_queue_that_is_not_durable_runs_out_as_well_while_it_is_on_disk() -> None:
    scene = Scene()
    scene.client.declare_queue("t")
    queue = scene.broker.vhosts["/"].queue("t")
    address = scene.client.target("", "t").address
    windows = scene.broker.surroundings.windows
    for number in range(6):
        queue.put(plain_message(address, b"%d" % number, AT_LEAST_ONCE), None)
    assert queue.leave_memory(0)
    for number in range(6, 2 * LIMIT):
        scene.commit()
        windows.turn_ended()
        if not queue.put(plain_message(address, b"%d" % number, AT_LEAST_ONCE), None):
            break
        assert queue.window is not None
        queue.window.shrink(0)
    assert LIMIT // 2 < number < 2 * LIMIT - 1
    assert len(scene.told()) == 1
    for expected in range(number):
        entry = queue.get()
        assert entry is not None
        assert entry.message.body == b"%d" % expected
        queue.accept(entry)
    scene.commit()
    windows.turn_ended()
    assert queue.put(plain_message(address, b"again", AT_LEAST_ONCE), None)


@pytest.mark.parametrize("rate", [1_000_000])
def test_there_are_positions_for_days(rate: int) -> None:
    limit = a_broker().surroundings.journal.positions.limit
    assert limit + RESERVED == POSITION_LIMIT
    assert limit / rate > 12 * 24 * 3_600
