"""RabbitMQ's exchange types and alternate exchanges, as an AMQP client sees them."""

from typing import Any

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, Delivered, closed
from tests.protocols.world import World

Basic, Exchange, Queue, Confirm = commands.Basic, commands.Exchange, commands.Queue, commands.Confirm


def declare(peer: AmqpPeer, kind: str, **arguments: Any) -> None:
    peer.call(Exchange.Declare(exchange="x", exchange_type=kind, arguments=arguments), Exchange.DeclareOk)


def bind(peer: AmqpPeer, queue: str, key: str) -> None:
    peer.call(Queue.Bind(queue=queue, exchange="x", routing_key=key), Queue.BindOk)


@pytest.mark.parametrize("delay", [5_000, "5000", 5_000.0])
def test_a_delayed_message_is_confirmed_at_once_and_delivered_later(world: World, peer: AmqpPeer, delay: Any) -> None:
    declare(peer, "x-delayed-message", **{"x-delayed-type": "topic"})
    bind(peer, "q", "a.*")
    peer.call(Confirm.Select(), Confirm.SelectOk)
    headers = {"x-delay": delay, "own": [1, {"a": True}]}
    (answer,) = peer.publish("x", "a.b", b"x" * 10, mandatory=True, headers=headers, delivery_mode=2, app_id="app")
    assert isinstance(answer, Basic.Ack)
    assert peer.consume("q", no_ack=True) == []
    world.advance(4.9)
    assert peer.take() == []
    world.advance(0.2)
    (delivered,) = peer.take()
    assert isinstance(delivered, Delivered)
    assert (delivered.method.exchange, delivered.method.routing_key, delivered.method.redelivered) == (
        "x",
        "a.b",
        False,
    )
    assert delivered.properties.headers == {"x-delay": -5_000, "own": [1, {"a": True}]}
    assert (delivered.properties.delivery_mode, delivered.properties.app_id) == (2, "app")
    assert delivered.body == b"x" * 10


def test_blind_copies_stay_hidden_while_they_wait(world: World, peer: AmqpPeer) -> None:
    declare(peer, "x-delayed-message", **{"x-delayed-type": "direct"})
    peer.queue("blind")
    bind(peer, "q", "k")
    bind(peer, "blind", "b")
    peer.publish("x", "k", b"x", headers={"x-delay": 10, "BCC": ["b"]})
    world.advance(1)
    for name in ("q", "blind"):
        delivered = peer.get(name)
        assert delivered is not None
        assert delivered.properties.headers == {"x-delay": -10}


def test_an_expiration_counts_from_the_time_of_delivery(world: World, peer: AmqpPeer) -> None:
    declare(peer, "x-delayed-message", **{"x-delayed-type": "fanout"})
    bind(peer, "q", "")
    peer.publish("x", "k", b"x", headers={"x-delay": 5_000}, expiration="1000")
    world.advance(5.5)
    assert peer.counts("q") == (1, 0)
    world.advance(1)
    assert peer.counts("q") == (0, 0)


def test_an_alternate_takes_what_is_mandatory(peer: AmqpPeer) -> None:
    declare(peer, "direct", **{"alternate-exchange": "amq.fanout"})
    (returned,) = peer.publish("x", "k", b"1", mandatory=True)
    assert isinstance(returned.method, Basic.Return)
    peer.call(Queue.Bind(queue="q", exchange="amq.fanout"), Queue.BindOk)
    assert peer.publish("x", "k", b"2", mandatory=True) == []
    delivered = peer.get("q")
    assert delivered is not None
    assert (delivered.method.exchange, delivered.body) == ("x", b"2")


def test_history_comes_with_the_binding_and_is_returned_when_nobody_is_bound(peer: AmqpPeer) -> None:
    declare(peer, "x-recent-history", **{"x-recent-history-length": 2})
    for body in (b"1", b"2", b"3"):
        (returned,) = peer.publish("x", "k", body, mandatory=True)
        assert isinstance(returned.method, Basic.Return)
    bind(peer, "q", "")
    assert [peer.get("q").body for _ in range(2)] == [b"2", b"3"]  # type: ignore[union-attr]
    assert peer.counts("q") == (0, 0)


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-modulus-hash", "x-random"])
def test_one_queue_gets_each_message(peer: AmqpPeer, kind: str) -> None:
    declare(peer, kind)
    names = [peer.queue(f"q{number}") for number in range(4)]
    for name in names:
        bind(peer, name, "1")
    for number in range(200):
        assert peer.publish("x", f"k{number}", b"", mandatory=True) == []
    counts = [peer.counts(name)[0] for name in names]
    assert sum(counts) == 200
    assert min(counts) > 20


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        ("x-delayed-message", {}, "Invalid argument, 'x-delayed-type' must be an existing exchange type"),
        ("x-consistent-hash", {"hash-property": "app_id"}, "Unsupported property: app_id"),
        (
            "x-recent-history",
            {"x-recent-history-length": 0},
            "Invalid argument 0, 'x-recent-history-length' must be a positive integer",
        ),
    ],
)
def test_wrong_arguments_close_the_channel(peer: AmqpPeer, kind: str, arguments: dict[str, Any], text: str) -> None:
    sent = Exchange.Declare(exchange="x", exchange_type=kind, arguments=arguments)
    assert closed(peer, sent) == (commands.Channel.Close, 406, f"PRECONDITION_FAILED - {text}", 40, 10)


def test_a_weight_that_is_none_closes_the_channel(peer: AmqpPeer) -> None:
    declare(peer, "x-consistent-hash")
    text = 'PRECONDITION_FAILED - The binding key must be an integer: <<"heavy">>'
    sent = Queue.Bind(queue="q", exchange="x", routing_key="heavy")
    assert closed(peer, sent) == (commands.Channel.Close, 406, text, 50, 20)
