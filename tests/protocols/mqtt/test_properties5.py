"""Properties of MQTT 5.0: every one in every packet, and round trips through the core's form."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.counters import Counters
from core.model.message import Address, plain_message
from core.model.properties import Native, Properties, Timestamp
from protocols.mqtt.errors import PeerError
from protocols.mqtt.properties import IN_CONNECT, IN_MESSAGE, IN_PUBLISH, PACKETS, PROPERTIES, read_properties
from protocols.mqtt.translate5 import Mqtt5Native, carried_by, from_core, published
from tests.protocols.mqtt.peer5 import Cursor, properties, variable

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
topics = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
message_properties = st.fixed_dictionaries(
    {},
    optional={
        "payload_format": st.integers(0, 1),
        "message_expiry": st.integers(0, 0xFFFFFFFF),
        "content_type": text,
        "response_topic": topics,
        "correlation_data": st.binary(max_size=12),
        "user": st.lists(st.tuples(text, text), min_size=1, max_size=4),
        "topic_alias": st.integers(1, 65_535),
    },
)


def inner(data: bytes) -> bytes:
    """Return properties without their length."""
    cursor = Cursor(data)
    return cursor.take(cursor.variable())


def decoded(data: bytes) -> dict[str, Any]:
    return Cursor(variable(len(data)) + data).properties()


@given(message_properties)
def test_what_is_carried_is_what_was_said(said: dict[str, Any]) -> None:
    read = published(inner(properties(said)))
    assert read.expiry_s == said.pop("message_expiry", -1)
    assert read.alias == said.pop("topic_alias", 0)
    message = plain_message(Address("amq.topic", "t"), b"")
    message.native = read.native
    assert decoded(carried_by(message, Counters())) == said


@given(message_properties)
def test_the_core_knows_all_that_was_said(said: dict[str, Any]) -> None:
    """There and back; of user properties with one name the first counts, in the core as in STOMP."""
    said.pop("topic_alias", None)
    expiry_s = said.pop("message_expiry", None)
    core = published(
        inner(properties({**said, "message_expiry": expiry_s} if expiry_s is not None else said))
    ).native.decode()
    assert core.expiration_ms == (None if expiry_s is None else expiry_s * 1_000)
    counters = Counters()
    back = decoded(from_core(core, counters))
    first: dict[str, str] = {}
    for name, value in said.get("user", []):
        first.setdefault(name, value)
    assert dict(back.pop("user", [])) == first
    said.pop("user", None)
    assert back == said
    assert counters.lost == {}


@given(st.binary(max_size=30), st.sampled_from(sorted(PACKETS)))
def test_any_bytes_are_properties_or_a_mistake(data: bytes, packet: int) -> None:
    with suppress(PeerError):
        assert read_properties(data, packet).carried in data


VALUES = {
    0: b"\x01",
    1: b"\x00\x01",
    2: b"\x00\x00\x00\x01",
    3: b"\x01",
    4: b"\x00\x01a",
    5: b"\x00\x01a",
    6: b"\x00\x01a\x00\x01b",
}


@pytest.mark.parametrize("packet", sorted(PACKETS))
@pytest.mark.parametrize("identifier", sorted(PROPERTIES))
def test_a_property_stands_where_it_may_and_once(packet: int, identifier: int) -> None:
    """MQTT 5.0 §2.2.2.2, table 2-4"""
    kind, packets = PROPERTIES[identifier]
    data = bytes([identifier]) + VALUES[kind]
    if packets & packet:
        read_properties(data, packet)
        if identifier == 0x26:
            assert len(read_properties(data * 3, packet).pairs) == 3
        else:
            with pytest.raises(PeerError, match="twice"):
                read_properties(data * 2, packet)
    else:
        with pytest.raises(PeerError, match="no place"):
            read_properties(data, packet)
    for cut in range(1, len(data)):
        with pytest.raises(PeerError) as caught:
            read_properties(data[:cut], packet)
        assert caught.value.code == 0x81


def test_a_number_takes_as_few_bytes_as_it_can() -> None:
    """[MQTT-1.5.5-1]"""
    with pytest.raises(PeerError) as caught:
        read_properties(b"\x91\x00\x00\x00\x00\x01", IN_CONNECT)
    assert caught.value.code == 0x81


class Foreign(Native):
    """Properties of another protocol."""

    def __init__(self, said: Properties) -> None:
        self.said = said

    def decode(self) -> Properties:
        return self.said


def test_what_mqtt_has_no_property_for_travels_as_a_user_property() -> None:
    said = Properties({"n": -7, "f": 0.5, "b": True, "raw": b"text", "at": Timestamp(9), "payload-format-indicator": 1})
    said.content_type, said.content_encoding, said.priority = "text/plain", "gzip", 5
    said.correlation_id, said.reply_to_topic, said.reply_to = "c", "a.b/c", "answers"
    said.message_id, said.timestamp_s, said.type, said.user_id, said.app_id = "m", 12, "t", "u", "app"
    message = plain_message(Address("", "q"), b"")
    message.native = Foreign(said)
    counters = Counters()
    written = decoded(carried_by(message, counters))
    assert written == {
        "payload_format": 1,
        "content_type": "text/plain",
        "response_topic": "a/b.c",
        "correlation_data": b"c",
        "user": [
            ("content-encoding", "gzip"),
            ("message-id", "m"),
            ("type", "t"),
            ("app-id", "app"),
            ("user-id", "u"),
            ("reply-to", "answers"),
            ("priority", "5"),
            ("timestamp", "12"),
            ("n", "-7"),
            ("f", "0.5"),
            ("b", "true"),
            ("raw", "text"),
            ("at", "9"),
        ],
    }
    assert counters.lost == {}
    back = Mqtt5Native(carried_by(message, counters), 3).decode()
    for name in ("content_type", "content_encoding", "priority", "correlation_id", "reply_to_topic", "reply_to"):
        assert getattr(back, name) == getattr(said, name)
    for name in ("message_id", "timestamp_s", "type", "app_id"):
        assert getattr(back, name) == getattr(said, name)
    assert back.user_id is None  # nobody says in whose name a message comes
    assert back.headers["user-id"] == "u"
    assert back.expiration_ms == 3_000


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Properties({"x": [1]}), "header_nested"),
        (Properties({"x": None}), "header_void"),
        (Properties({"x": b"\xff"}), "header_not_text"),
        (Properties({"x": "\0"}), "header_unsayable"),
        (Properties({"x": "y" * 65_536}), "header_unsayable"),
        (Properties({"payload-format-indicator": {"a": 1}}), "header_nested"),
    ],
)
def test_what_cannot_be_said_is_counted(said: Properties, reason: str) -> None:
    counters = Counters()
    assert from_core(said, counters) == b""
    assert counters.lost == {reason: 1}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("content_type", "a\0", "content_type"),
        ("reply_to_topic", "a.#", "reply_to"),
        ("correlation_id", b"x" * 65_536, "correlation_id"),
        ("correlation_id", "x" * 65_536, "correlation_id"),
    ],
)
def test_a_property_that_cannot_be_said_is_counted(name: str, value: object, reason: str) -> None:
    said, counters = Properties(), Counters()
    setattr(said, name, value)
    assert from_core(said, counters) == b""
    assert counters.lost == {reason: 1}


@pytest.mark.parametrize("value", ["256", "-1", "x", "", "٣", "9" * 30])
def test_a_number_that_is_none_stays_a_header(value: str) -> None:
    back = Mqtt5Native(inner(properties({"user": [("priority", value)]})), -1).decode()
    assert (back.priority, back.headers) == (None, {"priority": value})


def test_messages_and_wills_have_the_same_properties() -> None:
    data = inner(properties({"content_type": "x", "user": [("a", "b")]}))
    assert read_properties(data, IN_PUBLISH).carried == data
    assert {identifier for identifier, (_, packets) in PROPERTIES.items() if packets & IN_MESSAGE == IN_MESSAGE} == {
        0x01, 0x02, 0x03, 0x08, 0x09, 0x26
    }  # fmt: skip
