"""ACK and NACK in the three modes and the three versions, credit, redelivery."""

import pytest

from tests.protocols.stomp.peer import VERSIONS, StompPeer, bodies, refused
from tests.protocols.world import World

every_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def world() -> World:
    return World()


def left(world: World) -> tuple[int, int]:
    """Return how many messages of `/queue/q` are ready, and how many somebody has."""
    queue = world.broker.vhosts["/"].queues["q"]
    return queue.ready_count, queue.unsettled_count


def filled(world: World, count: int) -> None:
    sender = StompPeer(world)
    for number in range(count):
        sender.send("/queue/q", b"%d" % number)


@every_version
def test_auto_settles_by_delivering(world: World, version: str) -> None:
    filled(world, 3)
    messages = StompPeer(world, version).subscribe("/queue/q", "auto")
    assert len(messages) == 3
    assert all("ack" not in message.headers for message in messages)
    assert left(world) == (0, 0)


@every_version
def test_client_settles_everything_up_to_a_message(world: World, version: str) -> None:
    filled(world, 5)
    peer = StompPeer(world, version)
    messages = peer.subscribe("/queue/q", "client")
    assert peer.ack(messages[2]) == []
    assert left(world) == (0, 2)
    assert peer.ack(messages[4]) == []
    assert left(world) == (0, 0)


@every_version
def test_client_individual_settles_one_message(world: World, version: str) -> None:
    filled(world, 5)
    peer = StompPeer(world, version)
    messages = peer.subscribe("/queue/q", "client-individual")
    for number in (3, 0, 4):
        assert peer.ack(messages[number]) == []
    assert left(world) == (0, 2)
    peer.hang_up()
    assert bodies(StompPeer(world).subscribe("/queue/q")) == [b"1", b"2"]


def test_cumulative_acknowledgement_is_of_one_subscription(world: World) -> None:
    """STOMP 1.2 "SUBSCRIBE": all messages sent to the subscription before it."""
    peer = StompPeer(world)
    peer.subscribe("/queue/q", "client", "1")
    peer.subscribe("/queue/other", "client", "2")
    peer.send("/queue/other")
    (message,) = peer.send("/queue/q")
    peer.ack(message)
    assert left(world) == (0, 0)
    assert world.broker.vhosts["/"].queues["other"].unsettled_count == 1


@every_version
@pytest.mark.parametrize(("mode", "again"), [("client", [b"0", b"1"]), ("client-individual", [b"1"])])
def test_nack_requeues(world: World, version: str, mode: str, again: list[bytes]) -> None:
    filled(world, 3)
    peer = StompPeer(world, version)
    messages = peer.subscribe("/queue/q", mode)
    returned = peer.nack(messages[1])
    assert bodies(returned) == again
    assert {message["redelivered"] for message in returned} == {"true"}


def test_nack_without_requeue_gives_the_message_up(world: World) -> None:
    filled(world, 2)
    peer = StompPeer(world)
    messages = peer.subscribe("/queue/q", "client")
    assert peer.nack(messages[1], requeue="false") == []
    assert left(world) == (0, 0)
    assert world.broker.counters.dropped == {"rejected": 2}


@pytest.mark.parametrize("mode", ["client", "client-individual"])
def test_a_second_acknowledgement_is_an_error(world: World, mode: str) -> None:
    filled(world, 2)
    peer = StompPeer(world)
    messages = peer.subscribe("/queue/q", mode)
    peer.ack(messages[1])
    refused(peer.ack(messages[1]), "Invalid header", messages[1]["message-id"])


def test_an_acknowledgement_that_an_earlier_one_covered_is_an_error(world: World) -> None:
    filled(world, 2)
    peer = StompPeer(world)
    messages = peer.subscribe("/queue/q", "client")
    peer.ack(messages[1])
    refused(peer.ack(messages[0]), "Invalid header")


@pytest.mark.parametrize("command", ["ACK", "NACK"])
@pytest.mark.parametrize("version", VERSIONS)
def test_acknowledging_what_was_settled_by_delivering_is_an_error(world: World, version: str, command: str) -> None:
    peer = StompPeer(world, version)
    peer.subscribe("/queue/q")
    peer.subscribe("/topic/t", number="1")
    (message,) = peer.send("/queue/q")
    refused(peer.say(command, {"id": message["message-id"], "message-id": message["message-id"]}), "Invalid header")


def test_another_connection_cannot_acknowledge(world: World) -> None:
    peer, other = StompPeer(world), StompPeer(world)
    peer.subscribe("/queue/q", "client")
    other.subscribe("/queue/other", "client")
    other.send("/queue/q")
    (message,) = peer.heard()
    refused(other.ack(message), "Invalid header")
    assert left(world) == (0, 1)


@pytest.mark.parametrize(
    "number", ["1", "0", "T_1@@session@@1", "@@", "T_1@@{session}@@", "T_1@@{session}@@-1", "T_1@@{session}@@9" * 40]
)
def test_an_unknown_id_is_an_error(world: World, number: str) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q", "client")
    peer.send("/queue/q")
    refused(peer.say("ACK", {"id": number.format(session=peer.connected["session"])}), "Invalid header")
    assert peer.closed


@pytest.mark.parametrize(("version", "name"), [("1.0", "message-id"), ("1.1", "message-id"), ("1.2", "id")])
@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_an_acknowledgement_of_nothing_is_an_error(world: World, version: str, name: str, command: str) -> None:
    refused(StompPeer(world, version).say(command), "Missing header", f"'{name}'")


def test_1_2_takes_message_id_from_clients_that_still_say_so(world: World) -> None:
    filled(world, 1)
    peer = StompPeer(world)
    (message,) = peer.subscribe("/queue/q", "client")
    assert peer.say("ACK", {"message-id": message["message-id"], "subscription": "0"}) == []
    assert left(world) == (0, 0)


def test_1_1_says_the_subscription_and_it_must_be_the_right_one(world: World) -> None:
    filled(world, 1)
    peer = StompPeer(world, "1.1")
    (message,) = peer.subscribe("/queue/q", "client")
    refused(peer.say("ACK", {"message-id": message["message-id"], "subscription": "1"}), "Invalid header")


def test_a_receipt_for_an_acknowledgement(world: World) -> None:
    filled(world, 1)
    peer = StompPeer(world)
    (message,) = peer.subscribe("/queue/q", "client")
    (receipt,) = peer.ack(message, receipt="r")
    assert (receipt.command, receipt["receipt-id"]) == ("RECEIPT", "r")


@pytest.mark.parametrize("header", ["prefetch-count", "activemq.prefetchSize"])
def test_no_more_is_handed_out_than_the_client_asked_for(world: World, header: str) -> None:
    filled(world, 5)
    peer = StompPeer(world)
    messages = peer.subscribe("/queue/q", "client-individual", **{header: "2"})
    assert bodies(messages) == [b"0", b"1"]
    assert bodies(peer.ack(messages[1])) == [b"2"]
    assert bodies(peer.nack(messages[0])) == [b"0"]


def test_auto_is_not_limited(world: World) -> None:
    filled(world, 5)
    assert len(StompPeer(world).subscribe("/queue/q", "auto", **{"prefetch-count": "1"})) == 5


@every_version
def test_what_a_lost_connection_had_is_redelivered(world: World, version: str) -> None:
    filled(world, 3)
    peer = StompPeer(world, version)
    peer.subscribe("/queue/q", "client", **{"prefetch-count": "2"})
    peer.hang_up()
    messages = StompPeer(world, version).subscribe("/queue/q")
    assert [(m.body, m["redelivered"]) for m in messages] == [(b"0", "true"), (b"1", "true"), (b"2", "false")]
