"""The codec against that of amqtt, which others wrote."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.counters import Counters
from core.model.message import Address, plain_message
from protocols.mqtt.frames import PUBLISH, RETAIN
from protocols.mqtt.packets import (
    decode_connect,
    decode_subscribe,
    decode_unsubscribe,
    encode_connack,
    encode_suback,
    encode_unsuback,
)
from protocols.mqtt.topics import topic_field, topic_to_key
from protocols.mqtt.translate import from_core, publish_header

pytest.importorskip("amqtt")
from amqtt.adapters import BufferReader
from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsuback import UnsubackPacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket

words = st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
packet_ids = st.integers(1, 65_535)


def behind_the_header(packet: bytes) -> bytes:
    at = 1
    while packet[at] > 127:
        at += 1
    return packet[at + 1 :]


@given(words, st.integers(0, 65_535), st.booleans(), st.none() | words, st.integers(0, 2), st.booleans())
def test_connect(client_id: str, keep_alive_s: int, clean: bool, name: str | None, qos: int, retain: bool) -> None:
    header = ConnectVariableHeader(keep_alive=keep_alive_s)
    payload = ConnectPayload(client_id=client_id)
    header.clean_session_flag = clean
    if name is not None:
        header.username_flag = header.password_flag = header.will_flag = True
        header.will_qos, header.will_retain_flag = qos, retain
        payload.username, payload.password = name, f"{name} secret"
        payload.will_topic, payload.will_message = name, name.encode()
    packet = decode_connect(behind_the_header(ConnectPacket(None, header, payload).to_bytes()))
    assert (packet.client_id, packet.keep_alive_s, packet.clean, packet.level) == (client_id, keep_alive_s, clean, 4)
    assert packet.username == name
    if name is None:
        assert (packet.will, packet.password) == (None, None)
    else:
        assert packet.password == f"{name} secret".encode()
        assert packet.will is not None
        assert (packet.will.topic, packet.will.body) == (name.encode(), name.encode())
        assert (packet.will.qos, packet.will.retain) == (qos, retain)


@given(packet_ids, st.lists(st.tuples(words, st.integers(0, 2)), min_size=1, max_size=5))
def test_subscribe(packet_id: int, filters: list[tuple[str, int]]) -> None:
    packet = decode_subscribe(behind_the_header(SubscribePacket.build(filters, packet_id).to_bytes()))
    assert (packet.packet_id, packet.filters) == (packet_id, filters)


@given(packet_ids, st.lists(words, min_size=1, max_size=5))
def test_unsubscribe(packet_id: int, filters: list[str]) -> None:
    packet = decode_unsubscribe(behind_the_header(UnsubscribePacket.build(filters, packet_id).to_bytes()))
    assert (packet.packet_id, packet.filters) == (packet_id, filters)


@given(words, st.binary(max_size=300), packet_ids, st.integers(0, 2), st.booleans())
def test_publish(topic: str, body: bytes, packet_id: int, qos: int, retained: bool) -> None:
    message = plain_message(Address("amq.topic", topic_to_key(topic.encode())), body, qos)
    message.retained = retained
    if qos == 0:
        data = from_core(message, Counters())
    else:
        first = PUBLISH | qos << 1 | (RETAIN if retained else 0)
        data = publish_header(first, topic_field(message.address), message, packet_id, Counters()) + body
    assert data == PublishPacket.build(topic, body, packet_id if qos else None, False, qos, retained).to_bytes()
    read = asyncio.run(PublishPacket.from_stream(BufferReader(data)))
    assert (read.topic_name, read.data, read.qos, read.retain_flag) == (topic, body, qos, retained)


@given(packet_ids, st.lists(st.sampled_from([0, 1, 2, 0x80]), min_size=1, max_size=200), st.integers(0, 5))
def test_answers(packet_id: int, codes: list[int], code: int) -> None:
    assert encode_suback(packet_id, codes) == SubackPacket.build(packet_id, codes).to_bytes()
    assert encode_unsuback(packet_id) == UnsubackPacket.build(packet_id).to_bytes()
    assert encode_connack(code, session_present=code == 0) == ConnackPacket.build(int(code == 0), code).to_bytes()
