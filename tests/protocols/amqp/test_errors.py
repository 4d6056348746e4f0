"""Reply codes: what each mistake is answered with, in RabbitMQ's words, and what it closes."""

from typing import Any, Final

import pytest
from pamqp import commands

from core.model.errors import BROKER_ERRORS
from protocols.amqp.connection import AmqpConnection
from protocols.amqp.errors import CODES, NAMES, SOFT, from_broker, reply_text
from tests.protocols.amqp.peer import PROTOCOL_HEADER, AmqpPeer, closed, content_header, joined, message_frames, method
from tests.protocols.world import World

Queue, Exchange, Basic = commands.Queue, commands.Exchange, commands.Basic
PUBLISH: Final = method(Basic.Publish(routing_key="q"))


def test_every_error_of_the_core_has_a_code() -> None:
    assert set(CODES) == set(BROKER_ERRORS)
    for kind in BROKER_ERRORS:
        error = from_broker(kind("why"))
        assert error.code in NAMES
        assert error.text == "why"


def test_a_reply_text_fits_into_a_short_string() -> None:
    text = reply_text(404, "ä" * 200)
    assert text.startswith("NOT_FOUND - ää")
    assert text.endswith("ä...")
    assert 252 <= len(text.encode()) <= 255


@pytest.fixture
def peer() -> AmqpPeer:
    """A client with the queue `q`, which is its channel's current one, and a message in it."""
    peer = AmqpPeer(World())
    peer.queue("q", arguments={"x-max-length": 5})
    peer.publish("", "q", b"x")
    return peer


# What is sent, and code, text, class and method of the channel.close.
SOFT_MISTAKES: Final[dict[str, tuple[list[Any], int, str, int, int]]] = {
    "a queue that is not there": (
        [Queue.Declare(queue="never", passive=True)], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 50, 10,
    ),
    "an exchange that is not there": (
        [Exchange.Declare(exchange="never", passive=True)], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 40, 10,
    ),
    "publish to an exchange that is not there": (
        [message_frames("never", "k", b"x")], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 60, 40,
    ),
    "consume from a queue that is not there": (
        [Basic.Consume(queue="never")], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 60, 20,
    ),
    "an empty name of a passive declare": (
        [Queue.Declare(queue="", passive=True)], 404, "NOT_FOUND - no queue '' in vhost '/'", 50, 10,
    ),
    "a reserved queue name": (
        [Queue.Declare(queue="amq.mine")], 403,
        "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", 50, 10,
    ),
    "a reserved exchange name": (
        [Exchange.Declare(exchange="amq.mine")], 403,
        "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'", 40, 10,
    ),
    "bind to the default exchange": (
        [Queue.Bind(queue="q", exchange="", routing_key="k")], 403,
        "ACCESS_REFUSED - operation not permitted on the default exchange", 50, 20,
    ),
    "delete a predeclared exchange": (
        [Exchange.Delete(exchange="amq.topic")], 403,
        "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed", 40, 20,
    ),
    "publish to an internal exchange": (
        [message_frames("amq.rabbitmq.trace", "k", b"x")], 403,
        "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'", 60, 40,
    ),
    "consume beside an exclusive consumer": (
        [Basic.Consume(queue="q", exclusive=True), Basic.Consume(queue="q")], 403,
        "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", 60, 20,
    ),
    "declare a queue as exclusive that is not": (
        [Queue.Declare(queue="q", exclusive=True)], 405,
        ("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally "
        "declared on another connection or the exclusive property value does not match that of the original declaration."),
        50, 10,
    ),
    "declare a queue with another property": (
        [Queue.Declare(queue="q", durable=True, arguments={"x-max-length": 5})], 406,
        ("PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': "
        "received 'true' but current is 'false'"), 50, 10,
    ),
    "declare a queue with another argument": (
        [Queue.Declare(queue="q", arguments={"x-max-length": 6})], 406,
        ("PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': "
        "received '6' but current is '5'"), 50, 10,
    ),
    "an unknown delivery mode": (
        [PUBLISH, content_header(1, delivery_mode=2).replace(b"\x10\x00\x02", b"\x10\x00\x03")], 406,
        "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}", 60, 40,
    ),
    "an unknown queue mode": (
        [Queue.Declare(queue="n", arguments={"x-queue-mode": "odd"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'n' in vhost '/': \"unsupported queue mode 'odd'\"",
        50, 10,
    ),
    "an unknown queue version": (
        [Queue.Declare(queue="n", arguments={"x-queue-version": 3})], 406,
        ("PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'n' in vhost '/': "
        "\"unsupported queue version '3'\""), 50, 10,
    ),
    "a negative length": (
        [Queue.Declare(queue="n", arguments={"x-max-length": -1})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'n' in vhost '/': {value_negative,-1}", 50, 10,
    ),
    "a length that is no number": (
        [Queue.Declare(queue="n", arguments={"x-max-length-bytes": "a"})], 406,
        ("PRECONDITION_FAILED - invalid arg 'x-max-length-bytes' for queue 'n' in vhost '/': "
        '"expected integer, got longstr"'), 50, 10,
    ),
    "a length that is a boolean": (
        [Queue.Declare(queue="n", arguments={"x-max-length": True})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'n' in vhost '/': \"expected integer, got bool\"",
        50, 10,
    ),
    "an expiry of nothing": (
        [Queue.Declare(queue="n", arguments={"x-expires": 0})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'n' in vhost '/': {value_zero,0}", 50, 10,
    ),
    "too many priorities": (
        [Queue.Declare(queue="n", arguments={"x-max-priority": 256})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'n' in vhost '/': {max_value_exceeded,256}", 50, 10,
    ),
    "an overflow that nobody knows": (
        [Queue.Declare(queue="n", arguments={"x-overflow": "no"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'n' in vhost '/': invalid_overflow", 50, 10,
    ),
    "an overflow that is no text": (
        [Queue.Declare(queue="n", arguments={"x-overflow": 5})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'n' in vhost '/': {unacceptable_type,signedint}", 50, 10,
    ),
    "a queue type that nobody knows": (
        [Queue.Declare(queue="n", arguments={"x-queue-type": "new"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'n' in vhost '/': \"unsupported queue type 'new'\"",
        50, 10,
    ),
    "an argument of another queue type": (
        [Queue.Declare(queue="n", arguments={"x-delivery-limit": 5})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'n' in vhost '/' of queue type classic", 50, 10,
    ),
    "a priority of a consumer that is no number": (
        [Basic.Consume(queue="q", arguments={"x-priority": "a"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\"",
        60, 20,
    ),
    "an alternate exchange that is no name": (
        [Exchange.Declare(exchange="e", arguments={"alternate-exchange": 5})], 406,
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'e' in vhost '/'", 40, 10,
    ),
    "acknowledge an unknown tag": ([Basic.Ack(1)], 406, "PRECONDITION_FAILED - unknown delivery tag 1", 60, 80),
    "acknowledge tag 0": ([Basic.Ack(0)], 406, "PRECONDITION_FAILED - unknown delivery tag 0", 60, 80),
    "acknowledge all up to an unknown tag": (
        [Basic.Ack(5, True)], 406, "PRECONDITION_FAILED - unknown delivery tag 5", 60, 80,
    ),
    "nack an unknown tag": ([Basic.Nack(1)], 406, "PRECONDITION_FAILED - unknown delivery tag 1", 60, 120),
    "reject an unknown tag": ([Basic.Reject(1)], 406, "PRECONDITION_FAILED - unknown delivery tag 1", 60, 90),
    "delete a queue that is not empty": (
        [Queue.Delete(queue="q", if_empty=True)], 406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", 50, 40,
    ),
    "delete a queue that is used": (
        [Basic.Consume(queue="q", nowait=True), Queue.Delete(queue="q", if_unused=True)], 406,
        "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", 50, 40,
    ),
    "a binding argument that means nothing": (
        [Queue.Bind(queue="q", exchange="amq.headers", arguments={"x-match": "some"})], 406,
        "PRECONDITION_FAILED - Invalid x-match field value 'some'; expected all, any, all-with-x, or any-with-x", 50, 20,
    ),
    "a user id that is not one's own": (
        [message_frames("", "q", b"x", user_id="bob")], 406,
        "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'guest'", 60, 40,
    ),
    "an expiration that is no number": (
        [message_frames("", "q", b"x", expiration="soon")], 406,
        "PRECONDITION_FAILED - invalid expiration 'soon': no_integer", 60, 40,
    ),
    "a body that is too large": (
        [PUBLISH, content_header(1 << 40)], 406,
        f"PRECONDITION_FAILED - message size {1 << 40} is larger than configured max size {128 << 20}", 60, 40,
    ),
    "transactions after confirms": (
        [commands.Confirm.Select(), commands.Tx.Select()], 406,
        "PRECONDITION_FAILED - cannot switch from confirm to tx mode", 90, 10,
    ),
    "confirms after transactions": (
        [commands.Tx.Select(), commands.Confirm.Select()], 406,
        "PRECONDITION_FAILED - cannot switch from tx to confirm mode", 85, 10,
    ),
    "commit without a transaction": (
        [commands.Tx.Commit()], 406, "PRECONDITION_FAILED - channel is not transactional", 90, 20,
    ),
    "roll back without a transaction": (
        [commands.Tx.Rollback()], 406, "PRECONDITION_FAILED - channel is not transactional", 90, 30,
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SOFT_MISTAKES.values(), ids=[key.replace(" ", "-") for key in SOFT_MISTAKES])
def test_a_mistake_closes_the_channel(peer: AmqpPeer, mistake: tuple[list[Any], int, str, int, int]) -> None:
    sent, code, text, class_id, method_id = mistake
    assert closed(peer, *sent) == (
        commands.Channel.Close,
        code,
        text[:252] + "..." * (len(text) > 255),
        class_id,
        method_id,
    )
    assert code in SOFT
    # Whatever is still on its way to the channel is ignored; then the channel can be opened again.
    assert peer.send(Basic.Ack(9), message_frames("", "q", b"ignored"), Queue.Delete(queue="q")) == []
    assert peer.send(commands.Channel.CloseOk()) == []
    peer.call(commands.Channel.Open(), commands.Channel.OpenOk)
    assert peer.counts("q")[0] == 1
    assert not peer.wire.closed


# What is sent on channel 1, and code, text, class and method of the connection.close.
HARD_MISTAKES: Final[dict[str, tuple[list[Any], int, str, int, int]]] = {
    "an unknown frame type": (
        [b"\x05\x00\x01\x00\x00\x00\x00\xce"], 501, "FRAME_ERROR - type 5, all octets = <<>>: unknown_frame", 0, 0,
    ),
    "a frame that is too large": (
        [b"\x01\x00\x01\xff\xff\xff\xff"], 501,
        "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,4294967295,131064}", 0, 0,
    ),
    "a wrong frame end": (
        [b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x6e\x01\x00"], 501,
        "FRAME_ERROR - type 1, all octets = <<0,60,0,110,1>>: {invalid_frame_end_marker,0}", 0, 0,
    ),
    "a method without its ids": (
        [b"\x01\x00\x01\x00\x00\x00\x03\x00\x3c\x00\xce"], 501,
        "FRAME_ERROR - type 1, all octets = <<0,60,0>>: unknown_frame", 0, 0,
    ),
    "a method that is cut": (
        [b"\x01\x00\x01\x00\x00\x00\x06\x00\x3c\x00\x0a\x01\x01\xce"], 501,
        "FRAME_ERROR - method ends before its arguments do", 60, 10,
    ),
    "a method that goes on": (
        [b"\x01\x00\x01\x00\x00\x00\x06\x00\x3c\x00\x6e\x01\x01\xce"], 501,
        "FRAME_ERROR - method goes on behind its arguments", 60, 110,
    ),
    "a name that is not UTF-8": (
        [b"\x01\x00\x01\x00\x00\x00\x0e\x00\x32\x00\x0a\x00\x00\x02\xc3\x28\x00\x00\x00\x00\x00\xce"], 501,
        "FRAME_ERROR - Malformed UTF-8 in shortstr", 50, 10,
    ),
    "a body that goes on": (
        [PUBLISH, content_header(1), b"\x03\x00\x01\x00\x00\x00\x02ab\xce"], 501,
        "FRAME_ERROR - body goes on 1 bytes behind its announced size", 60, 40,
    ),
    "a table that is none": (
        [b"\x01\x00\x01\x00\x00\x00\x12\x00\x32\x00\x0a\x00\x00\x01n\x00\x00\x00\x00\x05\x01aZ\x00\x00\xce"], 502,
        "SYNTAX_ERROR - unknown type 90 in a table", 50, 10,
    ),
    "a method that only the broker sends": (
        [Queue.DeclareOk("q", 0, 0)], 503, "COMMAND_INVALID - unimplemented method", 50, 11,
    ),
    "a method that nobody knows": (
        [b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x4d\xce"], 503, "COMMAND_INVALID - unimplemented method", 60, 77,
    ),
    "a close-ok that nobody waits for": (
        [commands.Channel.CloseOk()], 503, "COMMAND_INVALID - unimplemented method", 20, 41,
    ),
    "a method of the connection on a channel": (
        [commands.Connection.Open("/")], 503, "COMMAND_INVALID - unimplemented method", 10, 40,
    ),
    "a second channel.open": ([commands.Channel.Open()], 504, "CHANNEL_ERROR - second 'channel.open' seen", 20, 10),
    "a channel that is not open": (
        [method(Basic.Qos(), 7)], 504, "CHANNEL_ERROR - expected 'channel.open'", 60, 10,
    ),
    "a method of a channel on channel 0": (
        [method(Basic.Qos(), 0)], 504, "CHANNEL_ERROR - unexpected method in connection state running", 60, 10,
    ),
    "a second login": (
        [method(commands.Connection.StartOk({}, "PLAIN", "\0a\0b", "en_US"), 0)], 504,
        "CHANNEL_ERROR - unexpected method in connection state running", 10, 11,
    ),
    "a content header without a method": (
        [content_header(1)], 505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0, 0,
    ),
    "a body without a method": (
        [b"\x03\x00\x01\x00\x00\x00\x01x\xce"], 505,
        "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0, 0,
    ),
    "content on a channel that is not open": (
        [content_header(1, 7)], 505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0, 0,
    ),
    "a method in place of a content header": (
        [PUBLISH, Basic.Qos()], 505,
        "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead", 60, 40,
    ),
    "a method in place of a body": (
        [PUBLISH, content_header(1), Basic.Qos()], 505,
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead", 60, 40,
    ),
    "a content header in place of a body": (
        [PUBLISH, content_header(1), content_header(1)], 505,
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead", 60, 40,
    ),
    "a content header of another class": (
        [PUBLISH, b"\x02\x00\x01\x00\x00\x00\x0e\x00\x32" + bytes(12) + b"\xce"], 505,
        "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead", 60, 40,
    ),
    "a heartbeat on a channel": (
        [b"\x08\x00\x01\x00\x00\x00\x00\xce"], 505, "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0, 0,
    ),
    "a consumer tag that is in use": (
        [Basic.Consume(queue="q", consumer_tag="t"), Basic.Consume(queue="q", consumer_tag="t")], 530,
        "NOT_ALLOWED - attempt to reuse consumer tag 't'", 60, 20,
    ),
    "an unknown exchange type, even of an exchange that is there": (
        [Exchange.Declare(exchange="amq.direct", exchange_type="nonsense")], 503,
        "COMMAND_INVALID - unknown exchange type 'nonsense'", 40, 10,
    ),
    "immediate": (
        [Basic.Publish(routing_key="q", immediate=True)], 540, "NOT_IMPLEMENTED - immediate=true", 60, 40,
    ),
    "a prefetch in bytes": (
        [Basic.Qos(prefetch_size=5)], 540, "NOT_IMPLEMENTED - prefetch_size!=0 (5)", 60, 10,
    ),
    "recover without requeue": (
        [Basic.Recover(requeue=False)], 540, "NOT_IMPLEMENTED - requeue=false", 60, 110,
    ),
    "flow that stops": ([commands.Channel.Flow(active=False)], 540, "NOT_IMPLEMENTED - active=false", 20, 20),
    "a time to live of a queue's messages": (
        [Queue.Declare(queue="n", arguments={"x-message-ttl": 5})], 540,
        "NOT_IMPLEMENTED - arg 'x-message-ttl' for queue 'n' in vhost '/' is not supported", 50, 10,
    ),
    "a quorum queue": (
        [Queue.Declare(queue="n", arguments={"x-queue-type": "quorum"})], 540,
        "NOT_IMPLEMENTED - arg 'x-queue-type: quorum' for queue 'n' in vhost '/' is not supported", 50, 10,
    ),
    "dead lettering on overflow": (
        [Queue.Declare(queue="n", arguments={"x-overflow": "reject-publish-dlx"})], 540,
        "NOT_IMPLEMENTED - arg 'x-overflow: reject-publish-dlx' for queue 'n' in vhost '/' is not supported", 50, 10,
    ),
    "an alternate exchange": (
        [Exchange.Declare(exchange="e", arguments={"alternate-exchange": "x"})], 540,
        "NOT_IMPLEMENTED - arg 'alternate-exchange' for exchange 'e' in vhost '/' is not supported", 40, 10,
    ),
    "a priority of a consumer": (
        [Basic.Consume(queue="q", arguments={"x-priority": 1})], 540,
        "NOT_IMPLEMENTED - arg 'x-priority' for queue 'q' in vhost '/' is not supported", 60, 20,
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", HARD_MISTAKES.values(), ids=[key.replace(" ", "-") for key in HARD_MISTAKES])
def test_a_mistake_closes_the_connection(peer: AmqpPeer, mistake: tuple[list[Any], int, str, int, int]) -> None:
    sent, code, text, class_id, method_id = mistake
    assert closed(peer, *sent) == (commands.Connection.Close, code, text, class_id, method_id)
    assert code not in SOFT
    peer.send(commands.Connection.CloseOk(), channel=0)
    assert peer.wire.ended
    assert AmqpPeer(peer.wire.world).counts("q") == (1, 0)


def test_an_oversized_frame_before_login_closes_the_connection() -> None:
    world = World()
    wire = world.connect(AmqpConnection)
    wire.send(PROTOCOL_HEADER)
    (close,) = joined(wire.send(b"\x01\x00\x00\x00\x00\x20\x01"))
    assert isinstance(close, commands.Connection.Close)
    assert close.reply_code == 501
    assert close.reply_text == "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,8193,8184}"


def test_no_previously_declared_queue() -> None:
    peer = AmqpPeer(World())
    assert closed(peer, Queue.Purge(queue="")) == (
        commands.Channel.Close, 404, "NOT_FOUND - no previously declared queue", 50, 30,
    )  # fmt: skip
