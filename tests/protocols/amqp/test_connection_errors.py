"""Mistakes that close a connection: code, words, class and method id are RabbitMQ's (AMQP 0-9-1 §1.2)."""

from typing import Any, Final

import pytest
from pamqp import commands

from protocols.amqp.errors import SOFT
from tests.protocols.amqp.peer import AmqpPeer, a_peer_with_a_message, closed, content_header, method

Queue, Exchange, Basic = commands.Queue, commands.Exchange, commands.Basic
PUBLISH: Final = method(Basic.Publish(routing_key="q"))


@pytest.fixture
def peer() -> AmqpPeer:
    """A client with the queue `q`, which is its channel's current one, and a message in it."""
    return a_peer_with_a_message()


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
    "an answer that the broker gives": (
        [Basic.CancelOk("t")], 503, "COMMAND_INVALID - unimplemented method", 60, 31,
    ),
    "an answer to what was never asked": (
        [commands.Channel.FlowOk(True)], 503, "COMMAND_INVALID - unimplemented method", 20, 21,
    ),
    "a delivery from a client": (
        [Basic.Deliver("t", 1, False, "", "k")], 503, "COMMAND_INVALID - unimplemented method", 60, 60,
    ),
    "recover without requeue or answer": (
        [b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x64\x00\xce"], 540, "NOT_IMPLEMENTED - requeue=false", 60, 100,
    ),
    "immediate, to an exchange that is not there": (
        [Basic.Publish(exchange="never", immediate=True)], 540, "NOT_IMPLEMENTED - immediate=true", 60, 40,
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
