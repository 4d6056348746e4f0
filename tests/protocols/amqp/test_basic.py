"""Class basic and class confirm: publishing, consuming, fetching, settling."""

from typing import Any, Final

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, Delivered, bodies, filled, message_frames, method, tags
from tests.protocols.world import World

Basic = commands.Basic
RECOVER_ASYNC: Final = b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x64\x01\xce"  # deprecated, so pamqp warns of it


# Delivering


def test_a_message_arrives_as_it_was_published(peer: AmqpPeer) -> None:
    assert peer.consume("q") == []
    said: dict[str, Any] = {
        "content_type": "text/plain",
        "headers": {"n": 1, "t": True, "nested": {"list": [1, "two", None]}},
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "expiration": "60000",
        "message_id": "m",
        "message_type": "t",
        "user_id": "guest",
        "app_id": "a",
    }
    (message,) = peer.publish("", "q", b"body", **said)
    assert isinstance(message, Delivered)
    method = message.method
    assert (method.consumer_tag, method.delivery_tag, method.redelivered) == ("tag", 1, False)
    assert (method.exchange, method.routing_key, message.body) == ("", "q", b"body")
    assert {name: getattr(message.properties, name) for name in said} == said


@pytest.mark.parametrize("size", [0, 1, 4_087, 4_088, 4_089, 8_176, 8_177, 100_000])
@pytest.mark.parametrize("frame_max", [4_096, 131_072])
def test_a_body_is_cut_into_frames_as_negotiated(world: World, size: int, frame_max: int) -> None:
    sender, receiver = AmqpPeer(world), AmqpPeer(world, frame_max=frame_max)
    receiver.queue("q")
    receiver.send(Basic.Consume(queue="q", consumer_tag="t"))
    body = bytes(number * 7 & 0xFF for number in range(size))
    sender.wire.send(message_frames("", "q", body, piece_bytes=1_000))
    data = receiver.wire.take()
    at, largest = 0, 0
    while at < len(data):
        length = 8 + int.from_bytes(data[at + 3 : at + 7], "big")
        largest = max(largest, length)
        at += length
    assert largest <= frame_max
    sender.wire.send(message_frames("", "q", body, piece_bytes=100_000))
    (message,) = receiver.take()
    assert message.body == body


def test_a_header_table_that_fits_no_frame_of_the_consumer_is_left_out(world: World) -> None:
    sender, receiver = AmqpPeer(world), AmqpPeer(world, frame_max=4_096)
    receiver.queue("q")
    receiver.consume("q")
    sender.publish("", "q", b"x", headers={"large": "x" * 5_000}, content_type="text/plain")
    (message,) = receiver.take()
    assert (message.body, message.properties.headers) == (b"x", None)
    assert message.properties.content_type == "text/plain"
    assert world.broker.counters.lost == {"headers_too_large": 1}


def test_channels_may_send_their_frames_in_turns(peer: AmqpPeer) -> None:
    peer.send(commands.Channel.Open(), channel=2)
    one, two = message_frames("", "q", b"one", 1, piece_bytes=1), message_frames("", "q", b"two", 2, piece_bytes=1)
    frames: list[bytes] = []
    for data in (one, two):
        while data:
            size = 8 + int.from_bytes(data[3:7], "big")
            frames.append(data[:size])
            data = data[size:]
    half = len(frames) // 2
    peer.wire.send(b"".join([frame for pair in zip(frames[:half], frames[half:], strict=True) for frame in pair]))
    assert bodies(peer.consume("q")) == [b"one", b"two"]


def test_unfinished_messages_have_a_limit_for_the_connection(world: World) -> None:
    world.broker.message_limit_bytes = 100
    peer = AmqpPeer(world)
    for number in range(2, 5):
        peer.send(commands.Channel.Open(), channel=number)
    half = message_frames("", "q", b"x" * 100, 1, piece_bytes=90)[:-18]
    for number in (1, 2):
        assert peer.send(half.replace(b"\x00\x01\x00\x00", number.to_bytes(2, "big") + b"\x00\x00")) == []
    (close,) = peer.send(half.replace(b"\x00\x01\x00\x00", b"\x00\x03\x00\x00"))
    assert (close.reply_code, type(close)) == (506, commands.Connection.Close)


def test_consumers_of_a_queue_take_turns(peer: AmqpPeer) -> None:
    peer.consume("q", "a")
    peer.consume("q", "b")
    filled_by = AmqpPeer(peer.wire.world)
    for number in range(4):
        filled_by.publish("", "q", b"%d" % number)
    assert [item.method.consumer_tag for item in peer.take()] == ["a", "b", "a", "b"]


def test_without_acknowledgements_messages_are_gone_when_delivered(peer: AmqpPeer) -> None:
    filled(peer, 2)
    assert tags(peer.consume("q", no_ack=True)) == [1, 2]
    peer.wire.hang_up()
    assert AmqpPeer(peer.wire.world).counts("q") == (0, 0)


def test_a_consumer_tag_is_made_where_there_is_none(peer: AmqpPeer) -> None:
    (answer,) = peer.send(Basic.Consume(queue="q", consumer_tag=""))
    assert answer.consumer_tag == "amq.ctag-unique-1"


def test_a_cancelled_consumer_gets_nothing_more_and_keeps_what_it_has(peer: AmqpPeer) -> None:
    filled(peer, 1)
    peer.consume("q")
    assert peer.call(Basic.Cancel(consumer_tag="tag"), Basic.CancelOk).consumer_tag == "tag"
    filled(peer, 1)
    assert peer.counts("q") == (1, 0)
    assert peer.send(Basic.Ack(1)) == []


def test_a_consumer_learns_that_its_queue_is_gone(world: World, peer: AmqpPeer) -> None:
    other = AmqpPeer(world)
    peer.consume("q", "mine")
    other.send(commands.Queue.Delete(queue="q"))
    (cancel,) = peer.take()
    assert (type(cancel), cancel.consumer_tag, cancel.nowait) == (Basic.Cancel, "mine", True)
    peer.queue("q")
    assert peer.consume("q", "mine") == []


# Fetching


def test_get_takes_one_message_and_says_how_many_are_left(peer: AmqpPeer) -> None:
    assert [type(item) for item in peer.send(Basic.Get(queue="q"))] == [Basic.GetEmpty]
    filled(peer, 2)
    (message,) = peer.send(Basic.Get(queue="q"))
    assert (message.body, message.method.delivery_tag, message.method.message_count) == (b"0", 1, 1)
    assert (message.method.exchange, message.method.routing_key) == ("", "q")
    assert peer.send(Basic.Ack(1)) == []
    (message,) = peer.send(Basic.Get(queue="q", no_ack=True))
    assert (message.body, message.method.delivery_tag, message.method.message_count) == (b"1", 2, 0)


# Settling


def test_acknowledged_messages_do_not_come_back(peer: AmqpPeer) -> None:
    filled(peer, 3)
    peer.consume("q")
    assert peer.send(Basic.Ack(2)) == []
    peer.wire.hang_up()
    again = AmqpPeer(peer.wire.world).consume("q")
    assert [(item.body, item.method.redelivered) for item in again] == [(b"0", True), (b"2", True)]


@pytest.mark.parametrize(("tag", "left"), [(3, [b"3", b"4"]), (0, [])])
def test_one_acknowledgement_settles_all_up_to_it(peer: AmqpPeer, tag: int, left: list[bytes]) -> None:
    filled(peer, 5)
    peer.consume("q")
    assert peer.send(Basic.Ack(tag, True)) == []
    peer.wire.hang_up()
    assert bodies(AmqpPeer(peer.wire.world).consume("q")) == left


def test_a_wrong_tag_settles_nothing(peer: AmqpPeer) -> None:
    filled(peer, 2)
    peer.consume("q")
    (close,) = peer.send(Basic.Ack(9, True))
    assert close.reply_code == 406
    assert peer.wire.outlet.notes[-1][0] == "channel closed"
    assert bodies(AmqpPeer(peer.wire.world).consume("q")) == [b"0", b"1"]


@pytest.mark.parametrize(
    "settle",
    [Basic.Nack(1, False, True), Basic.Nack(2, True, True), Basic.Reject(1, True)],
    ids=["nack", "all", "reject"],
)
def test_requeued_messages_come_back_in_their_place(peer: AmqpPeer, settle: Any) -> None:
    filled(peer, 2)
    peer.send(Basic.Qos(prefetch_count=2))
    peer.consume("q")
    received = peer.send(settle)
    expected = [b"0", b"1"] if getattr(settle, "multiple", False) else [b"0"]
    assert [(item.body, item.method.redelivered) for item in received] == [(body, True) for body in expected]


@pytest.mark.parametrize("settle", [Basic.Nack(1, False, False), Basic.Reject(1, False)], ids=["nack", "reject"])
def test_discarded_messages_are_gone(peer: AmqpPeer, settle: Any) -> None:
    filled(peer, 2)
    peer.consume("q")
    assert peer.send(settle) == []
    assert peer.wire.world.broker.counters.dropped == {"rejected": 1}
    peer.wire.hang_up()
    assert bodies(AmqpPeer(peer.wire.world).consume("q")) == [b"1"]


@pytest.mark.parametrize(("recover", "answers"), [(Basic.Recover(True), [Basic.RecoverOk]), (RECOVER_ASYNC, [])])
def test_recover_gives_everything_again(peer: AmqpPeer, recover: Any, answers: list[type]) -> None:
    filled(peer, 2)
    peer.consume("q")
    received = peer.send(recover)
    assert [type(item) for item in received[: len(answers)]] == answers
    assert [(item.body, item.method.redelivered) for item in received[len(answers) :]] == [(b"0", True), (b"1", True)]


# Time to live


def test_an_expired_message_is_not_delivered(world: World, peer: AmqpPeer) -> None:
    peer.publish("", "q", b"short", expiration="5000")
    peer.publish("", "q", b"long", expiration="50000")
    world.advance(6)
    assert bodies(peer.consume("q")) == [b"long"]


def test_a_message_without_time_is_delivered_at_once_or_never(world: World, peer: AmqpPeer) -> None:
    world.advance(1)
    peer.consume("q")
    assert bodies(peer.publish("", "q", b"now", expiration="0")) == [b"now"]
    peer.send(Basic.Cancel(consumer_tag="tag"))
    peer.publish("", "q", b"never", expiration="0")
    assert peer.get("q") is None


# Returns and confirms


def test_what_nobody_wants_comes_back_before_its_confirm(peer: AmqpPeer) -> None:
    peer.send(commands.Confirm.Select())
    returned, confirm = peer.publish("amq.topic", "nowhere", b"back", mandatory=True, message_id="m")
    assert (returned.method.reply_code, returned.method.reply_text) == (312, "NO_ROUTE")
    assert (returned.method.exchange, returned.method.routing_key) == ("amq.topic", "nowhere")
    assert (returned.body, returned.properties.message_id) == (b"back", "m")
    assert (type(confirm), confirm.delivery_tag) == (Basic.Ack, 1)


def test_what_nobody_wants_is_confirmed_where_it_is_not_mandatory(peer: AmqpPeer) -> None:
    peer.send(commands.Confirm.Select())
    assert [type(item) for item in peer.publish("amq.topic", "nowhere", b"x")] == [Basic.Ack]


def test_a_mandatory_message_that_is_wanted_does_not_come_back(peer: AmqpPeer) -> None:
    assert peer.publish("", "q", b"x", mandatory=True) == []


def test_confirms_of_one_batch_are_one_frame(peer: AmqpPeer) -> None:
    peer.send(commands.Confirm.Select())
    batch = message_frames("", "q", b"x") * 64
    for number in (64, 128):
        (confirm,) = peer.send(batch)
        assert (type(confirm), confirm.delivery_tag, confirm.multiple) == (Basic.Ack, number, True)
    (confirm,) = peer.publish("", "q", b"x")
    assert (confirm.delivery_tag, confirm.multiple) == (129, False)


def test_confirms_are_counted_for_each_channel(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"before")
    peer.send(commands.Confirm.Select())
    peer.send(commands.Channel.Open(), channel=2)
    peer.send(commands.Confirm.Select(), channel=2)
    data = message_frames("", "q", b"x", 1) + message_frames("", "q", b"x", 2) * 2
    assert [(item.delivery_tag, item.multiple) for item in peer.send(data)] == [(1, False), (2, True)]


def test_what_was_earned_is_confirmed_before_an_error_closes_the_channel(peer: AmqpPeer) -> None:
    peer.send(commands.Confirm.Select())
    received = peer.send(message_frames("", "q", b"x") + message_frames("never", "q", b"x"))
    assert [type(item) for item in received] == [Basic.Ack, commands.Channel.Close]


def test_a_channel_error_leaves_the_other_channels_alone(peer: AmqpPeer) -> None:
    peer.send(commands.Channel.Open(), channel=2)
    data = method(Basic.Ack(1), 1) + message_frames("", "q", b"kept", 2) + message_frames("", "q", b"ignored", 1)
    (close,) = peer.send(data)
    assert isinstance(close, commands.Channel.Close)
    assert peer.send(Basic.Get(queue="q", no_ack=True), channel=2)[0].body == b"kept"
    assert peer.send(Basic.Get(queue="q", no_ack=True), channel=2) != []


def test_closes_of_a_channel_may_cross(peer: AmqpPeer) -> None:
    peer.send(Basic.Ack(1))
    assert [type(item) for item in peer.send(commands.Channel.Close(200, "", 0, 0))] == [commands.Channel.CloseOk]
    assert peer.send(commands.Channel.CloseOk()) == []
    peer.call(commands.Channel.Open(), commands.Channel.OpenOk)


def test_closing_a_channel_gives_its_messages_back(peer: AmqpPeer) -> None:
    filled(peer, 2)
    peer.consume("q")
    peer.call(commands.Channel.Close(200, "done", 0, 0), commands.Channel.CloseOk)
    peer.call(commands.Channel.Open(), commands.Channel.OpenOk)
    received = peer.consume("q")
    assert [(item.body, item.method.delivery_tag, item.method.redelivered) for item in received] == [
        (b"0", 1, True),
        (b"1", 2, True),
    ]
