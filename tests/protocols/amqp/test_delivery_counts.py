"""Consumers of quorum queues are told how often a message was delivered before (RabbitMQ "Quorum Queues")."""

from typing import Any, Final

import pytest
from pamqp import commands

from protocols.amqp.header_fields import DELIVERY_COUNT
from tests.protocols.amqp.peer import AmqpPeer, deliveries
from tests.protocols.mqtt.peer import Client
from tests.protocols.world import World

Basic = commands.Basic
QUORUM: Final = {"x-queue-type": "quorum"}
COUNT: Final = DELIVERY_COUNT.decode()


@pytest.fixture
def peer() -> AmqpPeer:
    """A client with the quorum queue `q` and the classic queue `c`."""
    peer = AmqpPeer(World())
    peer.queue("q", durable=True, arguments=QUORUM)
    peer.queue("c")
    return peer


def headers_of(received: Any) -> Any:
    return received.properties.headers


def test_a_first_delivery_has_no_count_and_the_next_ones_have(peer: AmqpPeer) -> None:
    (first,) = deliveries(peer.consume("q")) or peer.publish("", "q", b"x", headers={"a": 1}, content_type="t")
    assert headers_of(first) == {"a": 1}
    for tag, requeue in enumerate((Basic.Nack(1, requeue=True), Basic.Reject(2, requeue=True)), 1):
        (again,) = deliveries(peer.send(requeue))
        assert again.method.redelivered
        assert headers_of(again) == {"a": 1, COUNT: tag}
        assert again.properties.content_type == "t"


def test_a_message_without_headers_gets_some(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"x", app_id="app")
    peer.consume("q")
    (again,) = deliveries(peer.send(Basic.Nack(1, requeue=True)))
    assert (headers_of(again), again.properties.app_id) == ({COUNT: 1}, "app")


def test_get_always_tells_the_count(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"x")
    assert headers_of(peer.get("q", no_ack=False)) == {COUNT: 0}
    peer.send(Basic.Nack(1, requeue=True))
    assert headers_of(peer.get("q")) == {COUNT: 1}


def test_what_a_publisher_says_of_it_counts_for_nothing(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"x", headers={COUNT: "many"})
    assert headers_of(peer.get("q")) == {COUNT: 0}


def test_a_classic_queue_does_not_count(peer: AmqpPeer) -> None:
    peer.publish("", "c", b"x")
    assert headers_of(peer.get("c", no_ack=False)) is None
    peer.send(Basic.Nack(1, requeue=True))
    received = peer.get("c")
    assert received is not None
    assert received.method.redelivered
    assert headers_of(received) is None


def test_the_count_is_a_long(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"x")
    raw = peer.wire.send(b"\x01\x00\x01\x00\x00\x00\x09\x00\x3c\x00\x46\x00\x00\x01q\x01\xce")
    assert b"\x10" + DELIVERY_COUNT + b"l" + bytes(8) in raw


def test_messages_of_other_protocols_are_counted_too(peer: AmqpPeer) -> None:
    peer.send(commands.Queue.Bind(queue="q", exchange="amq.topic", routing_key="a.b"))
    Client(peer.wire.world).publish("a/b", b"x")
    assert headers_of(peer.get("q")) == {COUNT: 0}


def test_a_header_that_would_outgrow_the_frames_stays_as_it_is(peer: AmqpPeer) -> None:
    small = AmqpPeer(peer.wire.world, frame_max=4_096)
    peer.publish("", "q", b"x", headers={"a": "b" * 4_050})
    received = small.get("q")
    assert list(headers_of(received)) == ["a"]
