"""Enhanced authentication: AUTH packets before CONNACK and in a live session (MQTT 5.0 §4.12)."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import EVERYTHING, Permission, User
from core.model.names import DEFAULT_VHOST
from gateway.scram import Scram, make_secret
from gateway.scram_secret import ITERATIONS_LEAST, MECHANISM
from protocols.connection import HANDSHAKE_TIMEOUT_S
from protocols.mqtt.connection import UNTOLD, MqttConnection
from tests.protocols.mqtt.peer5 import (
    Client5,
    Packet,
    Will5,
    auth5,
    connect5,
    disconnect5,
    publish5,
    read,
    subscribe5,
)
from tests.protocols.world import Wire, World
from tests.scram_client import ScramClient

GO_ON, AGAIN = 0x18, 0x19
PINGREQ: Final = b"\xc0\x00"
SECRET: Final = make_secret(b"pencil", bytes(16), ITERATIONS_LEAST)
METHOD: Final[dict[str, Any]] = {"authentication_method": MECHANISM}


@pytest.fixture
def world() -> World:
    return made_world()


def made_world() -> World:
    world = World()
    world.methods[MECHANISM] = lambda: Scram(f"nonce-{len(world.wires)}", lambda name: SECRET)
    for name in ("user", "other"):
        world.broker.users[name] = User(name)
        world.broker.users[name].permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, EVERYTHING)
    return world


def one(wire: Wire[MqttConnection], data: bytes) -> Packet:
    [packet] = read(wire.send(data))
    return packet


def begin(world: World, client: ScramClient, **options: Any) -> tuple[Wire[MqttConnection], Packet]:
    wire = world.connect(MqttConnection)
    return wire, one(wire, connect5(**METHOD, authentication_data=client.first(), **options))


def log_in(world: World, name: str = "user", password: str = "pencil", **options: Any) -> Client5:
    """Log in by AUTH and return the client, whose `connack` is the last answer."""
    scram = ScramClient(name, password)
    wire, asked = begin(world, scram, **options)
    assert (asked.name, asked.codes) == ("AUTH", bytes([GO_ON]))
    client = Client5.__new__(Client5)
    client.wire = wire
    answer = auth5(GO_ON, **METHOD, authentication_data=scram.last(asked.said["authentication_data"]))
    client.connack, *client.greeted = read(wire.send(answer))
    assert client.connack.name == "CONNACK"
    if client.connack.codes == b"\0":
        assert scram.trusts(client.connack.said["authentication_data"])
    return client


def authenticate_again(client: Client5, name: str = "user", password: str = "pencil") -> Packet:
    scram = ScramClient(name, password)
    [asked] = client.send(auth5(AGAIN, **METHOD, authentication_data=scram.first()))
    assert (asked.name, asked.codes, asked.said["authentication_method"]) == ("AUTH", bytes([GO_ON]), MECHANISM)
    last = scram.last(asked.said["authentication_data"])
    [answer] = client.send(auth5(GO_ON, **METHOD, authentication_data=last))
    if answer.name == "AUTH":
        assert scram.trusts(answer.said["authentication_data"])
    return answer


def test_a_client_is_let_in_by_its_proof(world: World) -> None:
    """[MQTT-4.12.0-2], [MQTT-4.12.0-3], [MQTT-4.12.0-5]"""
    client = log_in(world)
    assert client.connack.codes == b"\0"
    assert client.connack.said["authentication_method"] == MECHANISM
    client.subscribe(("a", 0))
    assert client.publish("a", b"x")[0].body == b"x"
    assert world.broker.vhosts[DEFAULT_VHOST].sessions["c"].user == "user"


def test_every_byte_may_come_by_itself(world: World) -> None:
    scram = ScramClient("user", "pencil")
    wire = world.connect(MqttConnection)
    said = b"".join(wire.send(bytes([byte])) for byte in connect5(**METHOD, authentication_data=scram.first()))
    last = scram.last(read(said)[0].said["authentication_data"])
    said = b"".join(wire.send(bytes([byte])) for byte in auth5(GO_ON, **METHOD, authentication_data=last))
    assert [(packet.name, packet.codes) for packet in read(said)] == [("CONNACK", b"\0")]


def test_a_client_that_says_nothing_is_asked(world: World) -> None:
    """A method may have its client speak first in an AUTH, in answer to one without data."""
    wire = world.connect(MqttConnection)
    asked = one(wire, connect5(**METHOD))
    assert (asked.name, asked.codes, asked.said) == ("AUTH", bytes([GO_ON]), METHOD)
    scram = ScramClient("user", "pencil")
    asked = one(wire, auth5(GO_ON, **METHOD, authentication_data=scram.first()))
    last = scram.last(asked.said["authentication_data"])
    assert one(wire, auth5(GO_ON, **METHOD, authentication_data=last)).codes == b"\0"


def test_a_wrong_proof_is_refused(world: World) -> None:
    """[MQTT-4.12.0-4]"""
    client = log_in(world, password="p3ncil")
    assert client.connack.codes == b"\x87"
    assert client.connack.said["reason_string"] == UNTOLD
    assert client.closed
    assert world.broker.vhosts[DEFAULT_VHOST].sessions == {}
    assert client.wire.outlet.notes == [("connection refused", "user 'user': wrong name or password")]


@pytest.mark.parametrize("method", ["", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "scram-sha-256", "GS2-KRB5"])
def test_another_method_is_refused(world: World, method: str) -> None:
    """[MQTT-4.12.0-1]"""
    wire = world.connect(MqttConnection)
    assert one(wire, connect5(authentication_method=method, authentication_data=b"x")).codes == b"\x8c"
    assert wire.closed


def test_where_nobody_has_a_secret_no_method_is_served(world: World) -> None:
    world.methods.clear()
    wire = world.connect(MqttConnection)
    assert one(wire, connect5(**METHOD)).codes == b"\x8c"


@pytest.mark.parametrize("data", [b"", b"\xff", b"n,,n=user", b"p=tls-unique,,n=user,r=abc", b"n,a=other,n=user,r=abc"])
def test_what_is_no_message_of_the_method_is_refused(world: World, data: bytes) -> None:
    wire = world.connect(MqttConnection)
    assert one(wire, connect5(**METHOD, authentication_data=data)).codes == b"\x87"
    assert wire.closed


@pytest.mark.parametrize(
    "packet",
    [
        PINGREQ,
        publish5("a", b"x", 1),
        subscribe5(("a", 0)),
        connect5(),
        auth5(AGAIN, **METHOD),
        auth5(0, **METHOD),
        auth5(0x77, **METHOD),
        auth5(GO_ON),
        auth5(GO_ON, authentication_data=b"x"),
        auth5(GO_ON, authentication_method="SCRAM-SHA-1", authentication_data=b"x"),
        b"\xf0\x00",
    ],
)
def test_nothing_else_may_come_before_connack(world: World, packet: bytes) -> None:
    """[MQTT-3.1.2-30], [MQTT-4.12.0-5]"""
    wire, _ = begin(world, ScramClient("user", "pencil"))
    refusal = one(wire, packet)
    assert (refusal.name, refusal.codes) == ("CONNACK", b"\x82")
    assert wire.closed


def test_a_client_may_give_up(world: World) -> None:
    """[MQTT-4.12.0-3]"""
    wire, _ = begin(world, ScramClient("user", "pencil"))
    assert wire.send(disconnect5()) == b""
    assert wire.closed
    assert wire.outlet.failures == []


def test_an_exchange_has_the_time_of_a_handshake(world: World) -> None:
    wire, _ = begin(world, ScramClient("user", "pencil"), keep_alive_s=3600)
    world.advance(HANDSHAKE_TIMEOUT_S - 1)
    assert wire.outlet.notes == []
    world.advance(2)
    assert wire.closed
    assert ("handshake timeout", "no login in time") in wire.outlet.notes


def test_a_user_name_in_connect_must_be_the_proven_one(world: World) -> None:
    assert log_in(world, username="user").connack.codes == b"\0"
    refused = log_in(world, username="other")
    assert refused.connack.codes == b"\x87"
    assert refused.closed


def test_a_packet_that_the_client_cannot_take_is_not_sent(world: World) -> None:
    """[MQTT-3.1.2-24]"""
    wire = world.connect(MqttConnection)
    said = ScramClient("user", "pencil").first()
    refusal = one(wire, connect5(**METHOD, authentication_data=said, maximum_packet_size=20))
    assert (refusal.name, refusal.codes) == ("CONNACK", b"\x95")


def test_without_a_method_there_is_no_auth(world: World) -> None:
    """[MQTT-4.12.0-6], [MQTT-4.12.0-7]"""
    client = Client5(world)
    assert "authentication_method" not in client.connack.said
    [goodbye] = client.send(auth5(AGAIN, **METHOD))
    assert (goodbye.name, goodbye.codes) == ("DISCONNECT", b"\x82")


def test_a_client_that_is_not_let_in_leaves_no_will(world: World) -> None:
    watcher = Client5(world, "watcher")
    watcher.subscribe(("will", 0))
    log_in(world, password="wrong", will=Will5("will", b"gone"))
    begin(world, ScramClient("user", "pencil"), will=Will5("will", b"gone"))[0].hang_up()
    assert watcher.take() == []


@given(
    st.lists(
        st.sampled_from([0, GO_ON, AGAIN]).flatmap(
            lambda code: st.binary(max_size=40).map(lambda data: auth5(code, **METHOD, authentication_data=data))
        )
        | st.binary(max_size=30)
        | st.sampled_from([PINGREQ, publish5("a", b"x"), subscribe5(("a", 0)), connect5()]),
        max_size=6,
    )
)
def test_nobody_comes_in_without_a_proof(packets: list[bytes]) -> None:
    world = made_world()
    wire, _ = begin(world, ScramClient("user", "pencil"))
    for packet in packets:
        wire.send(packet)
    assert world.broker.vhosts[DEFAULT_VHOST].sessions == {}
    assert wire.outlet.failures == []


# Again


def test_a_live_session_is_authenticated_again(world: World) -> None:
    """As often as the client likes, and what else it says in between is heard (§4.12.1)."""
    client = log_in(world)
    client.subscribe(("a", 0))
    for _ in range(3):
        done = authenticate_again(client)
        assert (done.name, done.codes, done.said["authentication_method"]) == ("AUTH", b"\0", MECHANISM)
    scram = ScramClient("user", "pencil")
    [asked] = client.send(auth5(AGAIN, **METHOD, authentication_data=scram.first()))
    assert [packet.name for packet in client.send(PINGREQ, publish5("a", b"x"))] == ["PINGRESP", "PUBLISH"]
    last = scram.last(asked.said["authentication_data"])
    assert [packet.name for packet in client.send(auth5(GO_ON, **METHOD, authentication_data=last))] == ["AUTH"]


def test_a_live_session_ends_with_a_wrong_proof(world: World) -> None:
    """[MQTT-4.12.1-2]"""
    watcher = Client5(world, "watcher")
    watcher.subscribe(("will", 0))
    client = log_in(world, will=Will5("will", b"gone"))
    goodbye = authenticate_again(client, password="wrong")
    assert (goodbye.name, goodbye.codes, goodbye.said["reason_string"]) == ("DISCONNECT", b"\x87", UNTOLD)
    assert client.closed
    assert [packet.body for packet in watcher.take()] == [b"gone"]


def test_a_live_session_stays_that_of_its_user(world: World) -> None:
    client = log_in(world)
    goodbye = authenticate_again(client, "other")
    assert (goodbye.name, goodbye.codes) == ("DISCONNECT", b"\x87")


@pytest.mark.parametrize(
    "packet",
    [
        auth5(AGAIN, authentication_method="SCRAM-SHA-1", authentication_data=b"x"),
        auth5(AGAIN),
        auth5(GO_ON, **METHOD, authentication_data=b"x"),
        auth5(0, **METHOD),
        b"\xf0\x00",
        auth5(AGAIN, **METHOD) + auth5(AGAIN, **METHOD),
    ],
)
def test_a_wrong_auth_in_a_live_session_is_a_protocol_error(world: World, packet: bytes) -> None:
    """[MQTT-4.12.1-1]"""
    client = log_in(world)
    answers = client.send(packet)
    assert (answers[-1].name, answers[-1].codes) == ("DISCONNECT", b"\x82")
    assert client.closed


def test_what_is_no_message_ends_a_live_session(world: World) -> None:
    client = log_in(world)
    [goodbye] = client.send(auth5(AGAIN, **METHOD, authentication_data=b"x"))
    assert (goodbye.name, goodbye.codes) == ("DISCONNECT", b"\x87")
