"""Temporary topics, and what ActiveMQ's clients see of temporary queues. (RabbitMQ's way with those: `test_subscribe`.)"""

import pytest

from protocols.stomp.dialect import ACTIVEMQ, DIALECTS, Dialect
from protocols.stomp.temporaries import TEMPORARY_LIMIT
from tests.protocols.stomp.peer import StompPeer, bodies, refused
from tests.protocols.world import World

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture
def world() -> World:
    return World()


def question(asker: StompPeer, answerer: StompPeer, reply_to: str) -> str:
    """Ask, and return where the other one is to answer."""
    answerer.subscribe("/queue/q", number="q")
    asker.send("/queue/q", b"?", reply_to=reply_to)
    (message,) = answerer.heard()
    assert message["reply-to"].startswith("/reply-queue/amq.")
    return message["reply-to"]


@each_dialect
@pytest.mark.parametrize("ack", ["auto", "client"])
def test_an_answer_at_a_temporary_topic_reaches_every_subscription(world: World, dialect: Dialect, ack: str) -> None:
    asker, answerer = StompPeer(world, dialect=dialect), StompPeer(world)
    asker.subscribe("/temp-topic/mine", ack, "1")
    asker.subscribe("/temp-topic/mine", ack, "2")
    asker.subscribe("/temp-topic/other", ack, "3")
    answerer.send(question(asker, answerer, "/temp-topic/mine"), b"answer")
    answers = asker.heard()
    assert [(answer.body, answer["subscription"]) for answer in answers] == [(b"answer", "1"), (b"answer", "2")]
    assert {answer["destination"] for answer in answers} == {"/temp-topic/mine"}


def test_answers_without_a_subscription_are_lost(world: World) -> None:
    asker, answerer = StompPeer(world), StompPeer(world)
    where = question(asker, answerer, "/temp-topic/mine")
    answerer.send(where, b"lost")
    asker.subscribe("/temp-topic/mine")
    answerer.send(where, b"answer")
    assert bodies(asker.heard()) == [b"answer"]


def test_two_connections_have_topics_of_their_own(world: World) -> None:
    first, second = StompPeer(world), StompPeer(world)
    for peer in (first, second):
        peer.subscribe("/temp-topic/mine")
    assert bodies(first.send("/temp-topic/mine", b"x")) == [b"x"]
    assert second.heard() == []


@pytest.mark.parametrize("ack", ["auto", "client"])
def test_a_temporary_topic_ends_with_its_connection(world: World, ack: str) -> None:
    asker, answerer = StompPeer(world), StompPeer(world)
    asker.subscribe("/temp-topic/mine", ack)
    where = question(asker, answerer, "/temp-topic/mine")
    asker.hang_up()
    (receipt,) = answerer.send(where, b"answer", receipt="r")
    assert receipt.command == "RECEIPT"
    vhost = world.broker.vhosts["/"]
    assert list(vhost.queues) == ["q"]
    assert len(vhost.default_exchange.bindings) == 1


@pytest.mark.parametrize("form", ["/remote-temp-queue/", "/remote-temp-topic/", "/reply-queue/"])
def test_activemqs_names_for_the_way_of_an_answer_are_understood(world: World, form: str) -> None:
    asker, answerer = StompPeer(world, dialect=ACTIVEMQ), StompPeer(world, dialect=ACTIVEMQ)
    asker.subscribe("/temp-queue/mine")
    where = question(asker, answerer, "/temp-queue/mine")
    answerer.send(where.replace("/reply-queue/", form), b"answer")
    (answer,) = asker.heard()
    assert (answer.body, answer["destination"]) == (b"answer", "/temp-queue/mine")


def test_activemqs_clients_subscribe_to_their_answers_themselves(world: World) -> None:
    """An answer that nobody waits for yet is kept, and an id that nobody knows is not made up."""
    asker, answerer = StompPeer(world, dialect=ACTIVEMQ), StompPeer(world)
    answerer.send(question(asker, answerer, "/temp-queue/mine"), b"answer")
    assert asker.heard() == []
    (answer,) = asker.subscribe("/temp-queue/mine", number="t")
    assert (answer.body, answer["subscription"]) == (b"answer", "t")


def test_a_temporary_queue_of_activemq_stays_until_the_connection_ends(world: World) -> None:
    asker, answerer = StompPeer(world, dialect=ACTIVEMQ), StompPeer(world)
    asker.subscribe("/temp-queue/mine", number="t")
    where = question(asker, answerer, "/temp-queue/mine")
    asker.say("UNSUBSCRIBE", {"id": "t"})
    answerer.send(where, b"answer")
    assert bodies(asker.subscribe("/temp-queue/mine", number="u")) == [b"answer"]
    asker.hang_up()
    assert list(world.broker.vhosts["/"].queues) == ["q"]


def test_nobody_else_can_consume_a_temporary_queue(world: World) -> None:
    asker, answerer = StompPeer(world), StompPeer(world)
    where = question(asker, answerer, "/temp-queue/mine")
    refused(answerer.subscribe(where, number="x"), "resource_locked", "amq.gen-")


def test_nobody_else_can_listen_to_a_temporary_topic(world: World) -> None:
    asker, answerer = StompPeer(world), StompPeer(world)
    asker.subscribe("/temp-topic/mine")
    where = question(asker, answerer, "/temp-topic/mine")
    refused(answerer.subscribe(where, number="x"), "not_found", "amq.rabbitmq.reply-to")


def test_a_dead_connections_place_answers_nobody(world: World) -> None:
    asker, answerer = StompPeer(world), StompPeer(world)
    asker.subscribe("/temp-queue/mine")
    where = question(asker, answerer, "/temp-queue/mine")
    asker.hang_up()
    (receipt,) = answerer.send(where, b"answer", receipt="r")
    assert receipt.command == "RECEIPT"


def test_temporary_topics_have_a_limit(world: World) -> None:
    peer = StompPeer(world)
    for number in range(TEMPORARY_LIMIT):
        peer.wire.connection.receive(b"SEND\ndestination:/temp-topic/%d\n\n\0" % number)
    refused(peer.send("/temp-topic/more"), "resource_error", "temporary topics")
