"""What a listener's dialect decides, where RabbitMQ and ActiveMQ contradict each other."""

import pytest

from core.model.message import Message
from core.model.properties import Properties, Stated
from protocols.stomp.connection import StompConnection
from protocols.stomp.dialect import ACTIVEMQ, DIALECTS, RABBITMQ, Dialect
from tests.protocols.stomp.peer import VERSIONS, Answer, StompPeer, answers, bodies, frame, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def holding(world: World, dialect: Dialect, version: str = "1.2") -> tuple[StompPeer, Answer]:
    """Return a peer with one message of `/queue/q` that waits for its ACK."""
    peer = StompPeer(world, version, dialect=dialect)
    peer.subscribe("/queue/q", "client-individual")
    (message,) = peer.send("/queue/q", b"x")
    return peer, message


# NACK


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_nack_requeues_for_rabbitmq(world: World, version: str) -> None:
    peer, message = holding(world, RABBITMQ, version)
    (again,) = peer.nack(message)
    assert (again.body, again["redelivered"], again["x-delivery-count"]) == (b"x", "true", "1")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_nack_is_the_death_of_a_message_for_activemq(world: World, version: str) -> None:
    peer, message = holding(world, ACTIVEMQ, version)
    assert peer.nack(message) == []
    grave = world.broker.vhosts["/"].queues["ActiveMQ.DLQ"]
    assert (grave.durable, grave.ready_count) == (True, 1)
    (letter,) = StompPeer(world, dialect=ACTIVEMQ).subscribe("/queue/ActiveMQ.DLQ")
    assert (letter.body, letter["x-first-death-queue"], letter["x-first-death-reason"]) == (b"x", "q", "rejected")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_requeue_wins_over_the_dialect(world: World, dialect: Dialect) -> None:
    peer, message = holding(world, dialect)
    (again,) = peer.nack(message, requeue="true")
    assert again["redelivered"] == "true"
    assert peer.nack(again, requeue="false") == []
    assert world.broker.vhosts["/"].queues["q"].unsettled_count == 0


def test_a_queue_with_a_place_for_dead_letters_keeps_it_in_activemqs_dialect(world: World) -> None:
    peer = StompPeer(world, dialect=ACTIVEMQ)
    peer.subscribe("/queue/dead", number="dead")
    peer.subscribe("/queue/q", "client", "q", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    (message,) = peer.send("/queue/q", b"x")
    (letter,) = peer.nack(message)
    assert (letter.body, letter["destination"]) == (b"x", "/queue/dead")
    assert "ActiveMQ.DLQ" not in world.broker.vhosts["/"].queues


def test_what_is_refused_from_the_grave_is_gone(world: World) -> None:
    peer, message = holding(world, ACTIVEMQ)
    peer.nack(message)
    (letter,) = peer.subscribe("/queue/ActiveMQ.DLQ", "client", "d")
    assert peer.nack(letter) == []
    queue = world.broker.vhosts["/"].queues["ActiveMQ.DLQ"]
    assert (queue.ready_count, queue.unsettled_count) == (0, 0)


def test_a_dead_letter_of_a_transaction_is_sent_when_it_commits(world: World) -> None:
    peer, message = holding(world, ACTIVEMQ)
    peer.say("BEGIN", {"transaction": "t"})
    peer.nack(message, transaction="t")
    grave = world.broker.vhosts["/"].queues["ActiveMQ.DLQ"]
    assert grave.ready_count == 0
    peer.say("COMMIT", {"transaction": "t"})
    assert grave.ready_count == 1


# Ids


@pytest.mark.parametrize("version", VERSIONS)
def test_the_form_of_an_id(world: World, version: str) -> None:
    _, by_rabbitmq = holding(World(), RABBITMQ, version)
    assert by_rabbitmq["message-id"] == "T_1@@session-unique-1@@1"
    _, by_activemq = holding(World(), ACTIVEMQ, version)
    colon = ":" if version == "1.0" else "\\c"
    assert by_activemq["message-id"] == f"ID{colon}session-unique-1{colon}1{colon}1"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("unescaped", [False, True])
def test_an_id_is_understood_when_it_comes_back(world: World, version: str, dialect: Dialect, unescaped: bool) -> None:
    """Some clients repeat the octets that they were given, others what they mean."""
    peer, message = holding(world, dialect, version)
    if unescaped:
        message = Answer(message.command, {n: v.replace("\\c", ":") for n, v in message.headers.items()}, b"")
    (receipt,) = peer.ack(message, receipt="r")
    assert receipt.command == "RECEIPT"
    assert world.broker.vhosts["/"].queues["q"].unsettled_count == 0


@pytest.mark.parametrize("text", ["", "1", "ID:", "ID:session-unique-1:1:", "ID:other:1:1", "ID:session-unique-1:1:2"])
def test_an_id_that_names_nothing_is_an_error(world: World, text: str) -> None:
    peer, _ = holding(world, ACTIVEMQ)
    refused(peer.say("ACK", {"id": text, "receipt": "r"}), "Invalid header", "waits to be acknowledged")


# Prefetch


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_the_dialects_own_prefetch_header_counts_and_the_others_is_understood(world: World, dialect: Dialect) -> None:
    sender = StompPeer(world)
    for number in range(5):
        sender.send("/queue/q", b"%d" % number)
    own, other = dialect.prefetch_headers
    peer = StompPeer(world, dialect=dialect)
    assert len(peer.subscribe("/queue/q", "client", **{own: "2", other: "3"})) == 2
    peer.hang_up()
    assert len(StompPeer(world, dialect=dialect).subscribe("/queue/q", "client", **{other: "3"})) == 3


def test_activemqs_clients_hold_a_thousand_messages_unless_they_say_so(world: World) -> None:
    sender = StompPeer(world)
    for _ in range(1_001):
        sender.wire.connection.receive(b"SEND\ndestination:/queue/q\n\nx\0")
    peer = StompPeer(world, dialect=ACTIVEMQ)
    assert len(peer.subscribe("/queue/q", "client")) == 1_000
    peer.hang_up()
    assert len(StompPeer(world).subscribe("/queue/q", "client")) == 1_001


# MESSAGE


def test_activemqs_clients_are_told_the_defaults_and_no_first_delivery(world: World) -> None:
    _, message = holding(world, ACTIVEMQ)
    assert (message["priority"], message["expires"]) == ("4", "0")
    assert "redelivered" not in message.headers
    _, other = holding(World(), RABBITMQ)
    assert not {"priority", "expires"} & set(other.headers)
    assert other["redelivered"] == "false"


def test_what_was_said_is_not_replaced_by_a_default(world: World) -> None:
    peer = StompPeer(world, dialect=ACTIVEMQ)
    peer.subscribe("/queue/q")
    (message,) = peer.send("/queue/q", priority="7", expires="1700000001000")
    assert (message["priority"], message["expires"]) == ("7", "1700000001000")


def test_the_delivery_count_has_the_dialects_name(world: World) -> None:
    peer, message = holding(world, ACTIVEMQ)
    for count in ("2", "3"):
        (message,) = peer.nack(message, requeue="true")
        assert (message["redelivered"], message["JMSXDeliveryCount"]) == ("true", count)


@pytest.mark.parametrize(
    ("sent_by", "read_by", "sent", "read"),
    [
        (RABBITMQ, RABBITMQ, "1700000000", "1700000000"),
        (RABBITMQ, ACTIVEMQ, "1700000000", "1700000000000"),
        (ACTIVEMQ, RABBITMQ, "1700000000999", "1700000000"),
        (ACTIVEMQ, ACTIVEMQ, "1700000000999", "1700000000999"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_timestamp_has_the_dialects_unit(
    world: World, sent_by: Dialect, read_by: Dialect, sent: str, read: str, version: str
) -> None:
    reader, sender = StompPeer(world, version, dialect=read_by), StompPeer(world, dialect=sent_by)
    reader.subscribe("/queue/q")
    sender.send("/queue/q", timestamp=sent)
    (message,) = reader.heard()
    assert message["timestamp"] == read


def test_clients_of_both_dialects_read_one_topic(world: World) -> None:
    """The message keeps what it said last in one form only."""
    readers = [StompPeer(world, version, dialect=dialect) for version in VERSIONS for dialect in DIALECTS]
    for reader in readers:
        reader.subscribe("/topic/t")
    sender = StompPeer(world)
    for _ in range(2):
        sender.send("/topic/t", b"x", timestamp="1", odd="a\\cb")
        for reader in readers:
            (message,) = reader.heard()
            activemq = reader.wire.connection.dialect is ACTIVEMQ
            assert message["timestamp"] == ("1000" if activemq else "1")
            assert message.headers.get("priority") == ("4" if activemq else None)
            assert message["odd"] == ("a:b" if reader.version == "1.0" else "a\\cb")


def test_clients_of_both_dialects_read_a_message_of_another_protocol(world: World) -> None:
    """It keeps what it said last, for as many readers of one form as come one after the other."""
    readers = [StompPeer(world, version, dialect=dialect) for version in VERSIONS for dialect in DIALECTS]
    readers += [StompPeer(world, dialect=dialect) for dialect in DIALECTS for _ in range(2)]
    for reader in readers:
        reader.subscribe("/topic/t")
    exchange = world.broker.vhosts["/"].exchanges["amq.topic"]
    said = Properties({"odd": "a:b"})
    said.timestamp_s = 7
    message = Message(exchange.address("t"), b"x", 0, Stated(said))
    exchange.take(message)
    for reader in readers:
        (found,) = reader.heard()
        assert found["timestamp"] == ("7000" if reader.wire.connection.dialect is ACTIVEMQ else "7")
        assert found["odd"] == ("a:b" if reader.version == "1.0" else "a\\cb")


# Names


@pytest.mark.parametrize("destination", ["/queue/a/b", "/topic/a/b.c", "a/b"])
def test_a_slash_may_stand_in_a_name_of_activemq(world: World, destination: str) -> None:
    peer = StompPeer(world, dialect=ACTIVEMQ)
    peer.subscribe(destination)
    (message,) = peer.send(destination, b"x")
    assert message["destination"] == (destination if destination.startswith("/") else f"/queue/{destination}")
    if destination != "a/b":
        refused(StompPeer(world).send(destination), "Invalid destination", "%2F")


def test_percent_encoding_is_understood_in_both(world: World) -> None:
    by_activemq, by_rabbitmq = StompPeer(world, dialect=ACTIVEMQ), StompPeer(world)
    by_activemq.subscribe("/queue/a/b%2Cc")
    by_rabbitmq.send("/queue/a%2Fb%2Cc")
    (message,) = by_activemq.heard()
    assert message["destination"] == "/queue/a/b%2Cc"


def test_a_message_from_an_exchange_keeps_its_slashes_apart(world: World) -> None:
    peer = StompPeer(world, dialect=ACTIVEMQ)
    peer.subscribe("/exchange/amq.direct/a%2Fb")
    (message,) = peer.send("/exchange/amq.direct/a%2Fb")
    assert message["destination"] == "/exchange/amq.direct/a%2Fb"


def test_publishers_cannot_speak_for_the_broker(world: World) -> None:
    peer = StompPeer(world, dialect=ACTIVEMQ)
    peer.subscribe("/queue/q")
    (message,) = peer.send("/queue/q", b"x", browser="end", JMSXDeliveryCount="9", x_delivery_count="9")
    assert not {"browser", "JMSXDeliveryCount", "x-delivery-count"} & set(message.headers)
    assert bodies([message]) == [b"x"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_bare_name_is_a_topic_where_artemis_says_so(world: World, version: str) -> None:
    multicast = {"destination": "news", "destination-type": "MULTICAST"}
    peer, other = StompPeer(world, version, dialect=ACTIVEMQ), StompPeer(world, version)
    for reader in (peer, other):
        reader.say("SUBSCRIBE", {"id": "0", **multicast})
    StompPeer(world).say("SEND", multicast, b"x")
    for reader in (peer, other):
        (message,) = reader.heard()
        assert (message.body, message["destination"]) == (b"x", "/topic/news")
        assert "destination-type" not in message.headers
    assert not world.broker.vhosts["/"].queues
    peer.say("SUBSCRIBE", {"id": "1", "destination": "news", "destination-type": "ANYCAST"})
    assert list(world.broker.vhosts["/"].queues) == ["news"]


# CONNECT


def test_activemqs_clients_may_call_the_server_anything(world: World) -> None:
    """stomp.py and others say the name of the server as `host`, and ActiveMQ does not look at it."""
    world.broker.add_vhost("other")
    world.broker.users["guest"].permissions["other"] = world.broker.users["guest"].permissions["/"]
    for host, vhost in (("mq.example.org", "/"), ("/", "/"), ("other", "other")):
        assert StompPeer(world, dialect=ACTIVEMQ, host=host).session.client.vhost.name == vhost


def test_a_virtual_host_that_is_there_is_entered_by_permission_only(world: World) -> None:
    world.broker.add_vhost("other")
    for dialect, host in ((ACTIVEMQ, "other"), (RABBITMQ, "other"), (RABBITMQ, "mq.example.org")):
        wire = world.connect(StompConnection, dialect)
        said = {"accept-version": "1.2", "host": host, "login": "guest", "passcode": "guest"}
        refused(answers(wire.send(frame("CONNECT", said))), "Bad CONNECT", f"'{host}'")
