"""Reply codes: what each mistake is answered with, in RabbitMQ's words, and what it closes."""

from pamqp import commands

from core.model.errors import BROKER_ERRORS
from protocols.amqp.connection import AmqpConnection
from protocols.amqp.errors import CODES, NAMES, from_broker, reply_text
from tests.protocols.amqp.peer import PROTOCOL_HEADER, AmqpPeer, closed, joined
from tests.protocols.world import World

Queue, Exchange, Basic = commands.Queue, commands.Exchange, commands.Basic


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
