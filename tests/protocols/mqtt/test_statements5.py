"""MQTT 5.0: statements of CONNECT, CONNACK and flow control that no other file shows."""

from typing import Any

import pytest

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import field, frame
from tests.protocols.mqtt.peer5 import Client5, Will5, ack, connect5, disconnect5, publish5, read, subscribe5
from tests.protocols.world import World


def raw_connect(flags: int, payload: bytes) -> bytes:
    return frame(0x10, field("MQTT") + bytes([5, flags, 0, 0, 0]) + payload)


@pytest.mark.parametrize(
    ("flags", "payload"),
    [
        pytest.param(0x03, field("c"), id="the reserved flag [MQTT-3.1.2-3]"),
        pytest.param(0x06, field("c"), id="no will that was announced [MQTT-3.1.2-9]"),
        pytest.param(0x06, field("c") + b"\0" + field("w"), id="no payload of the will [MQTT-3.1.2-9]"),
        pytest.param(0x0A, field("c"), id="the QoS of no will [MQTT-3.1.2-11]"),
        pytest.param(0x1E, field("c") + b"\0" + field("w") + field(""), id="a will of QoS 3 [MQTT-3.1.2-12]"),
        pytest.param(0x22, field("c"), id="no will to be retained [MQTT-3.1.2-13]"),
        pytest.param(0x02, field("c") + field("guest"), id="a user name that was not announced [MQTT-3.1.2-16]"),
        pytest.param(0x82, field("c"), id="no user name that was announced [MQTT-3.1.2-17]"),
        pytest.param(0x82, field("c") + field("a") + field("b"), id="a password not announced [MQTT-3.1.2-18]"),
        pytest.param(0xC2, field("c") + field("guest"), id="no password that was announced [MQTT-3.1.2-19]"),
        pytest.param(0x02, b"", id="no client id [MQTT-3.1.3-3]"),
        pytest.param(0xC2, field("guest") * 2, id="fields in another order [MQTT-3.1.3-1]"),
    ],
)
def test_a_connect_that_its_flags_do_not_describe_is_malformed(world: World, flags: int, payload: bytes) -> None:
    """[MQTT-3.1.4-1], [MQTT-4.13.1-1]"""
    wire = world.connect(MqttConnection)
    (answer,) = read(wire.send(raw_connect(flags, payload)))
    assert (answer.name, answer.codes, answer.present) == ("CONNACK", b"\x81", False)
    assert wire.closed


def test_a_connect_with_everything_is_read_in_order(world: World) -> None:
    """[MQTT-3.1.3-1]"""
    watcher = Client5(world, "watcher")
    watcher.subscribe(("w", 2))
    will = Will5("w", b"gone", 1, said={"content_type": "x"})
    client = Client5(world, "all", username="guest", password=b"guest", will=will, session_expiry=60)
    assert client.connack.codes == b"\0"
    client.hang_up()
    world.advance(60)
    assert [(said.body, said.said) for said in watcher.take()] == [(b"gone", {"content_type": "x"})]


@pytest.mark.parametrize(("name", "level", "answer"), [("MQTT", 6, "20020001"), ("MQXX", 5, ""), ("", 5, "")])
def test_what_is_not_mqtt_5_is_refused(world: World, name: str, level: int, answer: str) -> None:
    """[MQTT-3.1.2-1], [MQTT-3.1.2-2]; 3.1.1 asks for return code 1, which clients of every version know."""
    wire = world.connect(MqttConnection)
    assert wire.send(frame(0x10, field(name) + bytes([level, 2, 0, 0, 0]) + field("c"))).hex() == answer
    assert wire.closed


@pytest.mark.parametrize("asked", [None, 0, 1])
def test_no_response_information_is_ever_returned(world: World, asked: int | None) -> None:
    """[MQTT-3.1.2-28]; nor user properties and reasons that nobody asked for [MQTT-3.2.2-19], [MQTT-3.2.2-20]"""
    options: dict[str, Any] = {} if asked is None else {"request_response": asked}
    said = Client5(world, **options).connack.said
    assert set(said) == {"receive_maximum", "maximum_packet_size", "topic_alias_maximum"} | (
        {"shared_available"} & set(said)
    )


def test_a_keep_alive_that_suits_the_server_is_the_clients(world: World) -> None:
    """[MQTT-3.2.2-22], [MQTT-3.1.2-22]"""
    watcher = Client5(world, "watcher")
    watcher.subscribe(("w", 0))
    client = Client5(world, keep_alive_s=10, will=Will5("w", b"gone"))
    assert "server_keep_alive" not in client.connack.said
    world.advance(14.9)
    assert not client.closed
    world.advance(0.2)
    assert [said.body for said in watcher.take()] == [b"gone"]
    assert client.closed


def test_the_assigned_client_id_is_as_good_as_one_of_the_clients(world: World) -> None:
    """[MQTT-3.1.3-7], [MQTT-3.2.2-16]"""
    client = Client5(world, "", clean=False, session_expiry=60)
    assigned = client.connack.said["assigned_client_id"]
    client.hang_up()
    assert Client5(world, assigned, clean=False, session_expiry=60).connack.present


def test_user_properties_of_a_will_keep_their_order(world: World) -> None:
    """[MQTT-3.1.3-10], [MQTT-3.3.2-18]"""
    watcher = Client5(world, "watcher")
    watcher.subscribe(("w", 0))
    pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("", "")]
    Client5(world, will=Will5("w", b"", said={"user": pairs})).hang_up()
    assert [said.said for said in watcher.take()] == [{"user": pairs}]


def test_a_packet_id_of_nothing_is_a_mistake(world: World) -> None:
    """[MQTT-2.2.1-3]"""
    for packet in (publish5("t", b"", 1, 0), subscribe5(("t", 0), packet_id=0), ack(0x40, 0)):
        client = Client5(world)
        assert client.send(packet)[0].codes in {b"\x81", b"\x82"}
        assert client.closed


def test_a_client_that_has_its_hands_full_is_answered_all_the_same(world: World) -> None:
    """[MQTT-3.3.4-10], [MQTT-4.9.0-3], [MQTT-3.3.4-9]"""
    client, sender = Client5(world, receive_maximum=1), Client5(world, "sender")
    client.subscribe(("t", 1))
    for _ in range(3):
        sender.publish("t", b"x", 1)
    (under_way,) = client.take()
    said = client.send(b"\xc0\x00", subscribe5(("u", 0)), publish5("u", b"own"), publish5("u", b"own", 2, 9))
    assert [packet.name for packet in said] == ["PINGRESP", "SUBACK", "PUBLISH", "PUBLISH", "PUBREC"]
    assert [packet.body for packet in client.send(ack(0x40, under_way.packet_id))] == [b"x"]


def test_a_message_of_qos_2_that_was_refused_may_come_again(world: World) -> None:
    """[MQTT-4.3.3-9]"""
    client = Client5(world)
    for _ in range(2):
        (refused,) = client.send(publish5("$SYS/x", b"", 2, 7))
        assert (refused.name, refused.codes) == ("PUBREC", b"\x87")
    client.subscribe(("t", 0))
    assert [said.name for said in client.send(publish5("t", b"x", 2, 7))] == ["PUBLISH", "PUBREC"]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_sent_is_not_held_to_its_expiry(world: World, qos: int) -> None:
    """[MQTT-4.3.3-7], [MQTT-4.3.3-13]: the exchange is finished, whatever has become of the message."""
    receiver, sender = Client5(world, "receiver", session_expiry=600), Client5(world, "sender")
    receiver.subscribe(("t", 2))
    sender.publish("t", b"x", qos, message_expiry=5)
    (message,) = receiver.take()
    receiver.hang_up()
    world.advance(6)
    (again,) = Client5(world, "receiver", clean=False, session_expiry=600).greeted
    assert (again.packet_id, again.body, again.dup) == (message.packet_id, b"x", True)


@pytest.mark.parametrize(("first", "qos"), [(0x40, 1), (0x50, 2)])
def test_a_refusal_acknowledges(world: World, first: int, qos: int) -> None:
    """[MQTT-4.4.0-2], [MQTT-4.3.3-4]"""
    receiver, sender = Client5(world, "receiver", session_expiry=60), Client5(world, "sender")
    receiver.subscribe(("t", 2))
    sender.publish("t", b"x", qos)
    (message,) = receiver.take()
    assert receiver.send(ack(first, message.packet_id, 0x80)) == []
    receiver.hang_up()
    assert Client5(world, "receiver", clean=False).greeted == []


def test_a_session_ends_with_its_expiry(world: World) -> None:
    """[MQTT-4.1.0-2], [MQTT-3.1.2-23]"""
    Client5(world, session_expiry=10).hang_up()
    world.advance(9.9)
    assert "c" in world.broker.vhosts["/"].sessions
    world.advance(0.2)
    assert world.broker.vhosts["/"].sessions == {}


def test_the_brokers_disconnect_never_speaks_of_the_session(world: World) -> None:
    """[MQTT-3.14.2-2], [MQTT-3.14.2-1], [MQTT-3.14.4-1]"""
    client = Client5(world, session_expiry=10)
    (said,) = client.send(b"\x00\x00", publish5("t", b""))
    assert (said.name, said.codes, set(said.said)) == ("DISCONNECT", b"\x82", {"reason_string"})
    assert client.send(disconnect5()) == []


def test_a_response_topic_has_no_wildcards(world: World) -> None:
    """[MQTT-3.3.2-14]"""
    (said,) = Client5(world).send(publish5("t", b"", response_topic="a/#"))
    assert (said.name, said.codes) == ("DISCONNECT", b"\x82")


def test_a_client_id_that_is_refused_is_told_so(world: World) -> None:
    """[MQTT-3.1.3-8]: one that is too long, or has a control character in it."""
    for client_id in ("x" * 8_193, "a\x01", "a\x9f"):
        wire = world.connect(MqttConnection)
        (answer,) = read(wire.send(connect5(client_id)))
        assert (answer.name, answer.codes) == ("CONNACK", b"\x85")
        assert wire.closed
