"""NACK with a delay, priorities of consumers, and what a redelivered message says."""

import pytest

from core.queueing.deferred import REQUEUE_DELAY_LIMIT_S
from core.queueing.transaction import OPERATIONS_LIMIT
from protocols.stomp.dialect import ACTIVEMQ, DIALECTS, Dialect
from protocols.stomp.session import DELAY_LIMIT_MS
from tests.protocols.stomp.peer import VERSIONS, Answer, StompPeer, bodies, refused
from tests.protocols.world import World

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture
def world() -> World:
    return World()


def holding(world: World, version: str = "1.2", dialect: Dialect = DIALECTS[0]) -> tuple[StompPeer, Answer]:
    peer = StompPeer(world, version, dialect=dialect)
    peer.subscribe("/queue/q", "client-individual")
    (message,) = peer.send("/queue/q", b"x")
    return peer, message


@each_dialect
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("headers", [{"delay": "1500"}, {"delay": "1500", "requeue": "true"}])
def test_a_message_comes_back_after_a_delay(
    world: World, version: str, dialect: Dialect, headers: dict[str, str]
) -> None:
    peer, message = holding(world, version, dialect)
    assert peer.nack(message, **headers) == []
    world.advance(1.4)
    assert peer.heard() == []
    world.advance(0.2)
    (again,) = peer.heard()
    assert (again.body, again["redelivered"]) == (b"x", "true")
    assert peer.ack(again) == []
    assert world.broker.vhosts["/"].queues["q"].unsettled_count == 0


def test_a_delay_without_a_requeue_delays_nothing(world: World) -> None:
    peer, message = holding(world)
    peer.nack(message, requeue="false", delay="1000")
    world.advance(2)
    assert peer.heard() == []
    assert world.broker.vhosts["/"].queues["q"].ready_count == 0


def test_others_do_not_wait_for_what_is_delayed(world: World) -> None:
    peer, message = holding(world)
    peer.nack(message, delay="1000")
    assert bodies(peer.send("/queue/q", b"y")) == [b"y"]


def test_a_cumulative_nack_delays_everything_before_it(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q", "client")
    for number in range(3):
        peer.wire.connection.receive(b"SEND\ndestination:/queue/q\n\n%d\0" % number)
    messages = peer.heard()
    peer.nack(messages[1], delay="500")
    world.advance(1)
    assert bodies(peer.heard()) == [b"0", b"1"]


def test_a_delay_outlives_the_connection(world: World) -> None:
    peer, message = holding(world)
    peer.nack(message, delay="1000")
    peer.hang_up()
    other = StompPeer(world)
    assert other.subscribe("/queue/q") == []
    world.advance(1.1)
    assert bodies(other.heard()) == [b"x"]


@pytest.mark.parametrize("text", ["-1", "soon", "", "1.5", str(DELAY_LIMIT_MS + 1)])
def test_a_bad_delay_is_an_error(world: World, text: str) -> None:
    peer, message = holding(world)
    refused(peer.nack(message, delay=text), "Invalid header", "delay")
    assert world.broker.vhosts["/"].queues["q"].ready_count == 1


def test_the_longest_delay(world: World) -> None:
    assert DELAY_LIMIT_MS == REQUEUE_DELAY_LIMIT_S * 1000
    peer, message = holding(world)
    assert peer.nack(message, delay=str(DELAY_LIMIT_MS)) == []


@pytest.mark.parametrize("end", ["COMMIT", "ABORT"])
def test_the_delay_begins_when_the_transaction_commits(world: World, end: str) -> None:
    peer, message = holding(world)
    peer.say("BEGIN", {"transaction": "t"})
    peer.nack(message, transaction="t", delay="1000")
    peer.world.advance(5)
    assert peer.heard() == []
    assert peer.say(end, {"transaction": "t"}) == []
    if end == "ABORT":
        assert peer.ack(message) == []
        return
    world.advance(0.9)
    assert peer.heard() == []
    world.advance(0.2)
    assert bodies(peer.heard()) == [b"x"]


def test_an_open_transaction_gives_back_what_it_would_delay_when_its_connection_ends(world: World) -> None:
    peer, message = holding(world)
    peer.say("BEGIN", {"transaction": "t"})
    peer.nack(message, transaction="t", delay="1000")
    peer.hang_up()
    assert world.broker.vhosts["/"].queues["q"].ready_count == 1


def test_delays_in_a_transaction_have_a_limit(world: World) -> None:
    peer, message = holding(world)
    peer.say("BEGIN", {"transaction": "t"})
    found = peer.session.transactions._open["t"]
    (_, entry) = next(iter(peer.session.subscriptions._by_key["T_0"].unsettled._entries.items()))
    found.later.extend([(entry, 1.0)] * OPERATIONS_LIMIT)
    refused(peer.nack(message, transaction="t", delay="1"), "resource_error", str(OPERATIONS_LIMIT))


# What a redelivered message says


@pytest.mark.parametrize("version", VERSIONS)
def test_a_redelivered_message_says_how_often(world: World, version: str) -> None:
    peer, message = holding(world, version)
    assert (message["redelivered"], message.headers.get("x-delivery-count")) == ("false", None)
    for count in ("1", "2", "3"):
        (message,) = peer.nack(message)
        assert (message["redelivered"], message["x-delivery-count"]) == ("true", count)


def test_what_a_lost_connection_had_is_redelivered(world: World) -> None:
    peer, _ = holding(world)
    peer.hang_up()
    (message,) = StompPeer(world, dialect=ACTIVEMQ).subscribe("/queue/q")
    assert (message["redelivered"], message["JMSXDeliveryCount"]) == ("true", "2")


# Priorities of consumers


@pytest.mark.parametrize("header", ["x-priority", "activemq.priority"])
def test_a_consumer_with_a_higher_priority_comes_first(world: World, header: str) -> None:
    low, high = StompPeer(world), StompPeer(world)
    low.subscribe("/queue/q", **{header: "-5"})
    high.subscribe("/queue/q", **{header: "5"})
    sender = StompPeer(world)
    for number in range(3):
        sender.send("/queue/q", b"%d" % number)
    assert (len(low.heard()), len(high.heard())) == (0, 3)


@pytest.mark.parametrize("transaction", [{}, {"transaction": "t"}])
def test_no_room_for_the_queue_of_dead_letters_costs_no_message(world: World, transaction: dict[str, str]) -> None:
    peer, message = holding(world, dialect=ACTIVEMQ)
    peer.say("BEGIN", {"transaction": "t"})
    usage = world.broker.surroundings.usage
    usage.limit_bytes = usage.defined_bytes
    refused(peer.nack(message, **transaction), "resource_error", "memory")
    queue = world.broker.vhosts["/"].queues["q"]
    assert (queue.ready_count, queue.unsettled_count) == (1, 0)
