"""Message groups, by the headers of JMS (`core.queueing.grouping` has the rules)."""

import pytest

from core.queueing.grouping import GROUP, SEQUENCE
from protocols.stomp.dialect import DIALECTS, Dialect
from tests.protocols.stomp.peer import Answer, StompPeer, bodies, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def send(peer: StompPeer, *groups: str, **headers: str) -> list[Answer]:
    found: list[Answer] = []
    for group in groups:
        said = {"destination": "/queue/q", **({GROUP: group} if group else {}), **headers}
        found += peer.say("SEND", said, group.encode())
    return found


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_each_group_goes_to_one_consumer(world: World, dialect: Dialect) -> None:
    """As ActiveMQ 5.17 was seen to do, which says nothing of the group in MESSAGE."""
    first, second, sender = [StompPeer(world, dialect=dialect) for _ in range(3)]
    first.subscribe("/queue/q", "client-individual")
    second.subscribe("/queue/q", "client-individual")
    send(sender, "A", "B", "A", "B", "A", "A", "B")
    heard = first.heard()
    assert bodies(heard) == [b"A"] * 4
    assert bodies(second.heard()) == [b"B"] * 3
    assert heard[0][GROUP] == "A"
    send(sender, "A", **{SEQUENCE: "7"})
    send(sender, "A", **{SEQUENCE: "-1"})
    assert bodies(first.heard()) == [b"A"] * 2
    second.hang_up()
    assert bodies(first.heard()) == [b"B"] * 3
    send(sender, "B")
    assert bodies(first.heard()) == [b"B"]


def test_messages_without_a_group_are_shared(world: World) -> None:
    first, second, sender = [StompPeer(world) for _ in range(3)]
    first.subscribe("/queue/q")
    second.subscribe("/queue/q")
    send(sender, "A", "", "", "", "")
    assert len(first.heard()) >= 2
    assert len(second.heard()) >= 2


def test_a_group_goes_on_with_the_one_that_is_alone(world: World) -> None:
    first, alone, sender = [StompPeer(world) for _ in range(3)]
    first.subscribe("/queue/q", "client-individual")
    send(sender, "A")
    alone.subscribe("/queue/q", "client-individual", **{"activemq.exclusive": "true"})
    send(sender, "A", "A")
    assert (len(first.heard()), len(alone.heard())) == (1, 2)


def test_a_selector_is_refused_there(world: World) -> None:
    send(StompPeer(world), "A")
    refused(StompPeer(world).subscribe("/queue/q", selector="a = 'b'"), "not_implemented", "message groups")
    assert bodies(StompPeer(world).subscribe("/queue/q", number="1")) == [b"A"]


@pytest.mark.parametrize("sequence", ["x", "-2", ""])
def test_a_sequence_that_is_no_number_is_an_error(world: World, sequence: str) -> None:
    refused(send(StompPeer(world), "A", **{SEQUENCE: sequence}), "Invalid header", SEQUENCE)


def test_a_queue_that_was_deleted_has_groups_again(world: World) -> None:
    sender = StompPeer(world)
    send(sender, "A")
    sender.session.client.delete_queue("q")
    send(sender, "A", "A")
    first, second = StompPeer(world), StompPeer(world)
    first.subscribe("/queue/q", "client-individual", **{"prefetch-count": "1"})
    assert second.subscribe("/queue/q", "client-individual") == []
