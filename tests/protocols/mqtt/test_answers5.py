"""Every answer of the broker in MQTT 5.0 is a packet with the codes and properties that its kind has (§2.4, §3.4 to §3.14)."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer5 import ack, connect5, disconnect5, publish5, read, subscribe5, unsubscribe5
from tests.protocols.world import World

TAKEN: Final = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}
CODES: Final = {
    "CONNACK": {0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
    "PUBACK": TAKEN,
    "PUBREC": TAKEN,
    "PUBREL": {0x00, 0x92},
    "PUBCOMP": {0x00, 0x92},
    "SUBACK": {0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    "UNSUBACK": {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91},
    "DISCONNECT": {0x81, 0x82, 0x83, 0x87, 0x89, *range(0x8B, 0xA3)} - {0x8C, 0x91, 0x92},
}
SAID: Final = {
    "CONNACK": {"reason_string", "receive_maximum", "maximum_packet_size", "topic_alias_maximum", "shared_available"},
    "DISCONNECT": {"reason_string"},
    "PUBACK": {"reason_string"},
    "PUBREC": {"reason_string"},
    "SUBACK": {"reason_string"},
}

topics = st.sampled_from(["a", "a/b", "$SYS/x", "", "a/#"])
filters = st.sampled_from(["a", "a/+", "#", "a/#/b", "/" * 130, "$share/g/a", "$share/+/a", "$SYS/#"])
ids = st.integers(0, 4)
packets = st.one_of(
    st.builds(
        publish5, topics, st.binary(max_size=3), st.integers(0, 2), ids, dup=st.just(False), retain=st.booleans()
    ),
    st.builds(ack, st.sampled_from([0x40, 0x50, 0x62, 0x70]), ids, st.none() | st.sampled_from([0, 0x10, 0x80, 0x92])),
    st.lists(st.tuples(filters, st.integers(0, 2)), max_size=4).map(lambda asked: subscribe5(*asked)),
    st.lists(filters, max_size=4).map(lambda asked: unsubscribe5(*asked)),
    st.just(b"\xc0\x00"),
    st.sampled_from([connect5(), disconnect5(), b"\xf0\x00", b"\x00\x00"]),
)


@given(st.lists(packets, max_size=20), st.booleans())
def test_answers_have_the_codes_and_properties_of_their_kind(sent: list[bytes], explained: bool) -> None:
    """[MQTT-2.2.2-1], [MQTT-3.2.2-1], [MQTT-3.2.2-8], [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]

    [MQTT-3.9.3-2], [MQTT-3.11.3-2], [MQTT-3.14.2-1], [MQTT-3.14.4-2], [MQTT-4.13.2-1]. The broker has no user properties
    of its own: [MQTT-3.2.2-20], [MQTT-3.4.2-3], [MQTT-3.5.2-3], [MQTT-3.6.2-3], [MQTT-3.7.2-3], [MQTT-3.9.2-2],
    [MQTT-3.11.2-2], [MQTT-3.14.2-4]. Nor reasons where none are wanted: [MQTT-3.1.2-29], [MQTT-3.6.2-2], [MQTT-3.7.2-2].
    """
    wire = World().connect(MqttConnection)
    for packet in [connect5(request_problem=int(explained)), *sent]:
        closed = wire.closed
        said = read(wire.send(packet))
        assert not (closed and said)
        for one in said:
            if one.name in CODES:
                assert set(one.codes) <= CODES[one.name], one
                assert set(one.said) <= SAID.get(one.name, set()), one
            if one.name not in {"CONNACK", "DISCONNECT", "PUBLISH"} and not explained:
                assert one.said == {}
            assert wire.closed or one.name != "DISCONNECT"
