"""Durable subscriptions in ActiveMQ's way: the `client-id` of CONNECT and `activemq.subscriptionName`."""

from typing import Final

import pytest

from protocols.stomp.dialect import DIALECTS, Dialect
from protocols.stomp.subscription_queues import SUBSCRIPTION_NAMES
from tests.protocols.stomp.peer import StompPeer, bodies, refused
from tests.protocols.world import World

NAMED: Final = {"activemq.subscriptionName": "news"}


@pytest.fixture
def world() -> World:
    return World()


def come(world: World, client_id: str = "me", **options: Dialect) -> StompPeer:
    return StompPeer(world, client_id=client_id, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("header", SUBSCRIPTION_NAMES)
def test_it_outlives_its_connection(world: World, dialect: Dialect, header: str) -> None:
    peer = come(world, dialect=dialect)
    peer.subscribe("/topic/t", number="1", **{header: "news"})
    peer.hang_up()
    StompPeer(world).send("/topic/t", b"meanwhile")
    (message,) = come(world, dialect=dialect).subscribe("/topic/t", number="2", **{header: "news"})
    assert (message.body, message["destination"], message["subscription"]) == (b"meanwhile", "/topic/t", "2")


def test_it_belongs_to_its_client_and_its_name(world: World) -> None:
    for client_id, name in (("me", "news"), ("me", "other"), ("you", "news")):
        peer = come(world, client_id)
        peer.subscribe("/topic/t", **{"activemq.subscriptionName": name})
        peer.hang_up()
    assert len(world.broker.vhosts["/"].queues) == 3
    StompPeer(world).send("/topic/t", b"x")
    assert bodies(come(world, "you").subscribe("/topic/t", **NAMED)) == [b"x"]


def test_it_is_for_one_connection_at_a_time(world: World) -> None:
    come(world).subscribe("/topic/t", **NAMED)
    refused(come(world).subscribe("/topic/t", **NAMED), "access_refused", "in exclusive use")


def test_unsubscribing_by_id_keeps_it_and_by_name_ends_it(world: World) -> None:
    peer = come(world)
    peer.subscribe("/topic/t", number="1", **NAMED)
    assert peer.say("UNSUBSCRIBE", {"id": "1"}) == []
    assert len(world.broker.vhosts["/"].queues) == 1
    assert peer.say("UNSUBSCRIBE", {"id": "1", **NAMED}) == []
    assert not world.broker.vhosts["/"].queues
    refused(peer.say("UNSUBSCRIBE", NAMED), "No subscription found", "'news'")


def test_unsubscribing_by_id_and_name_at_once_ends_it(world: World) -> None:
    peer = come(world)
    peer.subscribe("/topic/t", number="1", **NAMED)
    (receipt,) = peer.say("UNSUBSCRIBE", {"id": "1", "receipt": "r", **NAMED})
    assert receipt.command == "RECEIPT"
    assert not world.broker.vhosts["/"].queues


def test_it_cannot_be_ended_while_another_connection_has_it(world: World) -> None:
    come(world).subscribe("/topic/t", **NAMED)
    refused(come(world).say("UNSUBSCRIBE", NAMED), "precondition_failed", "in use")


@pytest.mark.parametrize("again", [{"destination": "/topic/u"}, {"destination": "/topic/t", "selector": "a = 'x'"}])
def test_with_another_topic_or_selector_it_begins_anew(world: World, again: dict[str, str]) -> None:
    peer = come(world)
    peer.subscribe("/topic/t", **NAMED)
    peer.hang_up()
    StompPeer(world).send("/topic/t", b"old", a="x")
    peer = come(world)
    assert peer.say("SUBSCRIBE", {"id": "1", **again, **NAMED}) == []
    StompPeer(world).send(again["destination"], b"new", a="x")
    assert bodies(peer.heard()) == [b"new"]


def test_the_same_topic_and_selector_find_it_again(world: World) -> None:
    for number in range(2):
        peer = come(world)
        messages = peer.subscribe("/topic/t", selector="a = 'x'", **NAMED)
        assert bodies(messages) == [b"0"] * number
        peer.hang_up()
        StompPeer(world).send("/topic/t", b"%d" % number, a="x")


@pytest.mark.parametrize("destination", ["/queue/q", "/topic/t,/topic/u", "/temp-topic/t"])
def test_it_is_to_one_topic(world: World, destination: str) -> None:
    refused(come(world).subscribe(destination, **NAMED), "Invalid destination", "'news'")


def test_it_needs_a_client_id(world: World) -> None:
    refused(StompPeer(world).subscribe("/topic/t", **NAMED), "Missing header", "'client-id'")
    refused(StompPeer(world).say("UNSUBSCRIBE", NAMED), "Missing header", "'client-id'")


def test_an_empty_name_is_none(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", **{"activemq.subscriptionName": ""})
    assert not world.broker.vhosts["/"].queues
