"""Every packet, as bytes: fed whole, byte by byte, and with bytes behind it."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import PINGREQ
from tests.protocols.world import Wire, World

FILE: Final = Path(__file__).parents[2] / "vectors" / "mqtt" / "packets.json"
VECTORS: Final[list[dict[str, Any]]] = json.loads(FILE.read_text())

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])


def wire_before(vector: dict[str, Any]) -> Wire[MqttConnection]:
    wire = World().connect(MqttConnection)
    for packet in vector["before"]:
        wire.send(bytes.fromhex(packet))
    assert not wire.closed
    return wire


@every_vector
def test_a_whole_packet(vector: dict[str, Any]) -> None:
    wire = wire_before(vector)
    assert wire.send(bytes.fromhex(vector["client"])).hex() == vector["server"]
    assert wire.closed is vector["closed"]


@every_vector
def test_byte_by_byte(vector: dict[str, Any]) -> None:
    wire = wire_before(vector)
    answer = b"".join(wire.send(bytes([byte])) for byte in bytes.fromhex(vector["client"]))
    assert answer.hex() == vector["server"]
    assert wire.closed is vector["closed"]


@every_vector
def test_bytes_behind_the_packet(vector: dict[str, Any]) -> None:
    """A closed connection says nothing more; an open one goes on with the next packet."""
    wire = wire_before(vector)
    answer = wire.send(bytes.fromhex(vector["client"]) + PINGREQ + b"\x30")
    pong = b"" if vector["closed"] else b"\xd0\x00"
    assert answer.replace(pong, b"", 1).hex() == vector["server"]
    assert pong in answer
    assert wire.closed is vector["closed"]
    assert not wire.outlet.failures


@every_vector
def test_a_mistake_is_noted_and_a_packet_that_is_welcome_is_not(vector: dict[str, Any]) -> None:
    wire = wire_before(vector)
    wire.send(bytes.fromhex(vector["client"]))
    mistake = vector["closed"] and not vector["name"].startswith("DISCONNECT [")
    events = {event for event, _ in wire.outlet.notes}
    assert bool(events & {"protocol error", "connection refused"}) is mistake
