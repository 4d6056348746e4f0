"""SUBSCRIBE and UNSUBSCRIBE: what each kind of destination gives, and to whom."""

import pytest

from core.access import EVERYTHING, NOTHING, Permission, User
from protocols.stomp.subscription import SUBSCRIPTIONS_LIMIT
from protocols.stomp.temporaries import TEMPORARY_LIMIT
from tests.protocols.stomp.peer import VERSIONS, StompPeer, answers, bodies, escaped, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("version", VERSIONS)
def test_message_says_where_it_comes_from(world: World, version: str) -> None:
    peer = StompPeer(world, version)
    peer.subscribe("/queue/q", "client", "s1")
    (message,) = peer.send("/queue/q", b"body")
    assert message["subscription"] == "s1"
    assert message["destination"] == "/queue/q"
    assert message["redelivered"] == "false"
    assert message["content-length"] == "4"
    assert message["message-id"].endswith(f"@@{peer.connected['session']}@@1")
    assert message.headers.get("ack") == (message["message-id"] if version == "1.2" else None)


@pytest.mark.parametrize(
    "destination", ["/queue/a.b", "/topic/a.b%2Fc", "/exchange/amq.fanout", "/exchange/amq.direct/k%25", "/topic/ä:b"]
)
def test_a_destination_is_said_in_one_form(world: World, destination: str) -> None:
    peer = StompPeer(world)
    peer.subscribe(destination)
    (message,) = peer.send(destination)
    assert message["destination"] == escaped(destination)


def test_a_queue_takes_turns(world: World) -> None:
    first, second, sender = StompPeer(world), StompPeer(world), StompPeer(world)
    first.subscribe("/queue/q")
    second.subscribe("/queue/q")
    for number in range(6):
        sender.send("/queue/q", b"%d" % number)
    assert (bodies(first.heard()), bodies(second.heard())) == ([b"0", b"2", b"4"], [b"1", b"3", b"5"])


def test_every_topic_subscription_gets_its_own_copy(world: World) -> None:
    peer, other = StompPeer(world), StompPeer(world)
    peer.subscribe("/topic/a.*", number="1")
    peer.subscribe("/topic/#", number="2", ack="client")
    other.subscribe("/topic/a.b")
    messages = peer.send("/topic/a.b", b"x")
    assert sorted([message["subscription"] for message in messages]) == ["1", "2"]
    assert bodies(other.heard()) == [b"x"]


def test_a_topic_subscription_gets_nothing_from_before(world: World) -> None:
    peer = StompPeer(world)
    peer.send("/topic/t", b"before")
    assert peer.subscribe("/topic/t", "client") == []
    assert bodies(peer.send("/topic/t", b"after")) == [b"after"]


@pytest.mark.parametrize("ack", ["auto", "client", "client-individual"])
@pytest.mark.parametrize("destination", ["/topic/a.*", "/exchange/amq.topic/a.*"])
def test_unsubscribing_ends_the_copies_and_leaves_nothing(world: World, ack: str, destination: str) -> None:
    peer = StompPeer(world)
    peer.subscribe(destination, ack)
    assert len(peer.send("/topic/a.b")) == 1
    peer.say("UNSUBSCRIBE", {"id": "0"})
    assert peer.send("/topic/a.b") == []
    vhost = world.broker.vhosts["/"]
    assert not vhost.queues
    assert not vhost.exchanges["amq.topic"].bindings
    assert not peer.session.client._exclusive


def test_a_queue_that_a_topic_is_acknowledged_from_ends_with_the_connection(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/a", "client")
    assert len(world.broker.vhosts["/"].queues) == 1
    peer.hang_up()
    assert not world.broker.vhosts["/"].queues


def test_an_exchange_is_subscribed_to_with_a_binding_key(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/exchange/amq.direct/k")
    assert peer.send("/exchange/amq.direct/other") == []
    assert len(peer.send("/exchange/amq.direct/k")) == 1
    refused(peer.subscribe("/exchange/nope/k", number="1"), "not_found", "no exchange 'nope'")


def test_an_existing_queue_must_exist(world: World) -> None:
    sender = StompPeer(world)
    sender.send("/queue/q", b"x")
    peer = StompPeer(world)
    assert bodies(peer.subscribe("/amq/queue/q")) == [b"x"]
    refused(peer.subscribe("/amq/queue/nope", number="1"), "not_found", "no queue 'nope'")


def test_a_queue_is_declared_as_the_headers_say(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q", durable="false", auto_delete="true", **{"x-max-length": "10"})
    queue = world.broker.vhosts["/"].queues["q"]
    assert (queue.durable, queue.auto_delete, queue.arguments) == (False, True, {"x-max-length": 10})
    refused(StompPeer(world).subscribe("/queue/q"), "precondition_failed", "durable")
    peer.say("UNSUBSCRIBE", {"id": "0"})
    assert "q" not in world.broker.vhosts["/"].queues


def test_an_exclusive_queue_is_locked_to_others(world: World) -> None:
    StompPeer(world).subscribe("/queue/q", exclusive="true", durable="false")
    refused(StompPeer(world).subscribe("/queue/q"), "resource_locked", "locked queue 'q'")


def test_a_durable_topic_subscription_outlives_its_connection(world: World) -> None:
    durable = {"durable": "true", "auto-delete": "false"}
    peer = StompPeer(world)
    peer.subscribe("/topic/t", "client", "mine", **durable)
    peer.hang_up()
    StompPeer(world).send("/topic/t", b"meanwhile")
    again = StompPeer(world)
    (message,) = again.subscribe("/topic/t", "client", "mine", **durable)
    assert (message.body, message["destination"]) == (b"meanwhile", "/topic/t")
    again.ack(message)
    again.say("UNSUBSCRIBE", {"id": "mine"} | durable)
    assert not world.broker.vhosts["/"].queues


def test_a_durable_topic_subscription_stays_when_unsubscribing_does_not_say_so(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", number="mine", durable="true", auto_delete="false", **{"x-queue-name": "named"})
    peer.say("UNSUBSCRIBE", {"id": "mine"})
    peer.send("/topic/t", b"x")
    assert world.broker.vhosts["/"].queues["named"].ready_count == 1


def test_a_queue_is_not_deleted_by_unsubscribing(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q")
    peer.say("UNSUBSCRIBE", {"id": "0", "durable": "true", "auto-delete": "false"})
    assert "q" in world.broker.vhosts["/"].queues


def test_a_durable_subscription_needs_an_id() -> None:
    peer = StompPeer(World(), "1.0")
    headers = {"destination": "/topic/t", "durable": "true", "auto-delete": "false"}
    refused(peer.say("SUBSCRIBE", headers), "Missing header", "'id'")


@pytest.mark.parametrize(
    ("headers", "message", "about"),
    [
        ({"id": "1"}, "Missing destination", "SUBSCRIBE"),
        ({"destination": "/queue/q"}, "Missing header", "'id'"),
        ({"id": "0", "destination": "/queue/q"}, "Duplicated subscription identifier", "'0'"),
        ({"id": "1", "destination": "/queue/q", "ack": "other"}, "Invalid header", "'other'"),
        ({"id": "1", "destination": "/queue/q", "prefetch-count": "-1"}, "Invalid header", "prefetch-count"),
        ({"id": "1", "destination": "/queue/q", "prefetch-count": "many"}, "Invalid header", "prefetch-count"),
        ({"id": "1", "destination": "/queue/q", "selector": "a = "}, "precondition_failed", "column 4"),
        ({"id": "1", "destination": "/queue/q", "browser": "yes"}, "Invalid header", "browser"),
        ({"id": "1", "destination": "/topic/q", "browser": "true"}, "Invalid destination", "'/topic/q'"),
        ({"id": "1", "destination": "/queue/q,/queue/r", "browser": "true"}, "Invalid destination", "only one queue"),
        ({"id": "1", "destination": "/topic/t", "activemq.subscriptionName": "n"}, "Missing header", "'client-id'"),
        ({"id": "1", "destination": "/queue/q", "activemq.subscriptionName": "n"}, "Invalid destination", "'n'"),
        ({"id": "1", "destination": "/queue/q", "x-priority": "high"}, "Invalid header", "x-priority"),
        ({"id": "1", "destination": "/queue/q,/nowhere/r"}, "Unknown destination", "'/nowhere/r'"),
        ({"id": "1", "destination": "/queue/new", "durable": "maybe"}, "Invalid header", "durable"),
        ({"id": "1", "destination": "/queue/new", "x-expires": "soon"}, "Invalid header", "x-expires"),
    ],
)
def test_a_bad_subscribe_is_an_error(world: World, headers: dict[str, str], message: str, about: str) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q", number="0")
    answer = peer.say("SUBSCRIBE", headers | {"receipt": "r"})
    refused(answer, message, about)
    assert [frame.command for frame in answer] == ["ERROR"]
    assert answer[0]["receipt-id"] == "r"
    assert peer.closed


@pytest.mark.parametrize("headers", [{}, {"destination": "/queue/q"}, {"id": "nope"}])
def test_unsubscribing_from_nothing_is_an_error(world: World, headers: dict[str, str]) -> None:
    peer = StompPeer(world)
    assert peer.say("UNSUBSCRIBE", headers)[-1].command == "ERROR"
    assert peer.closed


def test_what_was_not_acknowledged_goes_back_when_unsubscribing(world: World) -> None:
    peer, other = StompPeer(world), StompPeer(world)
    peer.subscribe("/queue/q", "client")
    peer.send("/queue/q", b"1")
    peer.send("/queue/q", b"2")
    peer.say("UNSUBSCRIBE", {"id": "0"})
    messages = other.subscribe("/queue/q")
    assert [(m.body, m["redelivered"]) for m in messages] == [(b"1", "true"), (b"2", "true")]


def test_a_queue_that_is_deleted_ends_its_subscribers(world: World) -> None:
    """As RabbitMQ: a client that waits for nothing must learn it."""
    peer = StompPeer(world)
    peer.subscribe("/queue/q")
    world.broker.vhosts["/"].remove_queue(world.broker.vhosts["/"].queues["q"])
    refused(peer.heard(), "Server cancelled subscription")
    assert peer.closed


def test_subscriptions_have_a_limit(world: World) -> None:
    peer = StompPeer(world)
    for number in range(SUBSCRIPTIONS_LIMIT):
        peer.wire.connection.receive(f"SUBSCRIBE\nid:{number}\ndestination:/topic/t\n\n\0".encode())
    assert peer.heard() == []
    refused(peer.subscribe("/topic/t", number="more"), "resource_error", str(SUBSCRIPTIONS_LIMIT))
    assert not world.broker.vhosts["/"].exchanges["amq.topic"].bindings


# Permissions


@pytest.mark.parametrize(
    ("command", "destination"),
    [
        ("SEND", "/queue/mine"),
        ("SEND", "/topic/t"),
        ("SEND", "/exchange/amq.direct/k"),
        ("SUBSCRIBE", "/queue/mine"),
        ("SUBSCRIBE", "/topic/t"),
        ("SUBSCRIBE", "/exchange/amq.direct/k"),
    ],
)
def test_who_may_nothing_is_refused(world: World, command: str, destination: str) -> None:
    user = world.broker.users["nobody"] = User("nobody")
    user.permissions["/"] = Permission(NOTHING, NOTHING, NOTHING)
    peer = StompPeer(world, user="nobody")
    refused(peer.say(command, {"id": "0", "destination": destination}), "access_refused", "user 'nobody'")
    assert not world.broker.vhosts["/"].queues


def test_a_topic_permission_counts(world: World) -> None:
    user = world.broker.users["nobody"] = User("nobody")
    user.permissions["/"] = Permission(EVERYTHING, EVERYTHING, EVERYTHING, NOTHING, NOTHING)
    refused(StompPeer(world, user="nobody").send("/topic/t"), "access_refused", "topic 't'")
    refused(StompPeer(world, user="nobody").subscribe("/topic/t"), "access_refused", "topic 't'")


# Temporary queues


def test_answers_to_a_temporary_queue_come_without_a_subscribe(world: World) -> None:
    asker, answerer = StompPeer(world), StompPeer(world)
    answerer.subscribe("/queue/q")
    asker.send("/queue/q", b"question", reply_to="/temp-queue/mine")
    (question,) = answerer.heard()
    assert question["reply-to"].startswith("/reply-queue/amq.gen-")
    answerer.send(question["reply-to"], b"answer")
    (answer,) = asker.heard()
    assert (answer.body, answer["subscription"]) == (b"answer", "/temp-queue/mine")


def test_a_temporary_queue_can_be_subscribed_to_before(world: World) -> None:
    asker, answerer = StompPeer(world), StompPeer(world)
    answerer.subscribe("/queue/q")
    asker.subscribe("/temp-queue/mine", "client", "t")
    for _ in range(2):
        asker.send("/queue/q", b"question", reply_to="/temp-queue/mine")
    questions = answerer.heard()
    assert len({question["reply-to"] for question in questions}) == 1
    answerer.send(questions[0]["reply-to"], b"answer")
    (answer,) = asker.heard()
    assert answer["subscription"] == "t"


def test_a_temporary_queue_can_be_sent_to_by_its_owner(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/temp-queue/mine")
    assert bodies(peer.send("/temp-queue/mine", b"x")) == [b"x"]
    assert bodies(StompPeer(world).send("/temp-queue/mine", b"x")) == []


def test_a_temporary_queue_ends_with_its_connection(world: World) -> None:
    peer = StompPeer(world)
    peer.send("/queue/q", reply_to="/temp-queue/mine")
    assert len(world.broker.vhosts["/"].queues) == 2
    peer.hang_up()
    assert list(world.broker.vhosts["/"].queues) == ["q"]


def test_a_temporary_queue_that_was_unsubscribed_from_comes_back_when_asked_for(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q", number="q")
    peer.send("/queue/q", reply_to="/temp-queue/mine")
    peer.say("UNSUBSCRIBE", {"id": "/temp-queue/mine"})
    (question,) = peer.send("/queue/q", reply_to="/temp-queue/mine")
    (answer,) = peer.send(question["reply-to"], b"answer")
    assert answer["subscription"] == "/temp-queue/mine"


def test_an_id_that_looks_like_a_temporary_queue_is_in_the_way_of_its_answers(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q", number="/temp-queue/mine")
    refused(peer.send("/queue/q", reply_to="/temp-queue/mine"), "Duplicated subscription identifier")


def test_an_id_that_no_message_could_repeat_is_refused(world: World) -> None:
    """A carriage return has no escape in 1.1."""
    peer = StompPeer(world, "1.1")
    refused(answers(peer.wire.send(b"SUBSCRIBE\nid:a\rb\ndestination:/queue/q\n\n\0")), "Invalid header", "repeated")


def test_temporary_queues_have_a_limit(world: World) -> None:
    peer = StompPeer(world)
    for number in range(TEMPORARY_LIMIT):
        peer.wire.connection.receive(b"SEND\ndestination:/temp-queue/%d\n\n\0" % number)
    refused(peer.send("/temp-queue/more"), "resource_error", "temporary")
