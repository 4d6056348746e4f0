"""What a client of MQTT 5.0 takes: no packet beyond its Maximum Packet Size, and words only where there is room for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer5 import Client5, Packet, ack, connect5, publish5, read, subscribe5, unsubscribe5
from tests.protocols.world import World

CONNACK_BYTES = 20  # of the shortest that lets a client in


@given(limit_bytes=st.integers(CONNACK_BYTES, 200), filters=st.integers(1, 60))
def test_no_answer_is_larger_than_the_client_takes(limit_bytes: int, filters: int) -> None:
    """[MQTT-3.1.2-24], [MQTT-3.4.2-2], [MQTT-3.5.2-2], [MQTT-3.9.2-1], [MQTT-3.11.2-1], [MQTT-3.14.2-3]"""
    wire = World().connect(MqttConnection)
    packets = [
        connect5(maximum_packet_size=limit_bytes),
        publish5("$SYS/x", b"", 1),
        publish5("$SYS/x", b"", 2, 2),
        ack(0x62, 2),
        ack(0x62, 3),
        subscribe5(*[("a/#/b", 0)] * filters),
        unsubscribe5(*["a"] * filters),
        connect5(),
    ]
    names: list[str] = []
    for packet in packets:
        said = wire.send(packet)
        for one, size in sized(said):
            assert size <= limit_bytes, one
            names.append(one.name)
    assert wire.closed
    assert names[:5] == ["CONNACK", "PUBACK", "PUBREC", "PUBCOMP", "PUBCOMP"]
    assert names[-1] == "DISCONNECT"


def sized(data: bytes) -> list[tuple[Packet, int]]:
    """Cut into packets, each with its size."""
    found: list[tuple[Packet, int]] = []
    while data:
        size = next(size for size in range(2, len(data) + 1) if _whole(data[:size]))
        found.append((read(data[:size])[0], size))
        data = data[size:]
    return found


def _whole(data: bytes) -> bool:
    length, at = data[1] & 127, 2
    if data[1] > 127:
        if len(data) < 3:
            return False
        length, at = length | data[2] << 7, 3
    return len(data) == at + length


@pytest.mark.parametrize(("asked", "explained"), [(1, True), (0, False)])
def test_words_go_to_a_client_that_wants_them_and_has_room(world: World, asked: int, explained: bool) -> None:
    """[MQTT-3.1.2-29], and no user properties of the broker's own: [MQTT-3.4.2-3], [MQTT-3.5.2-3], [MQTT-3.9.2-2]"""
    client = Client5(world, request_problem=asked)
    said = client.send(
        publish5("$SYS/x", b"", 1), publish5("$SYS/x", b"", 2, 2), subscribe5(("a/#/b", 0)), unsubscribe5("a")
    )
    assert [packet.name for packet in said] == ["PUBACK", "PUBREC", "SUBACK", "UNSUBACK"]
    assert [set(packet.said) for packet in said[:3]] == [{"reason_string"} if explained else set()] * 3
    assert said[3].said == {}


def test_a_message_that_is_too_large_counts_as_sent(world: World) -> None:
    """[MQTT-3.1.2-25]"""
    client, sender = Client5(world, maximum_packet_size=100, receive_maximum=1), Client5(world, "sender")
    client.subscribe(("t", 2))
    for body in (b"x" * 200, b"1", b"y" * 200, b"2"):
        sender.publish("t", body, 1)
    (one,) = client.take()
    assert [said.body for said in client.send(ack(0x40, one.packet_id))] == [b"2"]


def test_the_limit_is_the_last_size_that_is_sent(world: World) -> None:
    """[MQTT-3.1.2-24]"""
    client, sender = Client5(world, maximum_packet_size=100), Client5(world, "sender")
    client.subscribe(("t", 0))
    fixed, topic, properties = 2, 3, 1
    for size in (94, 95):
        sender.publish("t", b"x" * size)
    assert [len(said.body) + fixed + topic + properties for said in client.take()] == [100]
