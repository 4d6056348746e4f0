"""Long queues that are deleted or purged: that is one small commit, and their rows go in parts, whatever happens in between."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.broker import Broker
from core.client import Client
from core.model.message import AT_LEAST_ONCE, plain_message
from core.recovery import recover
from core.store import kinds
from core.store.batch import QUEUE_SHIFT
from core.store.inspection import Inspection
from core.store.memory import MemoryStore
from core.store.natives import Natives
from core.store.record import Codec
from core.store.sqlite import SqliteStore
from core.timers import Clock
from tests.core.parts import a_broker, a_client
from tests.core.queueing.windows import commit, make_small
from tests.core.store.filling import bodies_of

MANY = 20
PART = 8
COUNT = 50


class Scene:
    """A broker with small windows and parts, and a long queue."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.start()
        self.client.declare_queue("q", durable=True)
        self.client.declare_queue("other", durable=True)
        self.put("q", COUNT)
        self.put("other", 2)
        self.commit()

    def start(self) -> None:
        self.broker: Broker = a_broker()
        make_small(self.broker)
        self.broker.surroundings.journal.many = MANY
        self.broker.surroundings.windows.leftovers.rows_at_once = PART
        self.damage = recover(self.broker, self.store).damage
        self.client: Client = a_client(self.broker)

    def put(self, name: str, count: int, first: int = 0) -> None:
        target = self.client.target("", name)
        for number in range(first, first + count):
            message = plain_message(target.address, b"%d" % number, AT_LEAST_ONCE)
            self.client.publish(target.exchange, message, None, 0)

    def commit(self) -> None:
        commit(self.broker, self.store)

    def end_turn(self) -> int:
        """Commit one batch, and return how many rows that has removed."""
        before = len(self.store._rows)
        self.broker.surroundings.windows.turn_ended()
        batch = self.broker.surroundings.journal.seal()
        if batch is not None:
            self.store.commit(batch)
            self.broker.surroundings.journal.committed = batch.number
        return before - len(self.store._rows)

    def bodies(self) -> dict[str, list[int]]:
        return {name: [int(body) for body in bodies] for name, bodies in bodies_of(self.broker).items()}

    def rows_of(self, number: int) -> int:
        return len([row for row in self.store._rows if row >> QUEUE_SHIFT == number])

    @property
    def left(self) -> bool:
        return not self.broker.surroundings.windows.leftovers.empty

    def number(self, name: str) -> int:
        shelf = self.broker.vhosts["/"].queue(name).shelf
        assert shelf is not None
        return shelf.number


End = Callable[[Scene], None]


def delete(scene: Scene) -> None:
    assert scene.client.delete_queue("q") == COUNT


def purge(scene: Scene) -> None:
    assert scene.client.purge_queue("q") == COUNT
    assert scene.client.vhost.queue("q").ready_count == 0


@pytest.mark.parametrize("end", [delete, purge])
@pytest.mark.parametrize("commits", range(11))
def test_it_has_happened_wholly_or_not_at_all_whenever_the_broker_dies(end: End, commits: int) -> None:
    scene = Scene()
    end(scene)
    removed = [scene.end_turn() for _ in range(commits)]
    assert all(count <= PART for count in removed)
    happened = commits > 0
    expected = {"q": list(range(COUNT)), "other": [0, 1]}
    if happened and end is delete:
        del expected["q"]
    elif happened:
        expected["q"] = []
    for _ in range(2):
        scene.start()
        assert scene.damage == []
        assert scene.bodies() == expected
        if happened:
            scene.end_turn()
    while scene.left:
        assert scene.end_turn() <= PART
    scene.commit()
    assert scene.rows_of(1) == (0 if happened else COUNT)
    assert kinds.VOLATILE not in [kind for kind, _, _ in scene.store.definitions()]
    assert [number for number, _ in scene.store.tallies()] == ([2] if happened else [1, 2])


@pytest.mark.parametrize("end", [delete, purge])
def test_what_comes_afterwards_is_there_and_mixes_up_with_nothing(end: End) -> None:
    scene = Scene()
    end(scene)
    scene.client.declare_queue("q", durable=True)
    scene.put("q", 5, first=100)
    scene.end_turn()
    scene.put("q", 5, first=105)
    scene.end_turn()
    assert scene.rows_of(1) > COUNT // 2
    assert scene.number("q") == 3
    scene.client.declare_queue("third", durable=True)
    assert scene.number("third") == 4, "the old number is nobody's before its rows are gone"
    scene.end_turn()
    scene.start()
    assert scene.bodies() == {"q": list(range(100, 110)), "other": [0, 1], "third": []}
    while scene.left:
        scene.end_turn()
    scene.commit()
    scene.client.declare_queue("fourth", durable=True)
    scene.put("fourth", 3)
    scene.commit()
    scene.start()
    assert scene.bodies() == {"q": list(range(100, 110)), "other": [0, 1], "third": [], "fourth": [0, 1, 2]}


def test_the_number_is_given_again_behind_the_rows_that_it_had() -> None:
    scene = Scene()
    delete(scene)
    while scene.left:
        scene.end_turn()
    scene.commit()
    scene.client.declare_queue("next", durable=True)
    assert scene.number("next") == 1
    scene.put("next", 1)
    scene.commit()
    assert [row for row in scene.store._rows if row >> QUEUE_SHIFT == 1] == [(1 << QUEUE_SHIFT) + COUNT + 1]


@pytest.mark.parametrize("held", ["one lent", "all lent", "a batch waits", "few"])
def test_a_purge_leaves_what_is_not_ready(held: str) -> None:
    """There it is done as for a short queue: the range is removed at once."""
    scene = Scene()
    queue = scene.client.vhost.queue("q")
    journal = scene.broker.surroundings.journal
    expected = 0
    if held == "one lent":
        assert queue.get() is not None
        expected = 1
    elif held == "all lent":
        for _ in range(COUNT):
            assert queue.get() is not None
        expected = COUNT
    elif held == "a batch waits":
        scene.put("other", 1, first=2)
        journal.expect_settlements()
        assert journal.wait_for_settlements()
    else:
        for _ in range(COUNT - MANY // 2):
            entry = queue.get()
            assert entry is not None
            queue.accept(entry)
    scene.client.purge_queue("q")
    assert scene.number("q") == 1
    scene.commit()
    assert scene.rows_of(1) == expected
    scene.start()
    assert len(scene.bodies()["q"]) == expected


def test_what_comes_in_the_batch_of_a_purge_is_there_afterwards_and_what_came_before_it_is_not() -> None:
    scene = Scene()
    scene.put("q", 1, first=COUNT)
    assert scene.client.purge_queue("q") == COUNT + 1
    scene.put("q", 1, first=200)
    assert scene.client.vhost.queue("q").get() is not None
    scene.end_turn()
    scene.start()
    assert scene.bodies()["q"] == [200]


def test_rows_far_apart_are_found() -> None:
    scene = Scene()
    queue = scene.client.vhost.queue("q")
    shelf = queue.shelf
    assert shelf is not None
    scene.put("q", 1, first=COUNT)
    scene.commit()
    shelf.next_row += 1_000_000
    scene.put("q", 30, first=COUNT + 1)
    scene.commit()
    scene.client.delete_queue("q")
    turns = 0
    while scene.left:
        scene.end_turn()
        turns += 1
    scene.commit()
    assert scene.rows_of(1) == 0
    assert turns < 20


def test_a_store_is_sound_while_rows_are_removed(tmp_path: Path) -> None:
    """`verify` tells of no damage, and `stats` of what is there by whose it was."""
    store = SqliteStore(tmp_path)
    broker = a_broker()
    broker.surroundings.journal.many = MANY
    broker.surroundings.windows.leftovers.rows_at_once = PART
    recover(broker, store)
    client = a_client(broker)
    client.declare_queue("q", durable=True)
    target = client.target("", "q")
    for number in range(COUNT):
        client.publish(target.exchange, plain_message(target.address, b"%d" % number, AT_LEAST_ONCE), None, 0)
    commit(broker, store)
    client.delete_queue("q")
    commit(broker, store)
    commit(broker, store)
    inspection = Inspection(tmp_path)
    found = inspection.verify(Codec(Natives({}), Clock()), lambda _done, _total: None)
    [stats] = inspection.queues(lambda _done, _total: None)
    inspection.close()
    assert found.damage == []
    assert 0 < stats.messages < COUNT
    assert stats.name == "q, which is gone"
    store.close()
    again = SqliteStore(tmp_path)
    broker = a_broker()
    assert recover(broker, again).damage == []
    while not broker.surroundings.windows.leftovers.empty:
        commit(broker, again)
    commit(broker, again)
    assert again.queue_numbers() == []
    again.close()
