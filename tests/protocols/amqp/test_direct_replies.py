"""Direct reply-to: answers past any queue (RabbitMQ "Direct Reply-to")."""

from typing import Final

import pytest
from pamqp import commands

from protocols.connection import DIRECT_LIMIT_BYTES
from tests.protocols.amqp.peer import AmqpPeer, bodies, closed, deliveries, message_frames
from tests.protocols.stomp.peer import StompPeer
from tests.protocols.world import World

Basic, Queue = commands.Basic, commands.Queue
REPLY_TO: Final = "amq.rabbitmq.reply-to"


@pytest.fixture
def world() -> World:
    return World()


def requester(world: World, tag: str = "answers") -> AmqpPeer:
    """Return a client that consumes answers on channel 1."""
    peer = AmqpPeer(world)
    assert peer.consume(REPLY_TO, tag, no_ack=True) == []
    return peer


def asked(peer: AmqpPeer, server: AmqpPeer) -> str:
    """Send a request by `peer` to the queue `requests` of `server` and return where its answer goes."""
    server.queue("requests")
    assert peer.publish("", "requests", b"?", reply_to=REPLY_TO, correlation_id="1", headers={"BCC": ["no"]}) == []
    request = server.get("requests")
    assert request is not None
    assert request.properties.correlation_id == "1"
    assert request.properties.headers == {}
    return str(request.properties.reply_to)


def test_a_request_is_answered(world: World) -> None:
    peer, server = requester(world), AmqpPeer(world)
    key = asked(peer, server)
    assert key.startswith(f"{REPLY_TO}.")
    assert server.publish("", key, b"!", mandatory=True, correlation_id="1", reply_to="me") == []
    (answer,) = deliveries(peer.take())
    assert (answer.method.consumer_tag, answer.method.routing_key, answer.method.exchange) == ("answers", key, "")
    assert not answer.method.redelivered
    assert (answer.body, answer.properties.correlation_id, answer.properties.reply_to) == (b"!", "1", "me")


def test_each_channel_has_a_key_of_its_own(world: World) -> None:
    peer, server = requester(world), AmqpPeer(world)
    other = requester(world)
    keys = {asked(peer, server), asked(peer, server), asked(other, server)}
    assert len(keys) == 2


def test_an_answer_may_ask_again(world: World) -> None:
    peer = requester(world)
    key = asked(peer, AmqpPeer(world))
    (answer,) = deliveries(peer.publish("", key, b"to myself", reply_to=REPLY_TO))
    assert answer.properties.reply_to == key


def test_the_same_request_again_has_the_same_key(world: World) -> None:
    peer, server = requester(world), AmqpPeer(world)
    server.queue("requests")
    for _ in range(2):
        peer.publish("", "requests", b"?", reply_to=REPLY_TO)
    first, second = server.get("requests"), server.get("requests")
    assert first is not None
    assert second is not None
    assert first.properties.reply_to == second.properties.reply_to != REPLY_TO


def test_an_answer_may_come_by_another_protocol(world: World) -> None:
    peer, server = requester(world), AmqpPeer(world)
    key = asked(peer, server)
    stomp = StompPeer(world)
    stomp.say("SEND", {"destination": f"/reply-queue/{key}"}, b"from STOMP")
    assert bodies(peer.take()) == [b"from STOMP"]


def test_a_request_without_a_consumer_of_answers_is_refused(world: World) -> None:
    peer = AmqpPeer(world)
    assert closed(peer, message_frames("amq.fanout", "", b"?", reply_to=REPLY_TO)) == (
        commands.Channel.Close, 406, "PRECONDITION_FAILED - fast reply consumer does not exist", 60, 40,
    )  # fmt: skip


def test_a_reply_consumer_cannot_acknowledge(world: World) -> None:
    assert closed(AmqpPeer(world), Basic.Consume(queue=REPLY_TO)) == (
        commands.Channel.Close, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", 60, 20,
    )  # fmt: skip


def test_a_channel_has_one_reply_consumer(world: World) -> None:
    assert closed(requester(world), Basic.Consume(queue=REPLY_TO, no_ack=True)) == (
        commands.Channel.Close, 406, "PRECONDITION_FAILED - reply consumer already set", 60, 20,
    )  # fmt: skip


def test_a_tag_that_is_in_use_is_refused(world: World) -> None:
    peer = AmqpPeer(world)
    peer.consume(peer.queue("q"), "t")
    assert closed(peer, Basic.Consume(queue=REPLY_TO, consumer_tag="t", no_ack=True))[:3] == (
        commands.Connection.Close, 530, "NOT_ALLOWED - attempt to reuse consumer tag 't'",
    )  # fmt: skip


def test_the_pseudo_queue_and_a_present_requester_can_be_looked_for(world: World) -> None:
    peer, server = requester(world), AmqpPeer(world)
    key = asked(peer, server)
    for name in (REPLY_TO, key):
        assert server.counts(name) == (0, 1)
        answer = server.call(Queue.Declare(queue=name), Queue.DeclareOk)
        assert (answer.queue, answer.message_count, answer.consumer_count) == (name, 0, 1)


@pytest.mark.parametrize("name", [f"{REPLY_TO}.never", f"{REPLY_TO}s"])
@pytest.mark.parametrize("passive", [True, False])
def test_a_requester_that_never_was_is_not_found(world: World, name: str, passive: bool) -> None:
    text = f"NOT_FOUND - no queue '{name}' in vhost '/'"
    answer = closed(AmqpPeer(world), Queue.Declare(queue=name, passive=passive))
    assert answer == (commands.Channel.Close, 404, text, 50, 10)


@pytest.mark.parametrize("end", ["cancel", "channel", "connection", "error"])
def test_a_requester_that_has_gone_cannot_be_answered(world: World, end: str) -> None:
    peer, server = requester(world), AmqpPeer(world)
    key = asked(peer, server)
    match end:
        case "cancel":
            assert peer.call(Basic.Cancel("answers"), Basic.CancelOk).consumer_tag == "answers"
        case "channel":
            peer.call(commands.Channel.Close(200, "", 0, 0), commands.Channel.CloseOk)
        case "connection":
            peer.wire.hang_up()
        case _:
            closed(peer, Basic.Ack(1))
    (returned,) = server.publish("", key, b"!", mandatory=True)
    assert isinstance(returned.method, Basic.Return)
    assert (returned.method.reply_code, returned.method.routing_key) == (312, key)
    assert closed(server, Queue.Declare(queue=key, passive=True))[1] == 404
    assert peer.take() == []
    assert not world.broker.vhosts["/"].default_exchange.bindings.keys() - {
        binding.identity
        for binding in world.broker.vhosts["/"].default_exchange.bindings.values()
        if binding.key == "requests"
    }


def test_after_a_cancel_there_may_be_another(world: World) -> None:
    peer = requester(world)
    peer.call(Basic.Cancel("answers"), Basic.CancelOk)
    assert peer.consume(REPLY_TO, "again", no_ack=True) == []


@pytest.mark.parametrize(
    ("sent", "class_id", "method_id"),
    [
        (Basic.Get(queue=REPLY_TO), 60, 70),
        (Queue.Purge(queue=REPLY_TO), 50, 30),
        (Queue.Bind(queue=REPLY_TO, exchange="amq.direct", routing_key="k"), 50, 20),
    ],
)
def test_it_is_no_queue(world: World, sent: commands.Basic.Get, class_id: int, method_id: int) -> None:
    text = f"NOT_FOUND - no queue '{REPLY_TO}' in vhost '/'"
    assert closed(requester(world), sent) == (commands.Channel.Close, 404, text, class_id, method_id)


def test_answers_that_are_not_read_are_dropped_and_counted(world: World) -> None:
    peer, server = requester(world), AmqpPeer(world)
    key = asked(peer, server)
    peer.wire.connection.output_bytes = DIRECT_LIMIT_BYTES + 1  # as if the kernel took nothing
    server.wire.connection.receive(message_frames("", key, b"!"))
    assert world.broker.counters.dropped["slow_subscriber"] == 1
