"""Messages that wait for their time while the process dies: in the store until they are passed on, and then in their queues."""

import pytest

from core.broker import Broker
from core.client import Client
from core.model.message import AT_LEAST_ONCE, AT_MOST_ONCE, plain_message
from core.model.properties import Properties
from core.recovery import Recovered, recover
from core.routing.exchange import Exchange
from core.store import kinds
from core.store.memory import MemoryStore
from tests.core.parts import a_broker, a_client
from tests.core.store.filling import commit


class Scene:
    """A durable delayed exchange `x` with a durable queue `q`, in a broker whose process may die."""

    def __init__(self, *, durable: bool = True) -> None:
        self.store = MemoryStore()
        self.start(1_000.0)
        self.client.declare_exchange("x", "x-delayed-message", durable=durable, arguments={"x-delayed-type": "direct"})
        self.client.declare_queue("q", durable=True)
        self.client.bind_queue("q", "x", "k", {})
        self.commit()

    def start(self, wall: float) -> None:
        self.broker: Broker = a_broker()
        self.broker.clock.now = 50.0
        self.broker.clock.wall = wall
        self.found: Recovered = recover(self.broker, self.store)
        self.client: Client = a_client(self.broker)

    @property
    def exchange(self) -> Exchange:
        return self.client.vhost.exchanges["x"]

    def send(self, body: bytes, delay_ms: int, qos: int = AT_LEAST_ONCE, ttl_s: float = 0.0) -> None:
        address = self.exchange.address("k")
        said = Properties({"x-delay": delay_ms, "own": "kept"})
        message = plain_message(address, body, qos).restated(address, said)
        if ttl_s:
            message.expires_at = self.broker.clock.now + ttl_s
        self.client.publish(self.exchange, message, None, 0)

    def commit(self) -> None:
        commit(self.broker, self.store)

    def wait(self, seconds: float) -> None:
        self.broker.clock.now += seconds
        self.broker.clock.wall += seconds
        for timed in self.broker.timers.due():
            timed.timeout()
            self.broker.timers.watch(timed)

    def die(self, down_s: float) -> None:
        self.start(self.broker.clock.wall + down_s)
        assert not self.found.damage

    def waiting(self) -> list[bytes]:
        return [delayed.message.body for delayed in self.client.vhost.delayed.listed()]

    def stored(self) -> int:
        return len([kind for kind, _, _ in self.store.definitions() if kind == kinds.DELAYED])

    def ready(self) -> list[bytes]:
        return [entry.message.body for entry in self.client.vhost.queues["q"].backlog.entries()]


def test_the_time_in_between_counts() -> None:
    scene = Scene()
    scene.send(b"later", 20_000)
    scene.send(b"sooner", 10_000)
    scene.commit()
    scene.die(4)
    assert scene.waiting() == [b"sooner", b"later"]
    scene.wait(5.5)
    assert scene.ready() == []
    scene.wait(0.5)
    assert scene.ready() == [b"sooner"]
    scene.wait(10)
    assert scene.ready() == [b"sooner", b"later"]


def test_what_has_become_due_meanwhile_is_passed_on_at_once_and_in_order() -> None:
    scene = Scene()
    scene.send(b"2", 2_000)
    scene.send(b"1", 1_000)
    scene.commit()
    scene.die(3_600)
    scene.wait(0)
    assert scene.ready() == [b"1", b"2"]


def test_it_says_about_itself_what_it_said_before() -> None:
    scene = Scene()
    scene.send(b"x", 1_000)
    scene.commit()
    scene.die(1)
    scene.wait(0)
    (entry,) = scene.client.vhost.queues["q"].backlog.entries()
    assert entry.message.properties.headers == {"x-delay": -1_000, "own": "kept"}
    assert entry.message.address.key == "k"


def test_its_time_to_live_begins_when_it_is_due() -> None:
    scene = Scene()
    scene.send(b"x", 1_000, ttl_s=5)
    scene.commit()
    scene.die(100)
    scene.wait(0)
    (entry,) = scene.client.vhost.queues["q"].backlog.entries()
    assert entry.expires_at == scene.broker.clock.now + 5


def test_a_message_is_in_one_place_or_the_other() -> None:
    """It leaves the exchange in the batch that has it in its queue."""
    scene = Scene()
    scene.send(b"x", 1_000)
    scene.commit()
    scene.wait(1)
    assert scene.ready() == [b"x"]
    scene.die(0)  # before that was committed
    assert (scene.ready(), scene.waiting()) == ([], [b"x"])
    scene.wait(0)
    scene.commit()
    scene.die(0)
    assert (scene.ready(), scene.waiting()) == ([b"x"], [])


def test_what_is_cancelled_or_dropped_stays_so() -> None:
    scene = Scene()
    scene.send(b"1", 1_000)
    scene.send(b"2", 1_000)
    scene.commit()
    assert scene.stored() == 2
    assert scene.client.vhost.delayed.cancel(1)
    scene.commit()
    scene.die(0)
    assert scene.waiting() == [b"2"]
    scene.client.delete_exchange("x")
    scene.commit()
    assert scene.stored() == 0


def test_a_message_is_promised_when_it_begins_to_wait() -> None:
    scene = Scene()
    before = scene.broker.surroundings.journal.promises
    scene.send(b"x", 1_000)
    assert scene.broker.surroundings.journal.promises > before


@pytest.mark.parametrize(("qos", "durable"), [(AT_MOST_ONCE, True), (AT_LEAST_ONCE, False)])
def test_what_is_transient_is_not_stored(qos: int, durable: bool) -> None:
    scene = Scene(durable=durable)
    scene.send(b"x", 1_000, qos)
    scene.commit()
    assert scene.waiting() == [b"x"]
    assert scene.stored() == 0


def test_numbers_go_on_where_they_ended() -> None:
    """A new message must not take the place of one that still waits."""
    scene = Scene()
    scene.send(b"1", 9_000)
    scene.commit()
    scene.die(0)
    scene.send(b"2", 9_000)
    scene.commit()
    scene.die(0)
    assert scene.waiting() == [b"1", b"2"]
