"""Deadlines: the handshake and the keep-alive (MQTT 3.1.1 §3.1.2.10)."""

import pytest

from protocols.connection import HANDSHAKE_TIMEOUT_S
from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import PINGREQ, Answer, Client, connect, publish, subscribe
from tests.protocols.world import World


@pytest.mark.parametrize("keep_alive_s", [1, 2, 10, 60, 65_535])
def test_silence_of_one_and_a_half_times_the_keep_alive_ends_the_connection(world: World, keep_alive_s: int) -> None:
    """[MQTT-3.1.2-24]"""
    client = Client(world, keep_alive_s=keep_alive_s)
    world.advance(1.5 * keep_alive_s - 0.01)
    assert client.notes == []
    world.advance(0.01)
    assert client.closed
    assert client.notes[-1][0] == "keep-alive timeout"


@pytest.mark.parametrize("packet", [PINGREQ, publish("a", b""), subscribe(("a", 0)), publish("a", bytes(5))[:1]])
def test_whatever_is_received_keeps_alive(world: World, packet: bytes) -> None:
    client = Client(world, keep_alive_s=10)
    for _ in range(5):
        world.advance(14)
        client.wire.send(packet)
    assert client.notes == []
    world.advance(15)
    assert client.closed


def test_what_is_sent_does_not_keep_alive(world: World) -> None:
    sender, receiver = Client(world, "sender"), Client(world, "receiver", keep_alive_s=10)
    receiver.subscribe(("a", 0))
    for _ in range(3):
        world.advance(5)
        sender.publish("a", b"")
    assert receiver.closed


def test_a_keep_alive_of_nothing_waits_for_ever(world: World) -> None:
    """MQTT 3.1.1 §3.1.2.10: zero turns it off."""
    client = Client(world, keep_alive_s=0)
    world.advance(10 * 24 * 3_600)
    assert client.send(PINGREQ) == [Answer("PINGRESP")]


@pytest.mark.parametrize("start", [b"", b"\x10", connect()[:-1]])
def test_a_client_that_does_not_log_in_is_closed(world: World, start: bytes) -> None:
    """Counted from the accept, however slowly its bytes come."""
    wire = world.connect(MqttConnection)
    for byte in start:
        wire.send(bytes([byte]))
        world.advance(0.1)
    world.advance(HANDSHAKE_TIMEOUT_S - 0.1 - 0.1 * len(start))
    assert wire.outlet.notes == []
    world.advance(0.2)
    assert wire.closed
    assert wire.take() == b""


def test_the_silence_of_a_publisher_during_an_alarm_is_forgiven(world: World) -> None:
    """The broker does not read from it then; it cannot be heard."""
    client, idle = Client(world, keep_alive_s=10), Client(world, "idle", keep_alive_s=10)
    client.publish("a", b"")
    world.broker.surroundings.usage.limit_bytes = -1
    world.advance(100)
    assert client.notes == []
    assert idle.closed
    world.broker.surroundings.usage.limit_bytes = 1 << 30
    client.wire.connection.alarm("")
    world.advance(14.9)
    assert client.notes == []
    world.advance(0.1)
    assert client.closed
