"""CONNECT of MQTT 5.0: what is agreed on, what is refused, and how a connection ends."""

from typing import Any

import pytest

from core.broker import SESSION_EXPIRY_LIMIT_S
from protocols.connection import HANDSHAKE_TIMEOUT_S
from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import Answer, Client
from tests.protocols.mqtt.peer5 import Client5, Packet, Will5, connect5, disconnect5, publish5, read, subscribe5
from tests.protocols.world import World

DAY_S = 24 * 3_600


def test_the_terms_are_said_in_connack(world: World) -> None:
    client = Client5(world)
    assert client.connack.codes == b"\0"
    said = client.connack.said
    assert said["receive_maximum"] == 1_024
    assert said["topic_alias_maximum"] == 64
    assert said["maximum_packet_size"] > world.broker.message_limit_bytes
    # What is not said of shared subscriptions is that there are any (MQTT 5.0 §3.2.2.3.13).
    assert {"session_expiry", "server_keep_alive", "assigned_client_id", "shared_available"}.isdisjoint(said)


def test_a_client_without_an_id_is_given_one(world: World) -> None:
    """[MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.2.2-16]"""
    first, second = Client5(world, ""), Client5(world, "", clean=False)
    names = {client.connack.said["assigned_client_id"] for client in (first, second)}
    assert len(names) == 2
    assert not first.closed


@pytest.mark.parametrize(
    ("asked", "told"), [(1, None), (7 * DAY_S, None), (7 * DAY_S + 1, 7 * DAY_S), (0xFFFFFFFF, 7 * DAY_S)]
)
def test_a_session_lasts_as_long_as_asked_or_as_long_as_there_is(world: World, asked: int, told: int | None) -> None:
    client = Client5(world, session_expiry=asked)
    assert client.connack.said.get("session_expiry") == told
    client.hang_up()
    world.advance(min(asked, SESSION_EXPIRY_LIMIT_S) - 0.5)
    client = Client5(world, clean=False, session_expiry=asked)
    assert client.connack.present
    client.hang_up()
    world.advance(min(asked, SESSION_EXPIRY_LIMIT_S) + 0.5)
    assert not Client5(world, clean=False).connack.present


def test_without_an_expiry_the_session_ends_with_its_connection(world: World) -> None:
    Client5(world, clean=False).hang_up()
    assert world.broker.vhosts["/"].sessions == {}


def test_a_clean_start_makes_a_new_session_that_may_last(world: World) -> None:
    """[MQTT-3.1.2-4], [MQTT-3.1.2-5], [MQTT-3.1.2-6]"""
    Client5(world, session_expiry=60).hang_up()
    assert not Client5(world, clean=True, session_expiry=60).connack.present
    assert Client5(world, clean=False, session_expiry=60).connack.present


def test_a_session_goes_on_in_another_version(world: World) -> None:
    client = Client5(world, session_expiry=60)
    client.subscribe(("a", 1 | 4 | 8), subscription_identifier=7)
    client.hang_up()
    Client5(world, "other").publish("a", b"x", 1, retain=True)
    older = Client(world, clean=False)
    assert older.connack == b"\1\0"
    assert [said.body for said in older.greeted if not isinstance(said, Answer)] == [b"x"]


def test_disconnect_may_change_the_expiry(world: World) -> None:
    client = Client5(world, session_expiry=10)
    client.send(disconnect5(session_expiry=1_000))
    world.advance(999)
    client = Client5(world, clean=False, session_expiry=10)
    assert client.connack.present
    client.send(disconnect5(session_expiry=0))
    assert world.broker.vhosts["/"].sessions == {}


def test_disconnect_cannot_revive_a_session_that_was_to_end(world: World) -> None:
    answer = Client5(world).send(disconnect5(session_expiry=5))
    assert [(said.name, said.codes) for said in answer] == [("DISCONNECT", b"\x82")]


@pytest.mark.parametrize(("asked_s", "told_s"), [(0, 30), (31, 30), (30, None), (5, None)])
def test_the_server_may_ask_for_a_shorter_keep_alive(world: World, asked_s: int, told_s: int | None) -> None:
    """[MQTT-3.1.2-21], [MQTT-3.2.2-21], [MQTT-3.1.2-22]"""
    world.broker.keep_alive_limit_s = 30
    client = Client5(world, keep_alive_s=asked_s)
    assert client.connack.said.get("server_keep_alive") == told_s
    world.advance(1.5 * (told_s or asked_s) - 0.1)
    assert not client.closed
    world.advance(0.2)
    assert [(said.name, said.codes) for said in client.take()] == [("DISCONNECT", b"\x8d")]
    assert client.closed


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"authentication_method": "SCRAM-SHA-256"}, 0x8C),
        ({"authentication_data": b"x"}, 0x82),
        ({"username": "guest", "password": b"wrong"}, 0x86),
        ({"username": "nobody", "password": b"nobody"}, 0x87),
        ({"receive_maximum": 0}, 0x82),
        ({"maximum_packet_size": 0}, 0x82),
        ({"topic_alias": 1}, 0x82),
        ({"request_problem": 2}, 0x82),
        ({"client_id": "x" * 9_000}, 0x85),
        ({"will": Will5("a/+", b"")}, 0x81),
        ({"will": Will5("a", b"", said={"response_topic": "b/#"})}, 0x82),
        ({"will": Will5("a", b"", said={"topic_alias": 1})}, 0x82),
    ],
)
def test_a_connect_is_refused_with_its_reason(world: World, options: dict[str, Any], code: int) -> None:
    """[MQTT-3.1.4-1], [MQTT-3.2.2-7], [MQTT-4.12.0-1]"""
    wire = world.connect(MqttConnection)
    client_id = options.pop("client_id", "c")
    (answer,) = read(wire.send(connect5(client_id, **options)))
    assert (answer.name, answer.codes, answer.present) == ("CONNACK", bytes([code]), False)
    assert answer.said["reason_string"]
    assert wire.closed


def test_a_password_needs_no_user_name_to_be_well_formed(world: World) -> None:
    """MQTT 5.0 §3.1.2.9; who nobody knows is refused all the same."""
    assert Client5(world, password=b"x").connack.codes == b"\x86"


def test_no_connack_is_larger_than_the_client_takes(world: World) -> None:
    """[MQTT-3.1.2-24]"""
    wire = world.connect(MqttConnection)
    assert wire.send(connect5(maximum_packet_size=4)) == b""
    assert wire.closed
    wire = world.connect(MqttConnection)
    (answer,) = read(wire.send(connect5(maximum_packet_size=8, authentication_method="x")))
    assert (answer.codes, answer.said) == (b"\x8c", {})


def ends(client: Client5, *packets: bytes) -> tuple[str, bytes]:
    """Send something that ends the connection, and return how it ended."""
    *_, last = client.send(*packets)
    assert client.closed
    return last.name, last.codes


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (connect5(), 0x82),
        (b"\xf0\x00", 0x82),
        (b"\x81\x00", 0x81),
        (b"\xf1\x00", 0x81),
        (b"\xe1\x00", 0x81),
        (b"\x20\x03\x00\x00\x00", 0x82),
        (b"\x30\x03\x00\x01a", 0x81),
        (publish5("a", b"", topic_alias=65), 0x94),
        (publish5("a", b"", topic_alias=0), 0x94),
        (publish5("", b"", topic_alias=1), 0x82),
        (publish5("", b""), 0x82),
        (publish5("a", b"", subscription_identifier=1), 0x82),
        (publish5("a/#", b""), 0x81),
        (publish5("/" * 200, b""), 0x90),
        (publish5("a", b"", payload_format=2), 0x82),
        (subscribe5(("a", 0x30)), 0x81),
        (subscribe5(("a", 0x40)), 0x81),
        (subscribe5(("$share/g/a", 4)), 0x82),
        (subscribe5(), 0x81),
        (subscribe5(("a", 0), subscription_identifier=0), 0x82),
        (b"\x30\xff\xff\xff\x7f", 0x95),
        (b"\x30\xff\xff\xff\xff\x01", 0x81),
    ],
)
def test_a_mistake_is_answered_with_its_reason(world: World, packet: bytes, code: int) -> None:
    """[MQTT-4.13.1-1], [MQTT-3.14.0-1]"""
    assert ends(Client5(world), packet) == ("DISCONNECT", bytes([code]))


def test_a_client_that_says_disconnect_is_told_nothing(world: World) -> None:
    client = Client5(world)
    assert client.send(disconnect5(0x81)) == []
    assert client.closed


def test_a_second_connection_takes_over(world: World) -> None:
    """[MQTT-3.1.4-3]"""
    first = Client5(world, session_expiry=60)
    first.subscribe(("a", 1))
    second = Client5(world, clean=False)
    assert [(said.name, said.codes) for said in first.take()] == [("DISCONNECT", b"\x8e")]
    assert first.closed
    assert second.connack.present


def test_the_stopping_broker_says_so(world: World) -> None:
    client, older = Client5(world), Client(world, "older")
    for wire in list(world.wires):
        wire.connection.shut_down()
    assert [(said.name, said.codes) for said in client.take()] == [("DISCONNECT", b"\x8b")]
    assert older.take() == []
    world.broker.stopping = True
    assert Client5(world).connack.codes == b"\x88"


def test_a_client_may_ask_for_no_reasons_in_words(world: World) -> None:
    """[MQTT-3.1.2-29]"""
    for asked, explained in ((1, True), (0, False)):
        client = Client5(world, request_problem=asked)
        answers: list[Packet] = client.send(subscribe5(("a/#/b", 0)), publish5("$SYS/x", b"", 1))
        assert [bool(said.said) for said in answers] == [explained, explained]
        assert {said.codes for said in answers} == {b"\x8f", b"\x87"}


def test_silence_before_connect_ends_without_a_word(world: World) -> None:
    wire = world.connect(MqttConnection)
    world.advance(HANDSHAKE_TIMEOUT_S + 1)
    assert wire.take() == b""
    assert wire.closed
