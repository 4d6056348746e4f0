"""Dead letters as AMQP clients see them: a header table written anew, in which nothing else has changed."""

from typing import Any, Final

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, method
from tests.protocols.world import World

Basic, Queue = commands.Basic, commands.Queue
GET: Final = b"\x01\x00\x01\x00\x00\x00\x0c\x00\x3c\x00\x46\x00\x00\x04dead\x01\xce"

# A field of each type that RabbitMQ knows, as bytes.
FIELDS: Final = (
    b"\x01at\x01",
    b"\x01bb\xff",
    b"\x01cB\xff",
    b"\x01ds\xff\xfe",
    b"\x01eu\xff\xfe",
    b"\x01fI\x00\x00\x00\x05",
    b"\x01gi\xff\xff\xff\xff",
    b"\x01hl\x00\x00\x00\x00\x00\x00\x00\x05",
    b"\x01if\x3f\x00\x00\x00",
    b"\x01jd\x3f\xe0\x00\x00\x00\x00\x00\x00",
    b"\x01kD\x02\x00\x00\x00\x64",
    b"\x01lS\x00\x00\x00\x02\xc3\xa4",
    b"\x01mS\x00\x00\x00\x01\xff",
    b"\x01nx\x00\x00\x00\x01a",
    b"\x01oA\x00\x00\x00\x03b\x01V",
    b"\x01pT\x00\x00\x00\x00\x65\x53\xf1\x00",
    b"\x01qF\x00\x00\x00\x05\x01au\x00\x01",
    b"\x01rV",
    b"\x10x-correlation-idS\x00\x00\x00\x02id",
    b"\x10x-reply-to-topicS\x00\x00\x00\x03a.b",
)


@pytest.fixture
def peer() -> AmqpPeer:
    """A client with the queue `dead`, and the queue `q` whose dead letters go there."""
    peer = AmqpPeer(World())
    peer.queue("dead")
    peer.queue("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    return peer


def raw_message(fields: bytes) -> bytes:
    table = len(fields).to_bytes(4, "big") + fields
    payload = b"\x00\x3c\x00\x00" + (1).to_bytes(8, "big") + b"\x20\x00" + table
    header = b"\x02\x00\x01" + len(payload).to_bytes(4, "big") + payload + b"\xce"
    return method(Basic.Publish(routing_key="q")) + header + b"\x03\x00\x01\x00\x00\x00\x01x\xce"


def died(peer: AmqpPeer, **properties: Any) -> Any:
    """Publish a message, reject it and return its dead letter."""
    peer.publish("", "q", b"x", **properties)
    received = peer.get("q", no_ack=False)
    assert received is not None
    peer.send(Basic.Reject(received.method.delivery_tag, requeue=False))
    letter = peer.get("dead")
    assert letter is not None
    return letter


def test_every_value_keeps_its_type(peer: AmqpPeer) -> None:
    peer.send(raw_message(b"".join(FIELDS)))
    peer.send(Basic.Get(queue="q"), Basic.Reject(1, requeue=False))
    raw = peer.wire.send(GET)
    for field in FIELDS:
        assert field in raw


def test_the_count_is_a_long_and_the_time_a_timestamp(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"x")
    peer.send(Basic.Get(queue="q"), Basic.Reject(1, requeue=False))
    raw = peer.wire.send(GET)
    assert b"\x05countl\x00\x00\x00\x00\x00\x00\x00\x01" in raw
    assert b"\x04timeT" in raw


def test_the_other_properties_stay_and_the_expiration_goes(peer: AmqpPeer) -> None:
    said = {
        "content_type": "t",
        "content_encoding": "e",
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "message_id": "m",
        "message_type": "y",
        "user_id": "guest",
        "app_id": "a",
    }
    properties = died(peer, expiration="60000", headers={"h": 1}, **said).properties
    assert {name: getattr(properties, name) for name in said} == said
    assert properties.expiration is None
    (death,) = properties.headers["x-death"]
    assert death["original-expiration"] == "60000"
    assert (death["queue"], death["reason"], death["exchange"], death["routing-keys"]) == ("q", "rejected", "", ["q"])
    assert properties.headers["h"] == 1


def test_blind_copies_stay_hidden(peer: AmqpPeer) -> None:
    headers = died(peer, headers={"CC": ["seen"], "BCC": ["hidden"]}).properties.headers
    assert headers["x-death"][0]["routing-keys"] == ["q", "seen"]
    assert "BCC" not in headers


def test_a_message_that_dies_again_is_counted(peer: AmqpPeer) -> None:
    letter = died(peer)
    again = died(peer, headers=letter.properties.headers)
    assert again.properties.headers["x-death"][0]["count"] == 2
