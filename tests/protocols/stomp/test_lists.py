"""Lists of destinations in SUBSCRIBE: one subscription, one line of ids, one prefetch. (SEND to a list: `test_send`.)"""

from typing import Final

import pytest

from core.model.destination import COMPOSITE_LIMIT
from protocols.stomp.dialect import DIALECTS, Dialect
from protocols.stomp.subscription import SUBSCRIPTIONS_LIMIT
from tests.protocols.stomp.peer import VERSIONS, StompPeer, bodies, refused
from tests.protocols.world import World

LIST: Final = "/queue/a, /topic/b,/exchange/amq.direct/c"
PLACES: Final = ("/queue/a", "/topic/b", "/exchange/amq.direct/c")

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture
def world() -> World:
    return World()


@each_dialect
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ack", ["auto", "client", "client-individual"])
def test_a_list_is_one_subscription(world: World, version: str, dialect: Dialect, ack: str) -> None:
    peer = StompPeer(world, version, dialect=dialect)
    peer.subscribe(LIST, ack, "s")
    sender = StompPeer(world)
    for place in PLACES:
        sender.send(place, place.encode())
    messages = peer.heard()
    assert bodies(messages) == [place.encode() for place in PLACES]
    assert [message["destination"] for message in messages] == list(PLACES)
    assert {message["subscription"] for message in messages} == {"s"}
    assert len({message["message-id"] for message in messages}) == 3


def test_cumulative_acknowledgement_goes_across_the_list(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/a,/queue/b,/topic/c", "client")
    sender = StompPeer(world)
    for place in ("/queue/a", "/topic/c", "/queue/b", "/queue/a"):
        sender.send(place)
    messages = peer.heard()
    assert peer.ack(messages[2]) == []
    queues = world.broker.vhosts["/"].queues.values()
    assert sum(queue.unsettled_count for queue in queues) == 1
    assert world.broker.vhosts["/"].queues["a"].unsettled_count == 1


def test_the_prefetch_is_for_all_of_the_list(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/a,/queue/b", "client-individual", **{"prefetch-count": "2"})
    sender = StompPeer(world)
    for place in ("/queue/a", "/queue/b", "/queue/a", "/queue/b"):
        sender.send(place)
    first, second = peer.heard()
    (third,) = peer.ack(second)
    assert len(peer.ack(first)) == 1
    assert third["redelivered"] == "false"


def test_a_list_ends_as_a_whole(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/a,/topic/b,/topic/c", "client")
    for place in ("/queue/a", "/topic/b"):
        peer.send(place)
    peer.say("UNSUBSCRIBE", {"id": "0"})
    vhost = world.broker.vhosts["/"]
    assert list(vhost.queues) == ["a"]
    assert vhost.queues["a"].ready_count == 1
    assert not vhost.exchanges["amq.topic"].bindings
    assert peer.session.subscriptions._count.taken == 0


def test_a_place_that_is_named_twice_counts_once(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t,/topic/t")
    assert len(peer.send("/topic/t")) == 1


def test_a_list_with_a_mistake_leaves_nothing(world: World) -> None:
    peer = StompPeer(world)
    refused(peer.subscribe("/topic/t,/exchange/nope/k"), "not_found", "no exchange 'nope'")
    assert not world.broker.vhosts["/"].exchanges["amq.topic"].bindings
    refused(StompPeer(world).subscribe("/topic/t,"), "Invalid destination", "empty")


def test_a_list_has_a_limit_and_each_part_counts(world: World) -> None:
    many = ",".join([f"/topic/{number}" for number in range(COMPOSITE_LIMIT)])
    peer = StompPeer(world)
    assert peer.subscribe(many) == []
    assert peer.session.subscriptions._count.taken == COMPOSITE_LIMIT
    peer.session.subscriptions._count.taken = SUBSCRIPTIONS_LIMIT - 1
    refused(peer.subscribe("/topic/x,/topic/y", number="1"), "resource_error", str(SUBSCRIPTIONS_LIMIT))
    refused(StompPeer(world).subscribe(many + ",/topic/more"), "Invalid destination", str(COMPOSITE_LIMIT))


@pytest.mark.parametrize("ack", ["auto", "client"])
def test_a_durable_list_outlives_its_connection(world: World, ack: str) -> None:
    durable = {"durable": "true", "auto_delete": "false"}
    peer = StompPeer(world)
    peer.subscribe("/topic/a,/topic/b", ack, "s", **durable)
    peer.hang_up()
    sender = StompPeer(world)
    sender.send("/topic/a,/topic/b", b"meanwhile")
    again = StompPeer(world)
    assert bodies(again.subscribe("/topic/a,/topic/b", "auto", "s", **durable)) == [b"meanwhile"] * 2
    again.say("UNSUBSCRIBE", {"id": "s", "durable": "true", "auto-delete": "false"})
    assert not world.broker.vhosts["/"].queues
