"""Queues that end when nobody uses them (RabbitMQ `x-expires`)."""

from collections.abc import Callable

import pytest

from core.broker import Broker
from core.client import Client
from tests.core.parts import Holder, a_broker, a_client, publish


@pytest.fixture
def broker() -> Broker:
    broker = a_broker()
    broker.clock.now = 100.0
    return broker


def let_pass(broker: Broker, seconds: float) -> None:
    broker.clock.now += seconds
    for timed in broker.timers.due():
        timed.timeout()
        broker.timers.watch(timed)


def with_queue(broker: Broker) -> Client:
    client = a_client(broker)
    client.declare_queue("q", arguments={"x-expires": 10_000})
    return client


def test_an_idle_queue_ends_with_its_entries_and_bindings(broker: Broker) -> None:
    client = with_queue(broker)
    client.bind_queue("q", "amq.fanout", "", {})
    publish(client, "", "q")
    let_pass(broker, 9.9)
    assert "q" in client.vhost.queues
    let_pass(broker, 0.1)
    assert "q" not in client.vhost.queues
    assert not client.vhost.exchanges["amq.fanout"].bindings
    assert broker.surroundings.usage.held_bytes == 0
    assert broker.timers.count == 0
    assert broker.counters.dropped == {}, "what was in it did not expire"


USES: dict[str, Callable[[Client], object]] = {
    "declare": lambda client: client.declare_queue("q", arguments={"x-expires": 10_000}),
    "passive declare": lambda client: client.find_queue("q"),
    "get": lambda client: client.get("q"),
}


@pytest.mark.parametrize("use", USES)
def test_a_queue_that_is_used_begins_its_time_anew(broker: Broker, use: str) -> None:
    client = with_queue(broker)
    let_pass(broker, 9.0)
    USES[use](client)
    let_pass(broker, 9.0)
    assert "q" in client.vhost.queues
    let_pass(broker, 1.0)
    assert "q" not in client.vhost.queues


def test_a_publish_is_no_use(broker: Broker) -> None:
    client = with_queue(broker)
    let_pass(broker, 9.0)
    publish(client, "", "q")
    let_pass(broker, 1.0)
    assert "q" not in client.vhost.queues


def test_a_queue_with_a_consumer_is_in_use(broker: Broker) -> None:
    client, consumer = with_queue(broker), Holder()
    queue = client.consume("q", consumer)
    let_pass(broker, 100.0)
    client.find_queue("q")
    let_pass(broker, 100.0)
    assert "q" in client.vhost.queues
    client.cancel(queue, consumer)
    let_pass(broker, 9.9)
    assert "q" in client.vhost.queues
    let_pass(broker, 0.1)
    assert "q" not in client.vhost.queues


def test_a_queue_that_is_deleted_is_watched_no_more(broker: Broker) -> None:
    client = with_queue(broker)
    client.delete_queue("q")
    assert broker.timers.count == 0


def test_the_owner_of_a_queue_that_has_ended_knows(broker: Broker) -> None:
    client = a_client(broker)
    for _ in range(3):
        client.declare_queue("", exclusive=True, arguments={"x-expires": 1})
        let_pass(broker, 1.0)
    assert not client._exclusive
    client.close()
