"""PUBLISH in and out at every QoS, and what becomes of messages that may not or cannot go on."""

import itertools

import pytest

from core.access import EVERYTHING, NOTHING, NamePattern, Permission, User
from core.model.message import Address, Message
from core.model.names import DEFAULT_VHOST
from core.model.properties import Native, Properties
from core.queueing.queue import Queue
from core.queueing.stock import REJECT_PUBLISH
from core.routing.binding import Binding
from protocols.mqtt.connection import MqttConnection
from protocols.mqtt.publishing import TARGETS_LIMIT
from tests.protocols.mqtt.peer import (
    PINGREQ,
    Answer,
    Client,
    Publish,
    connect,
    field,
    frame,
    puback,
    pubcomp,
    publish,
    pubrec,
    pubrel,
    read,
    subscribe,
)
from tests.protocols.world import World

PONG = Answer("PINGRESP")


@pytest.mark.parametrize(("published", "granted"), list(itertools.product(range(3), range(3))))
def test_the_delivered_qos_is_the_lower_of_both(world: World, published: int, granted: int) -> None:
    """[MQTT-3.8.4-6], with the exchanges of both sides played to their ends."""
    sender, receiver = Client(world, "sender"), Client(world, "receiver")
    receiver.subscribe(("a/+", granted))
    answers = [Answer(name, 7) for name in ((), ("PUBACK",), ("PUBREC", "PUBCOMP"))[published]]
    assert sender.publish("a/b", b"x", published, 7) == answers
    delivered = min(published, granted)
    assert receiver.take() == [Publish("a/b", b"x", delivered, 1 if delivered else 0)]
    if delivered == 1:
        assert receiver.send(puback(1)) == []
    elif delivered == 2:
        assert receiver.send(pubrec(1)) == [Answer("PUBREL", 1)]
        assert receiver.send(pubcomp(1)) == []
    assert world.broker.surroundings.usage.held_bytes == 0
    assert receiver.send(PINGREQ) == [PONG]


def test_a_client_gets_its_own_messages(world: World) -> None:
    client = Client(world)
    client.subscribe(("#", 0))
    assert client.publish("a", b"x") == [Publish("a", b"x")]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_keep_their_order(world: World, qos: int) -> None:
    """[MQTT-4.6.0-5]"""
    sender, receiver = Client(world, "sender"), Client(world, "receiver")
    receiver.subscribe(("a", 2))
    bodies = [b"%d" % number for number in range(200)]
    sender.send(*[publish("a", body, qos, number + 1) for number, body in enumerate(bodies)])
    assert [said.body for said in receiver.take() if isinstance(said, Publish)] == bodies


def test_acknowledgements_come_in_the_order_of_the_messages_and_in_one_write(world: World) -> None:
    """[MQTT-4.6.0-2], [MQTT-4.6.0-3]"""
    client = Client(world)
    chunk = b"".join(publish("a", b"x", qos, packet_id) for packet_id, qos in ((5, 1), (3, 2), (9, 1), (4, 2)))
    client.wire.connection.receive(chunk)
    output = client.wire.connection.take_output()
    assert len(output) == 1
    assert read(output[0]) == [Answer("PUBACK", 5), Answer("PUBREC", 3), Answer("PUBACK", 9), Answer("PUBREC", 4)]


def test_acknowledgements_are_not_overtaken_by_later_answers(world: World) -> None:
    client = Client(world)
    assert client.send(publish("a", b"x", 1, 5), PINGREQ, publish("a", b"x", 1, 6), subscribe(("b", 0))) == [
        Answer("PUBACK", 5),
        PONG,
        Answer("PUBACK", 6),
        Answer("SUBACK", 1, b"\0"),
    ]


def test_an_exactly_once_message_that_is_sent_again_is_delivered_once(world: World) -> None:
    """[MQTT-4.3.3-2]: the packet id decides, whatever the DUP flag says."""
    client = Client(world)
    client.subscribe(("a", 0))
    assert client.send(publish("a", b"x", 2, 9)) == [Publish("a", b"x"), Answer("PUBREC", 9)]
    assert client.send(publish("a", b"x", 2, 9, dup=True)) == [Answer("PUBREC", 9)]
    assert client.send(publish("a", b"x", 2, 9)) == [Answer("PUBREC", 9)]
    assert client.send(pubrel(9)) == [Answer("PUBCOMP", 9)]
    assert client.send(pubrel(9)) == [Answer("PUBCOMP", 9)]
    assert client.send(publish("a", b"y", 2, 9, dup=True)) == [Publish("a", b"y"), Answer("PUBREC", 9)]


def test_dup_goes_no_further(world: World) -> None:
    """[MQTT-3.3.1-3]"""
    client = Client(world)
    client.subscribe(("a", 1))
    assert client.send(publish("a", b"x", 1, 9, dup=True))[0] == Publish("a", b"x", 1, 1)


def test_packet_ids_are_used_again_and_those_in_flight_are_not(world: World) -> None:
    """[MQTT-2.3.1-2], [MQTT-2.3.1-4]"""
    client = Client(world)
    client.subscribe(("a", 1))
    client.send(publish("a", b"kept", 1, 1))
    for _ in range(65_534):
        client.wire.connection.receive(publish("a", b"", 1, 1))
        (said, _) = read(b"".join(client.wire.connection.take_output()))
        assert isinstance(said, Publish)
        client.wire.connection.receive(puback(said.packet_id))
        client.wire.connection.sent(0)
    assert said.packet_id == 65_535
    assert client.publish("a", b"", 1)[0] == Publish("a", b"", 1, 2)  # 1 is still the first one's


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_000, 16_384, 16_385, 200_000])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_bodies_of_any_size_arrive_whole(world: World, size: int, qos: int) -> None:
    sender, receiver = Client(world, "sender"), Client(world, "receiver")
    receiver.subscribe(("a", 2))
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    sender.publish("a", body, qos)
    assert receiver.take() == [Publish("a", body, qos, 1 if qos else 0)]


def test_a_message_beyond_the_limit_closes_the_connection_before_it_has_come(world: World) -> None:
    world.broker.message_limit_bytes = 100_000
    sender = Client(world)
    body = bytes(100_000)
    assert sender.publish("a" * 65_535, body, 1) == [Answer("PUBACK", 1)]
    sender.send(frame(0x30, field("a") + bytes(100_000 + 65_540))[:100])
    assert sender.closed
    assert sender.notes[0][0] == "protocol error"


def test_many_topics_of_one_client_are_told_apart(world: World) -> None:
    client = Client(world)
    client.subscribe(("#", 0))
    for _ in range(2):
        for number in range(TARGETS_LIMIT + 10):
            assert client.publish(f"a/{number}", b"") == [Publish(f"a/{number}", b"")]
    long = "long/" + "x" * 1_000
    assert client.publish(long, b"") == [Publish(long, b"")]


class Prefix(NamePattern):
    """Covers what begins with some text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def matches(self, name: str) -> bool:
        return name.startswith(self.text)


def add_user(world: World, permission: Permission) -> None:
    user = User("limited")
    user.permissions[DEFAULT_VHOST] = permission
    world.broker.users["limited"] = user
    world.passwords["limited"] = b"secret"


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("topic", ["closed/a", "$SYS/x"])
def test_a_denied_publish_is_acknowledged_dropped_and_counted(world: World, qos: int, topic: str) -> None:
    """[MQTT-3.3.5-2]"""
    add_user(world, Permission(EVERYTHING, EVERYTHING, EVERYTHING, write_topics=Prefix("open.")))
    client, watcher = Client(world, "limited", username="limited", password=b"secret"), Client(world, "watcher")
    watcher.subscribe(("#", 2), ("$SYS/#", 2))
    for packet_id in (1, 2):
        names = ((), ("PUBACK",), ("PUBREC", "PUBCOMP"))[qos]
        assert client.publish(topic, b"x", qos, packet_id, retain=True) == [Answer(name, packet_id) for name in names]
    assert client.publish("open/a", b"y", 1) == [Answer("PUBACK", 1)]
    assert watcher.take() == [Publish("open/a", b"y", 1, 1)]
    assert world.broker.counters.dropped == {"denied": 2}
    assert [event for event, _ in client.notes] == ["publish denied"]  # once, however many
    assert Client(world, "late").subscribe(("#", 2), ("$SYS/#", 2)) == []


def test_a_publish_that_a_queue_refuses_closes_the_connection(world: World) -> None:
    """No acknowledgement of 3.1.1 can say no, and without one the client sends the message again."""
    vhost = world.broker.vhosts[DEFAULT_VHOST]
    queue = Queue("small", world.broker.surroundings)
    queue.limit_entries, queue.overflow = 1, REJECT_PUBLISH
    vhost.bind(vhost.exchange("amq.topic"), Binding(queue, "a", {}))
    client = Client(world, clean=False)
    assert client.publish("a", b"1", 2, 4) == [Answer("PUBREC", 4), Answer("PUBCOMP", 4)]
    assert client.send(publish("a", b"2", 2, 5), publish("b", b"", 1, 6)) == []
    assert client.closed
    queue.purge()
    again = Client(world, clean=False)
    assert again.publish("a", b"2", 2, 5, dup=True) == [Answer("PUBREC", 5), Answer("PUBCOMP", 5)]
    assert queue.ready_count == 1


class Everything(Native):
    """Says all that can be said."""

    def decode(self) -> Properties:
        properties = Properties({"a": 1, "b": "x"})
        properties.content_type = "text/plain"
        properties.content_encoding = "gzip"
        properties.priority = 5
        properties.correlation_id = "c"
        properties.reply_to = "q"
        properties.expiration_ms = 1_000
        properties.message_id = "m"
        properties.timestamp_s = 1
        properties.type = "t"
        properties.user_id = "guest"
        properties.app_id = "app"
        return properties


LOSSES = dict.fromkeys(
    [
        *("content_type", "content_encoding", "priority", "correlation_id", "reply_to", "expiration"),
        *("message_id", "timestamp", "type", "user_id", "app_id"),
    ],
    1,
)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_mqtt_cannot_carry_is_counted_under_its_name(world: World, qos: int) -> None:
    """docs/conversions.md"""
    client = Client(world)
    client.subscribe(("a/b", 2))
    exchange = world.broker.vhosts[DEFAULT_VHOST].exchange("amq.topic")
    exchange.take(Message(Address("amq.topic", "a.b"), b"x", qos, Everything()))
    assert client.take() == [Publish("a/b", b"x", qos, 1 if qos else 0)]
    assert world.broker.counters.lost == {**LOSSES, "headers": 2}


@pytest.mark.parametrize("key", ["a.+", "a.#", "a.\0", "a.\x1f", "a.\udc80"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_key_that_is_no_topic_is_dropped_and_counted(world: World, key: str, qos: int) -> None:
    """[MQTT-3.3.2-2]: the subscriber would have to close the connection."""
    client = Client(world)
    client.subscribe(("a/#", 2))
    exchange = world.broker.vhosts[DEFAULT_VHOST].exchange("amq.topic")
    exchange.take(Message(exchange.address(key), b"x", qos, Native()))
    exchange.take(Message(exchange.address("a.b"), b"y", qos, Native()))
    assert [said.topic for said in client.take() if isinstance(said, Publish)] == ["a/b"]
    assert world.broker.counters.dropped == {"not_a_topic": 1}


def test_a_queue_elsewhere_keeps_the_body_and_not_the_frame(world: World) -> None:
    vhost = world.broker.vhosts[DEFAULT_VHOST]
    queue = vhost.add_queue("q")
    vhost.bind(vhost.exchange("amq.topic"), Binding(queue, "#", {}))
    Client(world).publish("a", b"x")
    entry = queue.get()
    assert entry is not None
    assert (entry.message.body, entry.message.qos, entry.message.encoded) == (b"x", 0, b"")


def test_publishing_marks_the_connection_for_alarms(world: World) -> None:
    client = Client(world)
    client.subscribe(("a", 0))
    assert not client.wire.connection.publishes
    client.publish("a", b"")
    assert client.wire.connection.publishes


def test_a_client_without_permission_to_write_can_still_read(world: World) -> None:
    add_user(world, Permission(NOTHING, NOTHING, EVERYTHING))
    client = Client(world, "limited", username="limited", password=b"secret")
    client.subscribe(("a", 1))
    assert client.publish("a", b"", 1) == [Answer("PUBACK", 1)]
    Client(world, "other").publish("a", b"x", 1)
    assert client.take() == [Publish("a", b"x", 1, 1)]


def test_a_thousand_clients_reach_one(world: World) -> None:
    receiver = Client(world, "receiver")
    receiver.subscribe(("d/#", 1))
    senders = [world.connect(MqttConnection) for _ in range(1_000)]
    for number, sender in enumerate(senders):
        sender.connection.receive(connect(f"c{number}") + publish(f"d/{number}", b"x", 1))
    said = [said.topic for said in receiver.take() if isinstance(said, Publish)]
    assert said == [f"d/{number}" for number in range(1_000)]
    assert all(read(sender.take())[1] == Answer("PUBACK", 1) for sender in senders)
