"""`no-local`: a subscription that passes over what its own connection sends."""

import pytest

from protocols.stomp.no_local import NAMES
from tests.protocols.stomp.peer import StompPeer, bodies, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def heard_of(peer: StompPeer, destination: str, **headers: str) -> list[bytes]:
    """Return what a peer hears of a message of its own and of two from others."""
    found = peer.send(destination, b"own", **headers)
    other = StompPeer(peer.world)
    other.send(destination, b"1", **headers)
    other.send(destination, b"2", **headers)
    return bodies(found + peer.heard())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ack", ["auto", "client"])
@pytest.mark.parametrize("destination", ["/topic/t", "/queue/q", "/exchange/amq.fanout"])
def test_only_what_others_send_comes(world: World, destination: str, ack: str, name: str) -> None:
    peer = StompPeer(world)
    peer.subscribe(destination, ack, **{name: "true"})
    assert heard_of(peer, destination) == [b"1", b"2"]


def test_what_does_not_come_stays_in_the_queue_for_others(world: World) -> None:
    """As ActiveMQ 5.17 was seen to do."""
    peer = StompPeer(world)
    peer.subscribe("/queue/q", **{NAMES[0]: "true"})
    assert heard_of(peer, "/queue/q") == [b"1", b"2"]
    assert bodies(StompPeer(world).subscribe("/queue/q")) == [b"own"]


def test_false_says_nothing(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", **{NAMES[0]: "false"})
    assert heard_of(peer, "/topic/t") == [b"own", b"1", b"2"]


@pytest.mark.parametrize("ack", ["auto", "client"])
def test_a_selector_counts_as_well(world: World, ack: str) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", ack, selector="a = 'b'", **{NAMES[0]: "true"})
    assert heard_of(peer, "/topic/t", a="b") == [b"1", b"2"]
    assert heard_of(peer, "/topic/t", a="c") == []


def test_two_connections_pass_over_their_own_each(world: World) -> None:
    first, second = StompPeer(world), StompPeer(world)
    first.subscribe("/queue/q", **{NAMES[0]: "true"})
    second.subscribe("/queue/q", **{NAMES[0]: "true"})
    assert first.send("/queue/q", b"1") == []
    assert bodies(second.heard()) == [b"1"]
    assert second.send("/queue/q", b"2") == []
    assert bodies(first.heard()) == [b"2"]


@pytest.mark.parametrize("durably", [{"durable": "true", "auto-delete": "false"}, {"activemq.subscriptionName": "s"}])
def test_a_durable_subscription_cannot(world: World, durably: dict[str, str]) -> None:
    peer = StompPeer(world, client_id="c")
    refused(peer.subscribe("/topic/t", **durably, **{NAMES[0]: "true"}), "not_implemented", "durable")


def test_it_is_true_or_false(world: World) -> None:
    refused(StompPeer(world).subscribe("/topic/t", **{NAMES[1]: "1"}), "Invalid header", NAMES[1])
