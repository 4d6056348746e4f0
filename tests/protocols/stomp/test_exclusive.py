"""`activemq.exclusive`: a consumer that has its queue for itself while it is there."""

import pytest

from protocols.stomp.dialect import DIALECTS, Dialect
from tests.protocols.stomp.peer import StompPeer, bodies, refused
from tests.protocols.world import World

ALONE = {"activemq.exclusive": "true"}


@pytest.fixture
def world() -> World:
    return World()


def publish(world: World, *texts: bytes) -> None:
    peer = StompPeer(world)
    for text in texts:
        peer.send("/queue/q", text)
    peer.hang_up()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_others_wait_even_those_that_came_before(world: World, dialect: Dialect) -> None:
    """As ActiveMQ 5.17 was seen to do."""
    before, alone, after, second = [StompPeer(world, dialect=dialect) for _ in range(4)]
    before.subscribe("/queue/q", "client-individual")
    alone.subscribe("/queue/q", "client-individual", **ALONE)
    after.subscribe("/queue/q", "client-individual")
    second.subscribe("/queue/q", "client-individual", **ALONE)
    publish(world, b"1", b"2", b"3")
    assert [bodies(peer.heard()) for peer in (before, alone, after, second)] == [[], [b"1", b"2", b"3"], [], []]
    alone.hang_up()
    publish(world, b"4")
    assert [bodies(peer.heard()) for peer in (before, after, second)] == [[], [], [b"1", b"2", b"3", b"4"]]
    second.hang_up()
    found = [bodies(peer.heard()) for peer in (before, after)]
    assert sorted(found[0] + found[1]) == [b"1", b"2", b"3", b"4"]
    assert all(found), "they share again"


def test_those_that_wait_are_not_served_when_their_credit_comes_back(world: World) -> None:
    before, alone = StompPeer(world), StompPeer(world)
    before.subscribe("/queue/q", "client-individual", **{"prefetch-count": "1"})
    publish(world, b"1", b"2")
    (message,) = before.heard()
    (second,) = alone.subscribe("/queue/q", "client-individual", **{"prefetch-count": "1", **ALONE})
    assert before.ack(message) == []
    publish(world, b"3")
    assert bodies(before.heard()) == []
    assert bodies(alone.ack(second)) == [b"3"]
    assert alone.say("UNSUBSCRIBE", {"id": "0"}) == []
    assert bodies(before.heard()) == [b"3"]


def test_a_waiting_one_with_a_selector_does_not_stop_the_others(world: World) -> None:
    alone, other = StompPeer(world), StompPeer(world)
    other.subscribe("/queue/q", selector="a = 'b'")
    alone.subscribe("/queue/q", **ALONE)
    other.say("UNSUBSCRIBE", {"id": "0"})
    publish(world, b"1")
    assert bodies(alone.heard()) == [b"1"]


def test_priorities_count_among_those_that_want_to_be_alone(world: World) -> None:
    first, low, high = StompPeer(world), StompPeer(world), StompPeer(world)
    first.subscribe("/queue/q", **ALONE)
    low.subscribe("/queue/q", **ALONE)
    high.subscribe("/queue/q", **ALONE, **{"activemq.priority": "5"})
    first.hang_up()
    publish(world, b"1")
    assert (bodies(low.heard()), bodies(high.heard())) == ([], [b"1"])


def test_it_is_true_or_false(world: World) -> None:
    refused(
        StompPeer(world).subscribe("/queue/q", **{"activemq.exclusive": "yes"}), "Invalid header", "activemq.exclusive"
    )
