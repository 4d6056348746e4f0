"""Clients that do not keep up: queues wait for them, topics do not."""

import pytest

from core.model.message import Message
from core.model.properties import Native, Properties
from protocols.connection import COPY_LIMIT_BYTES, DIRECT_LIMIT_BYTES, HIGH_WATER_BYTES, LOW_WATER_BYTES
from protocols.stomp.connection import StompConnection
from tests.protocols.stomp.peer import StompPeer, answers, bodies
from tests.protocols.world import Wire, World

BODY = b"x" * 100_000
ENOUGH = 30  # bodies for more than the high-water mark


class StuckWire(Wire[StompConnection]):
    """A socket that takes nothing."""

    def flush(self) -> None:
        return


def stuck(world: World, destination: str, ack: str) -> StompPeer:
    """Return a subscriber whose socket takes nothing from now on."""
    peer = StompPeer(world)
    peer.subscribe(destination, ack)
    peer.wire.__class__ = StuckWire
    return peer


def loosen(peer: StompPeer) -> bytes:
    """Let the socket take everything that waits."""
    connection = peer.wire.connection
    output = b"".join(connection.take_output())
    connection.sent(0)
    return output


@pytest.mark.parametrize("ack", ["auto", "client", "client-individual"])
def test_a_queue_keeps_what_a_client_does_not_take(ack: str) -> None:
    world = World()
    peer = stuck(world, "/queue/q", ack)
    sender = StompPeer(world)
    for _ in range(ENOUGH):
        sender.send("/queue/q", BODY)
    assert peer.wire.connection.congested
    waiting = world.broker.vhosts["/"].queues["q"].ready_count
    assert 0 < waiting < ENOUGH
    assert peer.wire.connection.output_bytes < HIGH_WATER_BYTES + 2 * len(BODY)
    received = 0
    for _ in range(ENOUGH):
        received += len(answers(loosen(peer)))
        world.turn()
    assert received == ENOUGH
    assert not peer.wire.connection.congested


def test_a_queue_waits_until_the_output_is_below_the_low_water_mark() -> None:
    world = World()
    peer = stuck(world, "/queue/q", "client")
    sender = StompPeer(world)
    for _ in range(ENOUGH):
        sender.send("/queue/q", BODY)
    connection = peer.wire.connection
    connection.take_output()
    connection.sent(LOW_WATER_BYTES + 1)
    world.turn()
    assert connection.take_output() == []
    connection.sent(LOW_WATER_BYTES)
    world.turn()
    assert connection.take_output()


def test_a_subscription_that_begins_in_congestion_waits_too() -> None:
    world = World()
    peer = stuck(world, "/queue/q", "auto")
    sender = StompPeer(world)
    for _ in range(ENOUGH):
        sender.send("/queue/q", BODY)
    sender.send("/queue/other", b"other")
    peer.wire.connection.receive(b"SUBSCRIBE\nid:late\ndestination:/queue/other\n\n\0")
    world.turn()
    assert world.broker.vhosts["/"].queues["other"].ready_count == 1
    for _ in range(ENOUGH):
        loosen(peer)
        world.turn()
    assert world.broker.vhosts["/"].queues["other"].ready_count == 0


def test_a_topic_drops_what_a_client_does_not_take() -> None:
    world = World()
    peer = stuck(world, "/topic/t", "auto")
    sender = StompPeer(world)
    body = b"x" * (1 << 20)
    for _ in range(20):
        sender.send("/topic/t", body)
    assert peer.wire.connection.output_bytes <= DIRECT_LIMIT_BYTES + (2 << 20)
    dropped = world.broker.counters.dropped["slow_subscriber"]
    assert dropped > 0
    assert len(answers(loosen(peer))) == 20 - dropped
    sender.send("/topic/t", b"again")
    assert bodies(answers(loosen(peer))) == [b"again"]


@pytest.mark.parametrize("size", [COPY_LIMIT_BYTES, COPY_LIMIT_BYTES + 1])
@pytest.mark.parametrize("ack", ["auto", "client"])
def test_a_large_body_is_not_copied(size: int, ack: str) -> None:
    world = World()
    peer = stuck(world, "/queue/q", ack)
    StompPeer(world).send("/queue/q", b"x" * size)
    output = peer.wire.connection.take_output()
    assert len(output) == (3 if size > COPY_LIMIT_BYTES else 1)
    (message,) = answers(b"".join(output))
    assert message.body == b"x" * size
    assert ("ack" in message.headers) is (ack == "client")


def test_nothing_is_delivered_behind_an_error() -> None:
    world = World()
    peer, sender = StompPeer(world), StompPeer(world)
    peer.subscribe("/queue/q", number="1")
    peer.subscribe("/topic/t", number="2")
    peer.wire.connection.receive(b"NONSENSE\n\n\0")
    sender.wire.connection.receive(b"SEND\ndestination:/queue/q,/topic/t\n\nx\0")
    assert [answer.command for answer in peer.heard()] == ["ERROR"]
    assert world.broker.vhosts["/"].queues["q"].ready_count == 1


class Broken(Native):
    """Properties that cannot be decoded, which is a bug of whoever accepted them."""

    def decode(self) -> Properties:
        raise RuntimeError("a bug")


@pytest.mark.parametrize(("destination", "exchange", "key"), [("/queue/q", "", "q"), ("/topic/t", "amq.topic", "t")])
def test_a_bug_in_a_receiver_does_not_reach_the_sender(destination: str, exchange: str, key: str) -> None:
    world = World()
    peer = StompPeer(world)
    peer.subscribe(destination)
    target = StompPeer(world).session.client.target(exchange, key)
    assert target.exchange.take(Message(target.address, b"x", 0, Broken()))
    assert [str(error) for error in peer.wire.outlet.failures] == ["a bug"]


@pytest.mark.parametrize("mode", ["client", "client-individual"])
def test_a_message_that_a_bug_kept_from_its_receiver_is_not_lost(mode: str) -> None:
    world = World()
    peer = StompPeer(world)
    peer.subscribe("/queue/q", mode)
    target = peer.session.client.target("", "q")
    target.exchange.take(Message(target.address, b"x", 0, Broken()))
    peer.hang_up()
    assert world.broker.vhosts["/"].queues["q"].ready_count == 1
