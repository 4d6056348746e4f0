"""SEND: destinations, what is remembered of heads, and what is not."""

from typing import Final

import pytest

from core.queueing.stock import REJECT_PUBLISH
from protocols.stomp.send import REMEMBERED, REMEMBERED_BYTES
from tests.protocols.stomp.peer import StompPeer, answers, bodies, frame, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_queue_is_declared_durable_by_whoever_comes_first(world: World) -> None:
    StompPeer(world).send("/queue/orders", b"x")
    queue = world.broker.vhosts["/"].queues["orders"]
    assert (queue.durable, queue.auto_delete, queue.owner) == (True, False, None)
    assert queue.ready_count == 1


def test_a_bare_name_is_a_queue(world: World) -> None:
    StompPeer(world).send("orders", b"x")
    assert world.broker.vhosts["/"].queues["orders"].ready_count == 1


def test_a_queue_takes_the_arguments_of_the_frame_that_declares_it(world: World) -> None:
    StompPeer(world).send("/queue/q", b"x", **{"x-max-length": "2", "x-overflow": "reject-publish"})
    queue = world.broker.vhosts["/"].queues["q"]
    assert queue.arguments == {"x-max-length": 2, "x-overflow": "reject-publish"}
    assert (queue.limit_entries, queue.overflow) == (2, REJECT_PUBLISH)


def test_an_argument_that_would_have_no_effect_is_refused(world: World) -> None:
    (error,) = StompPeer(world).send("/queue/q", b"x", **{"x-queue-type": "stream"})
    assert (error.command, error["message"]) == ("ERROR", "not_implemented")
    assert error.body == b"NOT_IMPLEMENTED - arg 'x-queue-type: stream' for queue 'q' in vhost '/' is not supported"
    assert "q" not in world.broker.vhosts["/"].queues


def test_a_queue_of_anybody_is_sent_to_as_it_is(world: World) -> None:
    """An AMQP client's own exclusive queue is a place to answer to."""
    other = StompPeer(world).session.client
    queue = other.declare_queue("answers", exclusive=True)
    (receipt,) = StompPeer(world).send("/queue/answers", b"x", receipt="r")
    assert receipt.command == "RECEIPT"
    assert queue.ready_count == 1


def test_a_queue_that_is_gone_is_declared_again(world: World) -> None:
    peer = StompPeer(world)
    peer.send("/queue/q", b"1")
    vhost = world.broker.vhosts["/"]
    vhost.remove_queue(vhost.queues["q"])
    peer.send("/queue/q", b"2")
    assert vhost.queues["q"].ready_count == 1


def test_an_existing_queue_must_exist(world: World) -> None:
    StompPeer(world).send("/queue/q")
    peer = StompPeer(world)
    (receipt,) = peer.send("/amq/queue/q", receipt="r")
    assert receipt.command == "RECEIPT"
    assert world.broker.vhosts["/"].queues["q"].ready_count == 2
    refused(peer.send("/amq/queue/other"), "not_found", "no queue 'other'")


def test_an_exchange_must_exist(world: World) -> None:
    refused(StompPeer(world).send("/exchange/nope/k"), "not_found", "no exchange 'nope'")


def test_an_exchange_that_is_deleted_later_is_missed(world: World) -> None:
    peer = StompPeer(world)
    vhost = world.broker.vhosts["/"]
    vhost.add_exchange("x", "fanout")
    assert peer.send("/exchange/x/k") == []
    vhost.remove_exchange(vhost.exchanges["x"])
    vhost.add_exchange("x", "fanout")
    assert peer.send("/exchange/x/k") == []
    vhost.remove_exchange(vhost.exchanges["x"])
    refused(peer.send("/exchange/x/k"), "not_found", "no exchange 'x'")


def test_a_reply_to_somebody_who_left_is_no_mistake(world: World) -> None:
    (receipt,) = StompPeer(world).send("/reply-queue/amq.gen-gone", receipt="r")
    assert receipt.command == "RECEIPT"


BAD: Final = (
    ("/nowhere/x", "Unknown destination"),
    ("/", "Unknown destination"),
    ("/queue", "Unknown destination"),
    ("/queue/", "Invalid destination"),
    ("/queue/a/b", "Invalid destination"),
    ("/queue/../../etc", "Invalid destination"),
    ("/topic/", "Invalid destination"),
    ("/exchange/", "Invalid destination"),
    ("/exchange//k", "Invalid destination"),
    ("/amq/queue/", "Invalid destination"),
    ("/temp-queue/", "Invalid destination"),
    ("/reply-queue/", "Invalid destination"),
    ("a/b", "Invalid destination"),
    ("", "Invalid destination"),
    ("/queue/%00", "Invalid destination"),
    ("/queue/%ff", "Invalid destination"),
    ("/queue/" + "x" * 256, "Invalid destination"),
    ("/topic/" + "x" * 256, "Invalid destination"),
    ("/topic/" + "." * 128, "Invalid destination"),
    ("/queue/amq.mine", "access_refused"),
)
BAD_TO_SEND_TO: Final = (
    (",".join(["/queue/a"] * 65), "Invalid destination"),
    ("/queue/a,/nowhere/b", "Unknown destination"),
    ("/queue/a,", "Invalid destination"),
    ("/exchange/amq.rabbitmq.trace/k", "access_refused"),
)


@pytest.mark.parametrize(("destination", "message"), [*BAD, *BAD_TO_SEND_TO])
def test_a_bad_destination_of_send_is_an_error(world: World, destination: str, message: str) -> None:
    peer = StompPeer(world)
    refused(peer.send(destination, receipt="r"), message)
    assert peer.closed


@pytest.mark.parametrize(("destination", "message"), BAD)
def test_a_bad_destination_of_subscribe_is_an_error(world: World, destination: str, message: str) -> None:
    peer = StompPeer(world)
    refused(peer.subscribe(destination), message)
    assert peer.closed


def test_a_list_reaches_every_place_once(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", number="t")
    peer.subscribe("/queue/a", number="a")
    messages = peer.send("/queue/a, /topic/t,/queue/b,/queue/a", b"x")
    assert {message["destination"] for message in messages} == {"/queue/a", "/topic/t"}
    assert world.broker.vhosts["/"].queues["b"].ready_count == 1


def test_a_receipt_for_a_list_comes_once(world: World) -> None:
    (receipt,) = StompPeer(world).send("/queue/a,/queue/b,/topic/c", receipt="r")
    assert (receipt.command, receipt["receipt-id"]) == ("RECEIPT", "r")


def test_a_refusal_by_a_full_queue_is_an_error_where_a_receipt_was_asked_for(world: World) -> None:
    peer = StompPeer(world)
    peer.send("/queue/q", b"1")
    queue = world.broker.vhosts["/"].queues["q"]
    queue.limit_entries, queue.overflow = 1, REJECT_PUBLISH
    assert peer.send("/queue/q", b"2") == []
    answer = peer.send("/queue/q", b"3", receipt="r")
    refused(answer, "Message refused", "full")
    assert answer[-1]["receipt-id"] == "r"
    assert len(answer) == 1


def test_the_same_head_again_is_not_read_again(world: World) -> None:
    peer, receiver = StompPeer(world), StompPeer(world)
    receiver.subscribe("/topic/t")
    data = frame("SEND", {"destination": "/topic/t", "colour": "red"}, b"1")
    peer.wire.send(data * 3 + data.replace(b"length:1\n\n1", b"length:2\n\n22") + data.replace(b"red", b"blue"))
    messages = receiver.heard()
    assert bodies(messages) == [b"1", b"1", b"1", b"22", b"1"]
    assert [message["colour"] for message in messages] == ["red"] * 4 + ["blue"]
    assert len(peer.session.sends.known) == 3
    assert len(peer.session.sends._plans) == 2


def test_heads_that_differ_in_receipt_and_length_share_what_they_say(world: World) -> None:
    peer, receiver = StompPeer(world), StompPeer(world)
    receiver.subscribe("/topic/t")
    for number in range(3):
        peer.send("/topic/t", b"x" * number, receipt=str(number), colour="red")
    assert [message["colour"] for message in receiver.heard()] == ["red"] * 3
    assert not peer.session.sends.known
    assert len(peer.session.sends._plans) == 1


def test_what_is_remembered_is_bounded(world: World) -> None:
    peer = StompPeer(world)
    for number in range(REMEMBERED + 5):
        peer.send(f"/topic/t{number}", colour="red")
    peer.send("/topic/t", colour="x" * REMEMBERED_BYTES)
    sends = peer.session.sends
    assert len(sends.known) <= REMEMBERED
    assert len(sends._plans) <= REMEMBERED
    assert len(sends._places) <= REMEMBERED
    assert all(len(head) <= REMEMBERED_BYTES for head in sends.known)


def test_the_first_of_two_lengths_counts(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t")
    data = b"SEND\ndestination:/topic/t\ncontent-length:3\ncontent-length:1\n\na\0b\0"
    assert bodies(answers(peer.wire.send(data))) == [b"a\0b"]


def test_the_body_limit_is_the_brokers(world: World) -> None:
    world.broker.message_limit_bytes = 1_000
    peer = StompPeer(world)
    assert peer.send("/queue/q", b"x" * 1_000) == []
    refused(
        answers(peer.wire.send(frame("SEND", {"destination": "/queue/q"}, b"x" * 1_001))), "Frame too large", "1000"
    )


def test_sending_makes_a_publisher(world: World) -> None:
    peer = StompPeer(world)
    assert not peer.wire.connection.publishes
    peer.send("/queue/q")
    assert peer.wire.connection.publishes


def test_every_octet_passes_unchanged(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t")
    for body in (b"", b"x", bytes(range(256)), bytes(1 << 20), b"\0" * 70_000):
        (message,) = peer.send("/topic/t", body)
        assert message.body == body
        assert message["content-length"] == str(len(body))
