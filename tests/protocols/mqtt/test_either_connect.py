"""CONNECT in both versions: the first packet, client ids, sessions, wills, and what a refused client may not do."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt import peer
from tests.protocols.mqtt.either import VERSIONS, Either, bodies, names
from tests.protocols.mqtt.peer import DISCONNECT, Will, connect
from tests.protocols.mqtt.peer5 import connect5, publish5, subscribe5
from tests.protocols.world import World

both = pytest.mark.parametrize("version", VERSIONS)


@both
@given(client_id=st.text(string.ascii_letters + string.digits, min_size=1, max_size=23))
def test_client_ids_that_every_server_must_allow_are(version: int, client_id: str) -> None:
    """[MQTT-3.1.3-5], [MQTT-3.1.3-2], [MQTT-3.1.4-4], [MQTT-3.1.4-5]"""
    world = World()
    Either(world, version, client_id, clean=False).hang_up()
    other = f"{client_id}x"
    assert not Either(world, version, other, clean=False).present
    assert Either(world, version, client_id, clean=False).present


@both
@pytest.mark.parametrize("packet", [b"\xc0\x00", b"\xe0\x00", b"\x30\x03\x00\x01a", b"\xf0\x00", b"\x82\x00"])
def test_another_first_packet_closes_without_a_word(world: World, version: int, packet: bytes) -> None:
    """[MQTT-3.1.0-1], [MQTT-3.14.0-1], [MQTT-3.2.0-1]"""
    wire = world.connect(MqttConnection)
    again = connect5() if version == 5 else connect()
    assert wire.send(packet + again) == b""
    assert wire.closed


@both
def test_a_second_connect_ends_the_connection(world: World, version: int) -> None:
    """[MQTT-3.1.0-2], [MQTT-3.2.0-2]"""
    client = Either(world, version)
    said = client.send(connect5() if version == 5 else connect())
    assert [packet.name for packet in said] == ["DISCONNECT"] * (version == 5)
    assert client.closed


@both
def test_connack_comes_before_what_waited(world: World, version: int) -> None:
    """[MQTT-3.2.0-1], [MQTT-3.1.2-5]"""
    client = Either(world, version, clean=False)
    client.subscribe(("t", 1))
    client.hang_up()
    Either(world, version, "sender").publish("t", b"waited", 1)
    data = connect5(clean=False) if version == 5 else connect(clean=False)
    assert world.connect(MqttConnection).send(data)[0] == 0x20


@both
def test_what_follows_a_refused_connect_is_not_looked_at(world: World, version: int) -> None:
    """[MQTT-3.1.4-5] of 3.1.1, [MQTT-3.1.4-6] of 5.0; [MQTT-3.2.2-5], [MQTT-3.2.2-7]"""
    watcher = Either(world, version, "watcher")
    watcher.subscribe(("t", 0))
    wire = world.connect(MqttConnection)
    if version == 5:
        refused, more = connect5(username="guest", password=b"wrong"), publish5("t", b"x") + subscribe5(("t", 0))
    else:
        refused, more = connect(username="guest", password=b"wrong"), peer.publish("t", b"x") + peer.subscribe(("t", 0))
    answer = wire.send(refused + more)
    assert (answer[0], answer[2]) == (0x20, 0)  # [MQTT-3.2.2-4], [MQTT-3.2.2-6]: no session is present
    assert answer[1] + 2 == len(answer)
    assert wire.closed
    assert watcher.take() == []


@both
def test_a_will_that_is_none_is_not_published(world: World, version: int) -> None:
    """[MQTT-3.1.2-12] of 3.1.1"""
    watcher = Either(world, version, "watcher")
    watcher.subscribe(("#", 0))
    Either(world, version).hang_up()
    assert watcher.take() == []


@both
@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_will_is_published_once_as_it_was_left(world: World, version: int, qos: int, retain: bool) -> None:
    """[MQTT-3.1.2-7], [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.1.2-12], [MQTT-3.1.2-14], [MQTT-3.1.2-15]

    In 3.1.1 these are [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.1.2-14], [MQTT-3.1.2-16], [MQTT-3.1.2-17].
    """
    watcher = Either(world, version, "watcher")
    watcher.subscribe(("w", 2))
    Either(world, version, will=Will("w", b"gone", qos, retain)).hang_up()
    Either(world, version).hang_up()
    assert [(said.body, said.qos) for said in watcher.take()] == [(b"gone", qos)]
    assert bodies(Either(world, version, "late").subscribe(("w", 0))) == [b"gone"] * retain


@both
def test_nothing_is_done_behind_a_disconnect(world: World, version: int) -> None:
    """[MQTT-3.14.4-1], [MQTT-3.14.4-2], [MQTT-3.14.4-3]"""
    watcher = Either(world, version, "watcher")
    watcher.subscribe(("#", 0))
    client = Either(world, version, will=Will("w", b"gone"))
    late = publish5("t", b"late") if version == 5 else peer.publish("t", b"late")
    assert client.send(DISCONNECT, late) == []
    assert client.closed
    client.hang_up()
    assert watcher.take() == []


@both
def test_a_session_is_there_as_long_as_its_connection(world: World, version: int) -> None:
    """[MQTT-4.1.0-1], [MQTT-4.1.0-2]"""
    client = Either(world, version)
    client.subscribe(("t", 0))
    world.advance(10_000_000)
    assert bodies(client.publish("t", b"x")) == [b"x"]
    client.hang_up()
    assert world.broker.vhosts["/"].sessions == {}


@both
def test_a_session_is_kept_when_its_client_goes(world: World, version: int) -> None:
    """[MQTT-3.1.2-4] of 3.1.1, [MQTT-3.1.2-23] of 5.0; [MQTT-3.2.2-2], [MQTT-3.2.2-3]"""
    client = Either(world, version, clean=False)
    assert not client.present
    client.subscribe(("t", 1))
    client.hang_up()
    world.advance(3_599)
    Either(world, version, "sender").publish("t", b"x", 1)
    client = Either(world, version, clean=False)
    assert client.present
    assert names(client.greeted) == [("PUBLISH", 1)]


@both
def test_a_clean_client_begins_with_nothing(world: World, version: int) -> None:
    """[MQTT-3.1.2-6] of 3.1.1, [MQTT-3.1.2-4] of 5.0; [MQTT-3.1.4-3], [MQTT-3.1.4-4], [MQTT-3.2.2-1], [MQTT-3.2.2-2]"""
    client = Either(world, version, clean=False)
    client.subscribe(("t", 1))
    client.hang_up()
    client = Either(world, version, clean=True)
    assert not client.present
    assert bodies(client.publish("t", b"x", 1)) == []


@both
def test_pings_are_answered(world: World, version: int) -> None:
    """[MQTT-3.12.4-1]"""
    assert [said.name for said in Either(world, version).send(b"\xc0\x00\xc0\x00")] == ["PINGRESP"] * 2
