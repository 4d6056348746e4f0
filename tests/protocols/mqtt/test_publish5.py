"""PUBLISH of MQTT 5.0: properties, expiry, aliases, limits and reason codes, both ways."""

from typing import Any

import pytest

from protocols.mqtt.dialect5 import ALIAS_LIMIT, RECEIVE_LIMIT
from tests.protocols.mqtt.peer import Client, Publish
from tests.protocols.mqtt.peer5 import Client5, Properties, ack, publish5
from tests.protocols.world import World

EVERYTHING: Properties = {
    "payload_format": 1,
    "content_type": "text/plain",
    "response_topic": "answers/me",
    "correlation_data": b"\xff\x00\x01",
    "user": [("a", "1"), ("b", "2"), ("a", "3"), ("", "")],
}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_properties_arrive_as_they_were_sent(world: World, qos: int) -> None:
    """[MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18], [MQTT-3.3.2-20]"""
    receiver, sender = Client5(world, "receiver"), Client5(world, "sender")
    receiver.subscribe(("t", 2))
    for _ in range(2):  # the second time the properties are known
        sender.publish("t", b"x", qos, **EVERYTHING)
        message = receiver.take()[0]
        assert (message.topic, message.body, message.qos, message.said) == ("t", b"x", qos, EVERYTHING)
        if qos == 1:
            receiver.send(ack(0x40, message.packet_id))
        elif qos == 2:
            receiver.send(ack(0x50, message.packet_id), ack(0x70, message.packet_id))


def test_versions_meet(world: World) -> None:
    new, old = Client5(world, "new"), Client(world, "old")
    new.subscribe(("t", 1))
    old.subscribe(("t", 1))
    for qos in (0, 1):
        new.publish("t", b"n", qos, packet_id=1, **EVERYTHING)
        assert [(said.body, said.qos) for said in old.take() if isinstance(said, Publish)] == [(b"n", qos)]
        assert [said.said for said in new.take() if said.name == "PUBLISH"][-1:] in ([], [EVERYTHING])
        old.publish("t", b"o", qos, packet_id=1)
        assert [(said.body, said.qos, said.said) for said in new.take()] == [(b"o", qos, {})]


def test_subscribers_of_both_versions_share_what_they_can(world: World) -> None:
    sender = Client5(world, "sender")
    receivers: list[Any] = [
        Client5(world, "a"),
        Client(world, "b"),
        Client5(world, "c"),
        Client5(world, "d", topic_alias_maximum=5),
    ]
    for receiver in receivers:
        receiver.subscribe(("t", 0))
    for number in range(3):
        sender.publish("t", b"%d" % number, content_type="x")
        assert [[said.body for said in receiver.take()] for receiver in receivers] == [[b"%d" % number]] * 4


@pytest.mark.parametrize(("waited_s", "left_s"), [(0, 10), (0.4, 10), (3.5, 7), (9.9, 1)])
def test_the_expiry_shrinks_while_a_message_waits(world: World, waited_s: float, left_s: int) -> None:
    """[MQTT-3.3.2-6]"""
    Client5(world, "receiver", session_expiry=60).send(b"\x82\x07\x00\x01\x00\x00\x01t\x01")
    world.wires[0].hang_up()
    Client5(world, "sender").publish("t", b"x", 1, message_expiry=10, user=[("a", "b")])
    world.advance(waited_s)
    (message,) = Client5(world, "receiver", clean=False).greeted
    assert message.said == {"message_expiry": left_s, "user": [("a", "b")]}


def test_an_expired_message_is_not_delivered(world: World) -> None:
    """[MQTT-3.3.2-5]"""
    receiver = Client5(world, "receiver", session_expiry=60)
    receiver.subscribe(("t", 1))
    receiver.hang_up()
    sender = Client5(world, "sender")
    sender.publish("t", b"gone", 1, message_expiry=10)
    sender.publish("t", b"here", 1)
    sender.publish("kept", b"gone", retain=True, message_expiry=10)
    world.advance(11)
    receiver = Client5(world, "receiver", clean=False)
    assert [said.body for said in receiver.greeted] == [b"here"]
    assert receiver.subscribe(("kept", 1)) == []


def test_an_expiry_of_nothing_reaches_who_is_there(world: World) -> None:
    receiver = Client5(world, "receiver")
    receiver.subscribe(("t", 0))
    world.advance(1)
    Client5(world, "sender").publish("t", b"x", message_expiry=0)
    assert [said.said for said in receiver.take()] == [{"message_expiry": 0}]


def test_a_topic_alias_stands_for_a_topic(world: World) -> None:
    """[MQTT-3.3.2-7], [MQTT-3.3.2-12]"""
    receiver, sender = Client5(world, "receiver"), Client5(world, "sender")
    receiver.subscribe(("#", 0))
    sender.publish("a", b"1", topic_alias=1)
    sender.publish("b", b"2", topic_alias=ALIAS_LIMIT)
    sender.publish("", b"3", topic_alias=1)
    sender.publish("", b"4", 1, topic_alias=ALIAS_LIMIT)
    sender.publish("c", b"5", topic_alias=1)
    sender.publish("", b"6", topic_alias=1)
    said = [(message.topic, message.body, message.said) for message in receiver.take()]
    assert said == [(topic, b"%d" % at, {}) for at, topic in enumerate("ababcc", 1)]


def test_an_alias_lasts_as_long_as_its_connection(world: World) -> None:
    """[MQTT-3.3.2-7]"""
    sender = Client5(world, session_expiry=60)
    sender.publish("a", b"1", topic_alias=1)
    sender.hang_up()
    again = Client5(world, clean=False)
    assert [said.codes for said in again.send(publish5("", b"2", topic_alias=1))] == [b"\x82"]


@pytest.mark.parametrize("qos", [0, 1])
def test_topics_towards_the_client_get_aliases_as_it_allows(world: World, qos: int) -> None:
    """[MQTT-3.1.2-26], [MQTT-3.1.2-27], [MQTT-3.3.2-10], [MQTT-3.3.2-11]"""
    receiver, sender = Client5(world, "receiver", topic_alias_maximum=2), Client5(world, "sender")
    receiver.subscribe(("#", qos))
    for topic in ("a", "a", "b", "c", "b", "a"):
        sender.publish(topic, b"x", qos)
    said = [(message.topic, message.said.get("topic_alias")) for message in receiver.take()]
    assert said == [("a", 1), ("", 1), ("b", 2), ("c", None), ("", 2), ("", 1)]


def test_a_client_that_allows_no_alias_gets_none(world: World) -> None:
    receiver, sender = Client5(world, "receiver"), Client5(world, "sender")
    receiver.subscribe(("#", 0))
    sender.publish("a", b"x", topic_alias=1)
    sender.publish("", b"y", topic_alias=1)
    assert [(message.topic, message.said) for message in receiver.take()] == [("a", {}), ("a", {})]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_too_large_for_the_client_is_passed_over(world: World, qos: int) -> None:
    """[MQTT-3.1.2-24], [MQTT-3.1.2-25]"""
    receiver = Client5(world, "receiver", maximum_packet_size=40, topic_alias_maximum=1)
    sender = Client5(world, "sender")
    receiver.subscribe(("t", qos))
    bodies = [b"x" * 100, b"short", b"y" * 41, b"end"]
    for body in bodies:
        sender.publish("t", body, qos)
    received = receiver.take()
    assert [(said.topic, said.body) for said in received] == [("t", b"short"), ("", b"end")]
    assert world.broker.counters.dropped == {"packet_too_large": 2}
    for said in received:
        receiver.send(ack(0x40 if qos == 1 else 0x50, said.packet_id), *[ack(0x70, said.packet_id)] * (qos == 2))
    assert world.broker.surroundings.usage.held_bytes == 0


@pytest.mark.parametrize(("qos", "name"), [(1, "PUBACK"), (2, "PUBREC")])
def test_the_publisher_learns_whether_anybody_subscribes(world: World, qos: int, name: str) -> None:
    """MQTT 5.0 §3.4.2.1, §3.5.2.1"""
    sender = Client5(world, "sender")
    answer = sender.publish("t", b"x", qos)[0]
    assert (answer.name, answer.codes) == (name, b"\x10")
    Client5(world, "receiver").subscribe(("t", 0))
    answer = sender.publish("t", b"x", qos)[0]
    assert (answer.name, answer.codes) == (name, b"\0")


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_denied_publish_is_refused_and_the_connection_stays(world: World, qos: int) -> None:
    sender = Client5(world, "sender")
    answers = sender.send(publish5("$SYS/x", b"x", qos))
    assert [said.codes for said in answers] == ([b"\x87"] if qos else [])
    assert not sender.closed
    assert sender.send(publish5("ok", b"x", 2))[0].codes == b"\x10"


def test_exactly_once_is_exactly_once(world: World) -> None:
    """[MQTT-4.3.3-10], [MQTT-4.3.3-12]"""
    receiver, sender = Client5(world, "receiver"), Client5(world, "sender")
    receiver.subscribe(("t", 0))
    assert sender.send(publish5("t", b"x", 2, 9))[0].codes == b"\0"
    assert sender.send(publish5("t", b"x", 2, 9, dup=True))[0].codes == b"\0"
    assert sender.send(ack(0x62, 9))[0].codes == b"\0"
    assert sender.send(ack(0x62, 9))[0].codes == b"\0"  # it may have been lost: no error while a session recovers
    assert [said.body for said in receiver.take()] == [b"x"]


def test_more_under_way_than_was_agreed_ends_the_connection(world: World) -> None:
    """[MQTT-3.3.4-7], [MQTT-3.3.4-8]"""
    sender = Client5(world, "sender")
    sender.send(*[publish5("t", b"x", 2, number) for number in range(1, RECEIVE_LIMIT + 1)])
    assert not sender.closed
    (*_, last) = sender.send(publish5("t", b"x", 2, RECEIVE_LIMIT + 1))
    assert (last.name, last.codes) == ("DISCONNECT", b"\x93")


def test_messages_that_are_acknowledged_at_once_are_not_under_way(world: World) -> None:
    sender = Client5(world, "sender")
    answers = sender.send(*[publish5("t", b"x", 1, number) for number in range(1, 3 * RECEIVE_LIMIT)])
    assert len(answers) == 3 * RECEIVE_LIMIT - 1
    assert not sender.closed


@pytest.mark.parametrize("length", [b"\x80\x00", b"\x84\x00"])
def test_a_length_of_properties_takes_as_few_bytes_as_it_can(world: World, length: bytes) -> None:
    """[MQTT-1.5.5-1]"""
    sender = Client5(world, "sender")
    packet = b"\x00\x01t" + length + b"\x02\x00\x00\x00"
    assert [said.codes for said in sender.send(b"\x30" + bytes([len(packet)]) + packet)] == [b"\x81"]


def test_long_properties_are_read_each_time(world: World) -> None:
    receiver, sender = Client5(world, "receiver"), Client5(world, "sender")
    receiver.subscribe(("t", 0))
    for number in range(70):
        said: Properties = {"user": [("n", str(number) * 200)]}
        sender.publish("t", b"x", **said)
        assert receiver.take()[0].said == said
