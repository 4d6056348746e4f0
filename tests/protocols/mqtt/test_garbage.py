"""Any bytes at any state end in bytes and calls, never in an exception."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import (
    DISCONNECT,
    PINGREQ,
    Client,
    Will,
    connect,
    frame,
    puback,
    pubcomp,
    publish,
    pubrec,
    pubrel,
    read,
    subscribe,
    unsubscribe,
)
from tests.protocols.mqtt.peer5 import Will5, ack, connect5, disconnect5, publish5, subscribe5, unsubscribe5
from tests.protocols.mqtt.peer5 import read as read5
from tests.protocols.world import World

packet_ids = st.integers(0, 4)
words = st.sampled_from(["a", "a/b", "+", "#", "a/#", "$SYS", "", "é", "a\0", "x" * 130])
qos = st.integers(0, 3)
packets = st.one_of(
    st.just(PINGREQ),
    st.just(DISCONNECT),
    st.builds(connect, words, clean=st.booleans(), keep_alive_s=st.integers(0, 9), level=st.integers(3, 5)),
    st.builds(connect, will=st.builds(Will, words, st.binary(max_size=3), qos, st.booleans())),
    st.builds(publish, words, st.binary(max_size=9), qos, packet_ids, dup=st.booleans(), retain=st.booleans()),
    st.builds(lambda filters: subscribe(*filters), st.lists(st.tuples(words, qos), max_size=3)),
    st.builds(lambda filters: unsubscribe(*filters), st.lists(words, max_size=3)),
    st.builds(puback, packet_ids),
    st.builds(pubrec, packet_ids),
    st.builds(pubrel, packet_ids),
    st.builds(pubcomp, packet_ids),
    st.builds(frame, st.integers(0, 255), st.binary(max_size=12)),
)

said = st.fixed_dictionaries(
    {},
    optional={
        "payload_format": st.integers(0, 2),
        "message_expiry": st.sampled_from([0, 1, 0xFFFFFFFF]),
        "response_topic": words,
        "correlation_data": st.binary(max_size=3),
        "user": st.lists(st.tuples(words, words), max_size=2),
        "topic_alias": st.sampled_from([0, 1, 2, 64, 65]),
    },
)
terms = st.fixed_dictionaries(
    {},
    optional={
        "session_expiry": st.sampled_from([0, 9, 0xFFFFFFFF]),
        "receive_maximum": st.integers(0, 2),
        "maximum_packet_size": st.sampled_from([0, 1, 20, 40, 0xFFFFFFFF]),
        "topic_alias_maximum": st.integers(0, 3),
        "request_problem": st.integers(0, 2),
        "authentication_method": words,
    },
)
options = st.integers(0, 0x3F)
codes = st.none() | st.sampled_from([0, 0x10, 0x92, 0x97, 0xFF])
packets5 = st.one_of(
    st.just(PINGREQ),
    st.builds(lambda name, clean, terms: connect5(name, clean=clean, **terms), words, st.booleans(), terms),
    st.builds(
        lambda will: connect5(will=will), st.builds(Will5, words, st.binary(max_size=3), qos, st.booleans(), said)
    ),
    st.builds(
        lambda topic, body, qos, number, retain, said: publish5(topic, body, qos, number, retain=retain, **said),
        words | st.just(""),
        st.binary(max_size=9),
        st.integers(0, 2),
        packet_ids,
        st.booleans(),
        said,
    ),
    st.builds(
        lambda filters, number: subscribe5(*filters, subscription_identifier=number),
        st.lists(st.tuples(words, options), max_size=3),
        st.sampled_from([0, 1, 128, 268_435_455]),
    ),
    st.builds(lambda filters: unsubscribe5(*filters), st.lists(words, max_size=3)),
    st.builds(ack, st.sampled_from([0x40, 0x50, 0x62, 0x70]), packet_ids, codes),
    st.builds(disconnect5, st.sampled_from([0, 4, 0x8B])),
    st.builds(frame, st.integers(0, 255), st.binary(max_size=12)),
)


@st.composite
def conversations(draw: st.DrawFn, kinds: st.SearchStrategy[bytes] = packets) -> bytes:
    """Packets in any order, most of them whole, some with a byte changed."""
    data = bytearray(b"".join(draw(st.lists(kinds, max_size=12))))
    if data and draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks: list[bytes] = []
    for size in sizes:
        if data:
            chunks.append(data[:size])
            data = data[size:]
    return [*chunks, data] if data else chunks


@given(st.binary(max_size=60), st.booleans())
def test_noise(data: bytes, connected: bool) -> None:
    wire = World().connect(MqttConnection)
    if connected:
        wire.send(connect())
    read(wire.send(data))
    assert wire.outlet.failures == []


@given(conversations(), st.booleans())
def test_packets_in_any_order(data: bytes, connected: bool) -> None:
    world = World()
    watcher = Client(world, "watcher")
    watcher.subscribe(("#", 2))
    wire = world.connect(MqttConnection)
    if connected:
        wire.send(connect(clean=False))
    read(wire.send(data))
    wire.hang_up()
    assert wire.outlet.failures == []
    watcher.take()
    assert watcher.send(PINGREQ)[-1].codes == b""  # type: ignore[union-attr]
    assert not watcher.closed


@given(conversations(), st.lists(st.integers(1, 20), max_size=20))
def test_the_answer_does_not_depend_on_how_the_bytes_were_cut(data: bytes, sizes: list[int]) -> None:
    """Answers of a chunk may be collected, so they are compared by kind."""
    whole, pieces = World().connect(MqttConnection), World().connect(MqttConnection)
    start = connect()
    expected = read(whole.send(start + data))
    got = [said for chunk in cut(start + data, sizes) for said in read(pieces.send(chunk))]
    assert sorted(got, key=repr) == sorted(expected, key=repr)
    assert pieces.closed is whole.closed
    assert [event for event, _ in pieces.outlet.notes] == [event for event, _ in whole.outlet.notes]


@given(conversations(packets5), terms)
def test_packets_of_mqtt_5_in_any_order(data: bytes, agreed: dict[str, Any]) -> None:
    world = World()
    watcher = Client(world, "watcher")
    watcher.subscribe(("#", 2))
    wire = world.connect(MqttConnection)
    read5(wire.send(connect5(clean=False, **agreed)))
    read5(wire.send(data))
    wire.hang_up()
    assert wire.outlet.failures == []
    watcher.take()
    assert watcher.send(PINGREQ)[-1].codes == b""  # type: ignore[union-attr]
    world.advance(10)
    assert not watcher.closed


@given(conversations(packets5), st.lists(st.integers(1, 20), max_size=20))
def test_the_answer_of_mqtt_5_does_not_depend_on_how_the_bytes_were_cut(data: bytes, sizes: list[int]) -> None:
    whole, pieces = World().connect(MqttConnection), World().connect(MqttConnection)
    start = connect5()
    expected = read5(whole.send(start + data))
    got = [said for chunk in cut(start + data, sizes) for said in read5(pieces.send(chunk))]
    assert sorted(map(repr, got)) == sorted(map(repr, expected))
    assert pieces.closed is whole.closed
