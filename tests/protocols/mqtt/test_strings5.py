"""Strings of MQTT 5.0, wherever they stand: ill-formed ones make the packet malformed, all others arrive as they are."""

from collections.abc import Callable
from typing import Final

import pytest

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import field, frame
from tests.protocols.mqtt.peer5 import Client5, read, variable
from tests.protocols.world import World

ILL_FORMED: Final = {
    "a byte that begins nothing": b"\xff",
    "a cut sequence": b"a\xc3",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "U+0000": b"a\0b",
}
IN_PUBLISH: Final[dict[str, Callable[[bytes], bytes]]] = {
    "content type": lambda raw: b"\x03" + field(raw),
    "response topic": lambda raw: b"\x08" + field(raw),
    "name of a user property": lambda raw: b"\x26" + field(raw) + field("v"),
    "value of a user property": lambda raw: b"\x26" + field("n") + field(raw),
}

every_ill_formed = pytest.mark.parametrize("raw", ILL_FORMED.values(), ids=ILL_FORMED)


def connected(client_id: bytes = b"c", will: bytes = b"", username: bytes | None = None) -> bytes:
    flags, payload = 2, field(client_id)
    if will:
        flags |= 4
        payload += will
    if username is not None:
        flags |= 0x80
        payload += field(username)
    return frame(0x10, field("MQTT") + bytes([5, flags, 0, 0, 0]) + payload)


def published(properties: bytes, topic: bytes = b"t") -> bytes:
    return frame(0x30, field(topic) + variable(len(properties)) + properties + b"body")


@every_ill_formed
@pytest.mark.parametrize("where", ["client id", "will topic", "content type of the will", "user name"])
def test_in_connect(world: World, where: str, raw: bytes) -> None:
    """[MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-3.1.3-4], [MQTT-3.1.3-11], [MQTT-3.1.3-12], [MQTT-3.1.4-1]"""
    content_type = b"\x03" + field(raw)
    packet = {
        "client id": connected(raw),
        "will topic": connected(will=b"\0" + field(raw) + field(b"")),
        "content type of the will": connected(will=variable(len(content_type)) + content_type + field("w") + field("")),
        "user name": connected(username=raw),
    }[where]
    wire = world.connect(MqttConnection)
    (answer,) = read(wire.send(packet))
    assert (answer.name, answer.codes) == ("CONNACK", b"\x81")
    assert wire.closed


@every_ill_formed
@pytest.mark.parametrize("where", [*IN_PUBLISH, "topic"])
def test_in_publish(world: World, where: str, raw: bytes) -> None:
    """[MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-1.5.7-1], [MQTT-3.3.2-1], [MQTT-3.3.2-13], [MQTT-3.3.2-19]"""
    client = Client5(world)
    packet = published(b"", raw) if where == "topic" else published(IN_PUBLISH[where](raw))
    (answer,) = client.send(packet)
    assert (answer.name, answer.codes) == ("DISCONNECT", b"\x81")
    assert client.closed


@every_ill_formed
@pytest.mark.parametrize(("first", "options"), [(0x82, b"\0"), (0xA2, b"")])
def test_in_a_topic_filter(world: World, first: int, options: bytes, raw: bytes) -> None:
    """[MQTT-3.8.3-1], [MQTT-3.10.3-1], [MQTT-4.7.3-2]"""
    client = Client5(world)
    (answer,) = client.send(frame(first, b"\0\1\0" + field(raw) + options))
    assert (answer.name, answer.codes) == ("DISCONNECT", b"\x81")
    assert client.closed


@pytest.mark.parametrize("text", ["\ufeff", "\ufeffa\ufeff", "\ufdd0", "\uffff", "\U0010ffff", "a\u0301", "日本"])
@pytest.mark.parametrize("where", IN_PUBLISH)
def test_what_is_well_formed_arrives_as_it_is(world: World, where: str, text: str) -> None:
    """[MQTT-1.5.4-3]"""
    client = Client5(world)
    client.subscribe((text, 0))
    properties = IN_PUBLISH[where](text.encode())
    (message,) = client.send(published(properties, text.encode()))
    assert message.topic == text
    (value,) = message.said.values()
    assert text == value or text in value[0]
