"""`browser:true`: a look at a queue that takes nothing out of it, and ends with a frame of its own (ActiveMQ)."""

import pytest

from core.access import EVERYTHING, NOTHING, Permission
from protocols.stomp.dialect import ACTIVEMQ, DIALECTS, Dialect
from tests.protocols.stomp.peer import VERSIONS, Answer, StompPeer, bodies, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def filled(world: World, count: int = 3) -> StompPeer:
    peer = StompPeer(world)
    for number in range(count):
        peer.send("/queue/q", b"%d" % number, number=str(number))
    return peer


def is_the_end(message: Answer, number: str = "0") -> bool:
    return (message.command, message["browser"], message["subscription"], message["message-id"], message.body) == (
        "MESSAGE",
        "end",
        number,
        "0",
        b"",
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("destination", ["/queue/q", "/amq/queue/q", "q"])
def test_a_browser_sees_what_is_there_and_an_end(
    world: World, version: str, dialect: Dialect, destination: str
) -> None:
    filled(world)
    *messages, end = StompPeer(world, version, dialect=dialect).subscribe(destination, browser="true")
    assert bodies(messages) == [b"0", b"1", b"2"]
    assert is_the_end(end)
    assert end["destination"] == "/queue/q"
    queue = world.broker.vhosts["/"].queues["q"]
    assert (queue.ready_count, queue.unsettled_count, len(queue.consumers)) == (3, 0, 0)
    (first, *_) = StompPeer(world).subscribe("/queue/q")
    assert first["redelivered"] == "false"


def test_an_empty_queue_has_an_end_too(world: World) -> None:
    (end,) = StompPeer(world, dialect=ACTIVEMQ).subscribe("/queue/new", browser="true")
    assert is_the_end(end)
    assert "new" in world.broker.vhosts["/"].queues


def test_what_comes_later_is_not_seen(world: World) -> None:
    peer = filled(world)
    peer.subscribe("/queue/q", browser="true")
    assert peer.send("/queue/q", b"later") == []


def test_a_browser_has_a_selector(world: World) -> None:
    filled(world)
    *messages, end = StompPeer(world).subscribe("/queue/q", browser="true", selector="number > 0")
    assert bodies(messages) == [b"1", b"2"]
    assert is_the_end(end)


def test_a_browser_that_acknowledges_has_its_prefetch_and_takes_nothing(world: World) -> None:
    filled(world)
    peer = StompPeer(world)
    first, second = peer.subscribe("/queue/q", "client", browser="true", **{"prefetch-count": "2"})
    assert (first.body, second.body) == (b"0", b"1")
    third, end = peer.ack(second)
    assert third.body == b"2"
    assert is_the_end(end)
    assert peer.nack(third, requeue="false") == []
    assert world.broker.vhosts["/"].queues["q"].ready_count == 3


def test_a_browser_can_be_ended_early(world: World) -> None:
    filled(world)
    peer = StompPeer(world)
    peer.subscribe("/queue/q", "client", browser="true", **{"prefetch-count": "1"})
    assert peer.say("UNSUBSCRIBE", {"id": "0"}) == []
    again = peer.subscribe("/queue/q", browser="true")
    assert len(again) == 4


def test_two_browsers_see_the_same(world: World) -> None:
    filled(world)
    peer = StompPeer(world)
    first = peer.subscribe("/queue/q", number="1", browser="true")
    second = peer.subscribe("/queue/q", number="2", browser="true")
    assert bodies(first) == bodies(second)
    assert is_the_end(second[-1], "2")


def test_a_browser_stops_while_the_output_is_full_and_goes_on(world: World) -> None:
    peer = StompPeer(world)
    body = bytes(300_000)
    for _ in range(20):
        peer.wire.connection.receive(b"SEND\ndestination:/queue/q\ncontent-length:300000\n\n" + body + b"\0")
    peer.heard()
    messages = peer.subscribe("/queue/q", browser="true")
    assert len(messages) < 20
    while more := peer.heard():  # a turn each, with the output sent in between
        messages += more
    assert len(messages) == 21
    assert is_the_end(messages[-1])


def test_a_browser_needs_the_right_to_read(world: World) -> None:
    filled(world)
    user = world.broker.users["nobody"]
    user.permissions["/"] = Permission(EVERYTHING, EVERYTHING, NOTHING)
    refused(StompPeer(world, user="nobody").subscribe("/queue/q", browser="true"), "access_refused")


def test_an_existing_queue_must_exist_to_be_browsed(world: World) -> None:
    refused(StompPeer(world).subscribe("/amq/queue/nope", browser="true"), "not_found", "no queue 'nope'")


def test_one_queue_is_browsed_at_a_time(world: World) -> None:
    filled(world)
    for destination in ("/queue/*", "/queue/q,/queue/r", "/topic/q", "/temp-queue/q"):
        peer = StompPeer(world, dialect=ACTIVEMQ)
        refused(peer.subscribe(destination, browser="true"), "Invalid destination", "cannot be browsed")
    assert set(world.broker.vhosts["/"].queues) == {"q"}
