"""Numbers of queues: none is two queues' at a time, and where there is none left that is said."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from core.broker import Broker
from core.client import Client
from core.model.errors import Limit
from core.model.message import AT_LEAST_ONCE, plain_message
from core.recovery import recover
from core.store.batch import POSITION_LIMIT
from core.store.memory import MemoryStore
from core.store.numbers import QueueNumbers
from core.store.shelf import Shelf
from protocols.mqtt.session import restore_session
from tests.core.parts import a_broker, a_client
from tests.core.store.filling import commit
from tests.protocols.mqtt.lasting_world import LastingWorld
from tests.protocols.mqtt.peer5 import Client5, publish5, subscribe5


@given(st.lists(st.sampled_from(["new", "new", "end", "commit", "restart"])), st.integers(1, 6), st.data())
def test_no_number_is_two_queues_at_a_time(steps: list[str], limit: int, data: st.DataObject) -> None:
    """And none is refused while one is free that the store has no rows of."""
    numbers = QueueNumbers()
    numbers.limit = limit
    batch = 1
    shelves: list[Shelf] = []
    ended: list[int] = []  # in the batch that collects
    for step in steps:
        if step == "new":
            if len(shelves) + len(ended) == limit - 1:
                with pytest.raises(Limit, match=f"has {limit - 1} durable queues and sessions"):
                    numbers.new_shelf(batch)
            else:
                shelf = numbers.new_shelf(batch)
                assert shelf.number not in [*ended, *(other.number for other in shelves)]
                assert 0 < shelf.number < limit
                shelf.next_row += 3
                shelves.append(shelf)
        elif step == "end" and shelves:
            shelf = shelves.pop(data.draw(st.integers(0, len(shelves) - 1)))
            numbers.give_back(shelf, batch)
            ended.append(shelf.number)
        elif step == "commit":
            batch += 1
            ended.clear()
        elif step == "restart":
            numbers = QueueNumbers()
            numbers.limit = limit
            numbers.begin({shelf.number for shelf in shelves})
            ended.clear()
            batch = 1


def test_a_number_that_is_given_again_goes_on_behind_the_rows_of_before() -> None:
    numbers = QueueNumbers()
    shelf = numbers.new_shelf(1)
    shelf.next_row += 5
    numbers.give_back(shelf, 1)
    assert numbers.new_shelf(2).next_row == shelf.next_row


def test_a_number_whose_positions_are_used_up_rests() -> None:
    numbers = QueueNumbers()
    shelf = numbers.new_shelf(1)
    shelf.next_row += POSITION_LIMIT // 2
    numbers.give_back(shelf, 1)
    assert numbers.new_shelf(2).number == 2


class Scene:
    """A broker with a store that has numbers for three queues, whose process may die."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.start()

    def start(self, broker: Broker | None = None) -> list[str]:
        self.broker: Broker = broker or a_broker()
        found = recover(self.broker, self.store, restore_session)
        self.broker.surroundings.journal.numbers.limit = 4
        self.client: Client = a_client(self.broker)
        return found.damage

    def commit(self) -> None:
        commit(self.broker, self.store)

    def publish(self, queue: str, body: bytes) -> None:
        target = self.client.target("", queue)
        self.client.publish(target.exchange, plain_message(target.address, body, AT_LEAST_ONCE), None, 0)

    def bodies(self, queue: str) -> list[bytes]:
        return [entry.message.body for entry in self.client.vhost.queue(queue).backlog.entries()]


def test_a_queue_that_finds_no_number_is_refused_and_leaves_nothing() -> None:
    scene = Scene()
    for name in "abc":
        scene.client.declare_queue(name, durable=True)
    usage = scene.broker.surroundings.usage
    before = usage.defined_bytes
    with pytest.raises(Limit, match="the store has 3 durable queues and sessions, and no number for another"):
        scene.client.declare_queue("d", durable=True)
    assert list(scene.client.vhost.queues) == ["a", "b", "c"]
    assert usage.defined_bytes == before
    scene.client.declare_queue("d")  # not durable
    scene.client.delete_queue("b")
    with pytest.raises(Limit):  # not before its rows are removed
        scene.client.declare_queue("e", durable=True)
    scene.commit()
    scene.client.declare_queue("e", durable=True)


def test_what_an_earlier_queue_still_had_lent_takes_nothing_from_the_one_with_its_number() -> None:
    scene = Scene()
    for name in "abc":
        scene.client.declare_queue(name, durable=True)
        scene.publish(name, name.encode())
    _, entry = scene.client.get("b")
    assert entry is not None
    scene.commit()
    scene.client.delete_queue("b")
    scene.commit()
    scene.client.declare_queue("d", durable=True)
    scene.publish("d", b"d")
    scene.commit()
    entry.queue.accept(entry)
    scene.commit()
    assert scene.start() == []
    assert {name: scene.bodies(name) for name in "acd"} == {"a": [b"a"], "c": [b"c"], "d": [b"d"]}


def test_numbers_that_are_free_at_a_start_are_given_again() -> None:
    scene = Scene()
    for name in "abc":
        scene.client.declare_queue(name, durable=True)
    scene.client.delete_queue("a")
    scene.commit()
    assert scene.start() == []
    scene.client.declare_queue("d", durable=True)
    with pytest.raises(Limit):
        scene.client.declare_queue("e", durable=True)


def test_the_number_of_a_queue_that_stays_in_the_store_is_nobody_elses() -> None:
    """Its virtual host is not in the configuration now, and may be again."""
    scene = Scene()
    broker = a_broker()
    other = broker.add_vhost("other")
    scene.start(broker)
    other.add_queue("theirs", durable=True)
    scene.commit()
    assert len(scene.start()) == 1
    scene.client.declare_queue("mine", durable=True)
    scene.publish("mine", b"mine")
    scene.commit()
    broker = a_broker()
    broker.add_vhost("other")
    assert scene.start(broker) == []
    assert scene.bodies("mine") == [b"mine"]
    assert broker.vhosts["other"].queue("theirs").ready_count == 0


@pytest.mark.parametrize("text", ["a", "$share/g/a"])
def test_a_session_or_a_group_that_finds_no_number_is_told(text: str) -> None:
    """The publisher is, where the session has had no message yet; a member is when it subscribes."""
    world = LastingWorld()
    world.broker.surroundings.journal.numbers.limit = 1
    said: dict[str, Any] = {"clean": False, "session_expiry": 100}
    client = Client5(world, "c", **said)
    if text == "a":
        client.subscribe((text, 1))
        (answer,) = Client5(world, "sender").send(publish5("a", b"x", 1, 1))
        assert (answer.name, answer.codes) == ("PUBACK", b"\x97")
        assert world.broker.counters.dropped == {"no_queue_number": 1}
        assert client.take() == []
    else:
        (answer,) = client.send(subscribe5((text, 1)))
        assert (answer.name, answer.codes) == ("SUBACK", b"\x97")
        assert world.broker.vhosts["/"].groups == {}
