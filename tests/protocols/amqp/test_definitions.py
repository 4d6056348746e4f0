"""Classes exchange and queue: what a client declares is there, with the limits that it asked for."""

from typing import Any

import pytest
from pamqp import commands

from core.queueing.credit import UNLIMITED
from core.queueing.queue import Queue
from core.queueing.stock import DROP_HEAD, REJECT_PUBLISH
from tests.protocols.amqp.peer import AmqpPeer, bodies, message_frames, method
from tests.protocols.world import World

Declare = commands.Queue.Declare


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def peer(world: World) -> AmqpPeer:
    return AmqpPeer(world)


def found(world: World, name: str) -> Queue:
    return world.broker.vhosts["/"].queues[name]


def test_a_queue_is_declared_with_its_properties(world: World, peer: AmqpPeer) -> None:
    peer.queue("q", durable=True, auto_delete=True, arguments={"x-unknown": [1, "a"]})
    queue = found(world, "q")
    assert (queue.durable, queue.auto_delete, queue.owner) == (True, True, None)
    assert queue.arguments == {"x-unknown": [1, "a"]}
    assert peer.queue("q", durable=True, auto_delete=True, arguments={"x-unknown": [1, "a"]}) == "q"


def test_declare_counts_ready_messages_and_consumers(peer: AmqpPeer) -> None:
    peer.queue("q")
    for _ in range(3):
        peer.publish("", "q", b"x")
    peer.send(commands.Basic.Qos(prefetch_count=1))
    peer.consume("q")
    assert peer.counts("q") == (2, 1)


def test_a_queue_without_a_name_gets_one_and_is_the_current_one(world: World, peer: AmqpPeer) -> None:
    name = peer.queue("", exclusive=True)
    assert name == "amq.gen-unique-1"
    peer.send(commands.Queue.Bind(queue="", exchange="amq.direct", routing_key=""))
    peer.publish("amq.direct", name, b"x")
    assert peer.call(commands.Queue.Purge(queue=""), commands.Queue.PurgeOk).message_count == 1
    assert peer.consume("") == []
    peer.send(commands.Queue.Unbind(queue="", exchange="amq.direct", routing_key=""))
    assert peer.publish("amq.direct", name, b"x") == []
    answer, cancel = peer.send(commands.Queue.Delete(queue=""))
    assert (type(answer), type(cancel)) == (commands.Queue.DeleteOk, commands.Basic.Cancel)
    assert name not in world.broker.vhosts["/"].queues


def test_the_current_queue_is_each_channels_own(peer: AmqpPeer) -> None:
    peer.queue("q")
    peer.send(commands.Channel.Open(), channel=2)
    (answer,) = peer.send(commands.Queue.Purge(queue=""), channel=2)
    assert answer.reply_code == 404


def test_line_ends_are_taken_out_of_names(world: World, peer: AmqpPeer) -> None:
    (answer,) = peer.send(method(Declare(queue="a--b")).replace(b"a--b", b"a\r\nb"))  # pamqp would refuse to say it
    assert answer.queue == "ab"
    assert found(world, "ab").name == "ab"


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        ({}, (UNLIMITED, UNLIMITED, DROP_HEAD)),
        ({"x-max-length": 5}, (5, UNLIMITED, DROP_HEAD)),
        ({"x-max-length-bytes": 7, "x-overflow": "reject-publish"}, (UNLIMITED, 7, REJECT_PUBLISH)),
        ({"x-max-length": 0, "x-overflow": "drop-head"}, (0, UNLIMITED, DROP_HEAD)),
        ({"x-single-active-consumer": False}, (UNLIMITED, UNLIMITED, DROP_HEAD)),
        ({"x-queue-type": "classic", "x-queue-mode": "lazy", "x-queue-version": 2}, (UNLIMITED, UNLIMITED, DROP_HEAD)),
    ],
)
def test_arguments_set_the_limits_of_a_queue(
    world: World, peer: AmqpPeer, arguments: dict[str, Any], limits: tuple[int, int, int]
) -> None:
    peer.queue("q", arguments=arguments)
    queue = found(world, "q")
    assert (queue.limit_entries, queue.limit_bytes, queue.overflow) == limits


def test_a_full_queue_drops_its_oldest_message(peer: AmqpPeer) -> None:
    peer.queue("q", arguments={"x-max-length": 2})
    for body in (b"1", b"2", b"3"):
        peer.publish("", "q", body)
    assert bodies(peer.consume("q")) == [b"2", b"3"]


def test_a_full_queue_that_rejects_refuses_the_publish(peer: AmqpPeer) -> None:
    peer.queue("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    peer.send(commands.Confirm.Select())
    (first,) = peer.publish("", "q", b"1")
    (second,) = peer.publish("", "q", b"2")
    assert isinstance(first, commands.Basic.Ack)
    assert isinstance(second, commands.Basic.Nack)
    assert (second.delivery_tag, second.multiple) == (2, False)
    assert bodies(peer.consume("q")) == [b"1"]


def test_purge_and_delete_count_messages(peer: AmqpPeer) -> None:
    peer.queue("q")
    peer.publish("", "q", b"x")
    peer.publish("", "q", b"x")
    assert peer.call(commands.Queue.Purge(queue="q"), commands.Queue.PurgeOk).message_count == 2
    peer.publish("", "q", b"x")
    assert peer.call(commands.Queue.Delete(queue="q"), commands.Queue.DeleteOk).message_count == 1


def test_what_is_asked_without_an_answer_has_none(world: World, peer: AmqpPeer) -> None:
    assert (
        peer.send(
            Declare(queue="q", nowait=True),
            commands.Exchange.Declare(exchange="e", exchange_type="fanout", nowait=True),
            commands.Exchange.Bind(destination="e", source="amq.topic", routing_key="#", nowait=True),
            commands.Queue.Bind(queue="q", exchange="e", routing_key="", nowait=True),
            commands.Basic.Consume(queue="q", consumer_tag="t", nowait=True),
            commands.Basic.Cancel(consumer_tag="t", nowait=True),
            commands.Confirm.Select(nowait=True),
            commands.Queue.Purge(queue="q", nowait=True),
        )
        == []
    )
    (confirm,) = peer.publish("amq.topic", "any", b"x")
    assert isinstance(confirm, commands.Basic.Ack)
    assert peer.counts("q") == (1, 0)
    assert (
        peer.send(
            commands.Exchange.Unbind(destination="e", source="amq.topic", routing_key="#", nowait=True),
            commands.Exchange.Delete(exchange="e", nowait=True),
            commands.Queue.Delete(queue="q", nowait=True),
        )
        == []
    )
    assert "q" not in world.broker.vhosts["/"].queues
    assert "e" not in world.broker.vhosts["/"].exchanges


def test_an_exchange_is_declared_and_found(world: World, peer: AmqpPeer) -> None:
    declare = commands.Exchange.Declare(exchange="e", exchange_type="headers", durable=True, internal=True)
    peer.call(declare, commands.Exchange.DeclareOk)
    peer.call(declare, commands.Exchange.DeclareOk)
    peer.call(commands.Exchange.Declare(exchange="e", passive=True), commands.Exchange.DeclareOk)
    exchange = world.broker.vhosts["/"].exchanges["e"]
    assert (exchange.kind, exchange.durable, exchange.internal, exchange.auto_delete) == ("headers", True, True, False)


def test_a_headers_exchange_compares_the_header_table(peer: AmqpPeer) -> None:
    peer.queue("q")
    peer.send(commands.Queue.Bind(queue="q", exchange="amq.headers", arguments={"x-match": "all", "colour": "red"}))
    peer.publish("amq.headers", "", b"red", headers={"colour": "red", "size": 1})
    peer.publish("amq.headers", "", b"blue", headers={"colour": "blue"})
    peer.publish("amq.headers", "", b"none")
    assert bodies(peer.consume("q")) == [b"red"]


def test_an_exchange_bound_to_an_exchange_passes_messages_on(peer: AmqpPeer) -> None:
    peer.send(commands.Exchange.Declare(exchange="e", exchange_type="fanout"))
    peer.call(commands.Exchange.Bind(destination="e", source="amq.topic", routing_key="a.*"), commands.Exchange.BindOk)
    peer.queue("q")
    peer.send(commands.Queue.Bind(queue="q", exchange="e"))
    peer.publish("amq.topic", "a.b", b"1")
    peer.call(
        commands.Exchange.Unbind(destination="e", source="amq.topic", routing_key="a.*"), commands.Exchange.UnbindOk
    )
    peer.publish("amq.topic", "a.b", b"2")
    (message,) = peer.consume("q")
    assert (message.body, message.method.exchange, message.method.routing_key) == (b"1", "amq.topic", "a.b")


def test_a_publish_follows_an_exchange_that_was_made_anew(peer: AmqpPeer) -> None:
    """The machine remembers exchanges, and must not remember one that is gone."""
    peer.queue("q")
    for body in (b"1", b"2"):
        peer.send(commands.Exchange.Declare(exchange="e", exchange_type="fanout"))
        peer.send(commands.Queue.Bind(queue="q", exchange="e"))
        assert peer.send(message_frames("e", "k", body)) == []
        peer.send(commands.Exchange.Delete(exchange="e"))
    assert bodies(peer.consume("q")) == [b"1", b"2"]
    (close,) = peer.send(message_frames("e", "k", b"3"))
    assert (close.reply_code, close.reply_text) == (404, "NOT_FOUND - no exchange 'e' in vhost '/'")


def test_an_exclusive_queue_can_be_declared_again_by_its_owner(peer: AmqpPeer) -> None:
    assert [peer.queue("q", exclusive=True), peer.queue("q", exclusive=True, durable=True)] == ["q", "q"]


def test_an_auto_delete_queue_goes_with_its_last_consumer(world: World, peer: AmqpPeer) -> None:
    peer.queue("q", auto_delete=True)
    peer.consume("q", "a")
    peer.consume("q", "b")
    peer.send(commands.Basic.Cancel(consumer_tag="a"))
    assert peer.counts("q") == (0, 1)
    peer.send(commands.Channel.Close(200, "", 0, 0))
    assert "q" not in world.broker.vhosts["/"].queues
