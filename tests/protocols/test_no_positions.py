"""A queue whose positions in the store are used up refuses messages as a full queue does, by each protocol's own word."""

import pytest
from pamqp import commands

from core.queueing.queue import Queue
from core.store.shelf import Shelf
from tests.protocols.amqp.peer import AmqpPeer, closed, message_frames
from tests.protocols.mqtt.peer5 import Client5
from tests.protocols.stomp.peer import StompPeer, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def queue(world: World) -> Queue:
    """One with a message, and no place for another."""
    StompPeer(world).send("/queue/q", b"before")
    queue = world.broker.vhosts["/"].queue("q")
    queue.shelf = Shelf(1)
    queue.run_out()
    return queue


def test_amqp_has_a_nack_and_a_transaction_fails(world: World, queue: Queue) -> None:
    peer = AmqpPeer(world)
    peer.send(commands.Confirm.Select())
    (refusal,) = peer.publish("", "q", b"x")
    assert isinstance(refusal, commands.Basic.Nack)
    sent = [commands.Tx.Select(), message_frames("", "q", b"x"), commands.Tx.Commit()]
    assert closed(AmqpPeer(world), *sent)[1:3] == (406, "PRECONDITION_FAILED - partial tx completion")
    assert queue.ready_count == 1


def test_mqtt_has_quota_exceeded(world: World, queue: Queue) -> None:
    (refusal,) = Client5(world).publish("$queue/q", b"x", 1)
    assert (refusal.name, refusal.codes) == ("PUBACK", b"\x97")
    assert queue.ready_count == 1


def test_stomp_has_an_error(world: World, queue: Queue) -> None:
    refused(StompPeer(world).send("/queue/q", b"x", receipt="r"), "Message refused")
    assert queue.ready_count == 1


def test_consumers_go_on(world: World, queue: Queue) -> None:
    found = AmqpPeer(world).get("q")
    assert found is not None
    assert found.body == b"before"
    refused(StompPeer(world).send("/queue/q", b"x", receipt="r"), "Message refused")
