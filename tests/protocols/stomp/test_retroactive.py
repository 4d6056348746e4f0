"""`activemq.retroactive`: a topic's retained messages come to a subscription that begins later."""

import pytest

from core.model.message import Address, plain_message
from protocols.connection import HIGH_WATER_BYTES
from protocols.stomp.dialect import ACTIVEMQ
from protocols.stomp.retroactive import STALE_LIMIT, STEPS_LIMIT
from tests.protocols.stomp.peer import Answer, StompPeer, bodies, refused
from tests.protocols.world import World

RETROACTIVE = {"activemq.retroactive": "true"}


@pytest.fixture
def world() -> World:
    return World()


def retain(world: World, *keys: str, body: bytes = b"") -> None:
    for key in keys:
        world.broker.vhosts["/"].retained.keep(plain_message(Address("amq.topic", key), body or key.encode()))


def subscribed(peer: StompPeer, destination: str, ack: str = "auto", **headers: str) -> list[Answer]:
    found = peer.subscribe(destination, ack, **headers, **RETROACTIVE)
    peer.world.advance(0.0)
    return found + peer.heard()


@pytest.mark.parametrize("ack", ["auto", "client"])
def test_what_matches_is_there_before_what_is_published_later(world: World, ack: str) -> None:
    retain(world, "a.b", "a.c", "d")
    peer = StompPeer(world)
    found = subscribed(peer, "/topic/a.*", ack)
    assert bodies(found) == [b"a.b", b"a.c"]
    assert found[0]["destination"] == "/topic/a.b"
    assert bodies(peer.send("/topic/a.b", b"new")) == [b"new"]


def test_wildcards_of_the_dialect_count(world: World) -> None:
    retain(world, "a.b.c", "d")
    assert bodies(subscribed(StompPeer(world, dialect=ACTIVEMQ), "/topic/a.>")) == [b"a.b.c"]


@pytest.mark.parametrize("ack", ["auto", "client"])
def test_a_selector_counts(world: World, ack: str) -> None:
    retain(world, "a")
    assert subscribed(StompPeer(world), "/topic/a", ack, selector="b = 'c'") == []


def test_nothing_comes_unasked(world: World) -> None:
    retain(world, "a")
    peer = StompPeer(world)
    peer.subscribe("/topic/a", **{"activemq.retroactive": "false"})
    world.advance(1.0)
    assert peer.heard() == []
    refused(peer.subscribe("/topic/a", number="1", **{"activemq.retroactive": "1"}), "Invalid header", "retroactive")


def test_the_rest_comes_when_the_client_has_read(world: World) -> None:
    """None is dropped, however slow the client is."""
    keys = [f"k{number:02}" for number in range(40)]
    retain(world, *keys, body=bytes(HIGH_WATER_BYTES // 4))
    peer = StompPeer(world)
    peer.wire.send(b"SUBSCRIBE\nid:0\ndestination:/topic/*\nactivemq.retroactive:true\n\n\0")
    seen = 0
    for _ in range(40):
        world.advance(0.0)
        seen += len(peer.heard())
    assert seen == 40
    assert not world.broker.counters.dropped


def test_many_topics_take_more_than_one_turn(world: World) -> None:
    retain(world, *[f"k{number}" for number in range(STEPS_LIMIT + 100)])
    peer = StompPeer(world)
    peer.subscribe("/topic/*", **RETROACTIVE)
    retroactive = peer.session.subscriptions.retroactive
    retroactive.timeout()
    first = len(peer.heard())
    assert STEPS_LIMIT - 100 < first <= STEPS_LIMIT
    world.advance(0.0)
    assert first + len(peer.heard()) == STEPS_LIMIT + 100


def test_an_end_before_the_first_turn_leaves_nothing(world: World) -> None:
    retain(world, "a")
    peer = StompPeer(world)
    peer.subscribe("/topic/a", **RETROACTIVE)
    peer.say("UNSUBSCRIBE", {"id": "0"})
    world.advance(0.0)
    assert peer.heard() == []
    peer.subscribe("/topic/a", **RETROACTIVE)
    before = world.broker.timers.count
    peer.hang_up()
    assert world.broker.timers.count < before
    world.advance(0.0)


def test_subscriptions_that_come_and_go_while_nothing_is_read_are_forgotten(world: World) -> None:
    peer = StompPeer(world)
    peer.wire.connection.congested = True
    data = b"SUBSCRIBE\nid:0\ndestination:/topic/a\nactivemq.retroactive:true\n\n\0UNSUBSCRIBE\nid:0\n\n\0"
    peer.subscribe("/topic/a", number="stays", **RETROACTIVE)
    for _ in range(10):
        peer.wire.send(data * STALE_LIMIT)
    assert len(peer.session.subscriptions.retroactive._asked) <= STALE_LIMIT + 2
