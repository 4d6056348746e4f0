"""The codec of MQTT 5.0 against that of paho-mqtt, which others wrote: its packets are read here, and ours are read there."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.counters import Counters
from core.model.message import Address, Message
from core.timers import Clock
from protocols.mqtt import packets5
from protocols.mqtt.dialect import Terms
from protocols.mqtt.dialect5 import Dialect5
from protocols.mqtt.packets import decode_connect
from protocols.mqtt.properties import (
    IN_ACK,
    IN_AUTH,
    IN_DISCONNECT,
    SUBSCRIPTION_IDENTIFIER,
    PropertySet,
    read_properties,
    variable,
)
from protocols.mqtt.subscription import Grant
from protocols.mqtt.topics import topic_to_key
from protocols.mqtt.translate5 import published

pytest.importorskip("paho.mqtt._packet")
import paho.mqtt._packet as theirs
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

V5: Final = MQTTProtocolVersion.MQTTv5

letters = st.characters(exclude_characters="+#\0", exclude_categories=["Cs", "Cc"])
words = st.text(letters, min_size=1, max_size=20)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=4)
packet_ids = st.integers(1, 65_535)
longs = st.integers(0, 0xFFFFFFFF)
shorts = st.integers(0, 0xFFFF)

# By paho's names, with ours beside them.
VALUES: Final[dict[str, tuple[int, st.SearchStrategy[Any]]]] = {
    "PayloadFormatIndicator": (0x01, st.integers(0, 1)),
    "MessageExpiryInterval": (0x02, longs),
    "ContentType": (0x03, texts),
    "ResponseTopic": (0x08, words),
    "CorrelationData": (0x09, st.binary(max_size=20)),
    "SessionExpiryInterval": (0x11, longs),
    "AuthenticationMethod": (0x15, texts),
    "AuthenticationData": (0x16, st.binary(max_size=20)),
    "RequestProblemInformation": (0x17, st.integers(0, 1)),
    "WillDelayInterval": (0x18, longs),
    "RequestResponseInformation": (0x19, st.integers(0, 1)),
    "ReasonString": (0x1F, texts),
    "ReceiveMaximum": (0x21, st.integers(1, 65_535)),
    "TopicAliasMaximum": (0x22, shorts),
    "MaximumPacketSize": (0x27, st.integers(1, 268_435_455)),
    "UserProperty": (0x26, pairs),
}
MESSAGE: Final = ("PayloadFormatIndicator", "MessageExpiryInterval", "ContentType", "ResponseTopic", "CorrelationData")
WORDS: Final = ("ReasonString", "UserProperty")
SAID_IN: Final[dict[int, tuple[str, ...]]] = {
    PacketTypes.CONNECT: (
        *("SessionExpiryInterval", "AuthenticationMethod", "AuthenticationData", "RequestProblemInformation"),
        *("RequestResponseInformation", "ReceiveMaximum", "TopicAliasMaximum", "MaximumPacketSize", "UserProperty"),
    ),
    PacketTypes.WILLMESSAGE: (*MESSAGE, "WillDelayInterval", "UserProperty"),
    PacketTypes.PUBLISH: (*MESSAGE, "UserProperty"),
    PacketTypes.PUBACK: WORDS,
    PacketTypes.DISCONNECT: ("SessionExpiryInterval", *WORDS),
    PacketTypes.AUTH: ("AuthenticationMethod", "AuthenticationData", *WORDS),
}


def said_in(kind: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: VALUES[name][1] for name in SAID_IN[kind]})


def paho_properties(kind: int, said: dict[str, Any]) -> Properties:
    found = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in said.items():
        setattr(found, name, value)
    return found


def paho_size(data: bytes) -> int:
    """Return how many bytes the properties of a PUBLISH take with their length."""
    reader: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    return int(reader.unpack(data)[1])


def ours(properties: PropertySet) -> dict[str, Any]:
    """Return what our codec has read, by paho's names."""
    names = {number: name for name, (number, _) in VALUES.items()}
    found: dict[str, Any] = {}
    for values in (properties.numbers, properties.texts, properties.binaries):
        found |= {names[number]: value for number, value in values.items()}
    if properties.pairs:
        found["UserProperty"] = properties.pairs
    return found


def plain(properties: Properties | None) -> dict[str, Any]:
    """Return what paho's codec has read."""
    if properties is None:
        return {}
    return {name: value for name, value in vars(properties).items() if name[0].isupper()}


class Writer(paho.Client):
    """A client of paho's that writes its packets into a list."""

    def __init__(self, client_id: str = "c") -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=V5)
        self._sock: Any = object()  # what its methods ask for before they write
        self.written: list[bytes] = []

    def _packet_queue(self, command: int, packet: Any, mid: int, qos: int, info: Any = None) -> Any:
        self.written.append(bytes(packet))
        return 0

    def _sock_close(self) -> None:
        self._sock = None


def rest_of(packet: bytes) -> tuple[int, bytes]:
    at = 1
    while packet[at] > 127:
        at += 1
    return packet[0], packet[at + 1 :]


def written(write: Callable[[Writer], Any], client_id: str = "c") -> tuple[int, bytes]:
    """Return the first byte of what paho writes, and what is behind its length."""
    client = Writer(client_id)
    write(client)
    (packet,) = client.written
    client._sock = None
    return rest_of(packet)


@given(
    words,
    shorts,
    st.booleans(),
    st.none() | st.tuples(words, texts),
    st.none() | st.tuples(words, st.binary(max_size=20), st.integers(0, 2), st.booleans()),
    said_in(PacketTypes.CONNECT),
    said_in(PacketTypes.WILLMESSAGE),
)
def test_connect(
    client_id: str,
    keep_alive_s: int,
    clean: bool,
    login: tuple[str, str] | None,
    will: tuple[str, bytes, int, bool] | None,
    said: dict[str, Any],
    said_of_will: dict[str, Any],
) -> None:
    def write(client: Any) -> None:
        if login is not None:
            client.username_pw_set(*login)
        if will is not None:
            client.will_set(*will, properties=paho_properties(PacketTypes.WILLMESSAGE, said_of_will))
        client._clean_start = clean
        client._connect_properties = paho_properties(PacketTypes.CONNECT, said)
        client._send_connect(keep_alive_s)

    first, data = written(write, client_id)
    packet = decode_connect(data)
    assert (first, packet.level) == (0x10, 5)
    assert (packet.client_id, packet.keep_alive_s, packet.clean) == (client_id, keep_alive_s, clean)
    assert ours(packet.properties) == said
    assert (packet.username, packet.password) == ((None, None) if login is None else (login[0], login[1].encode()))
    if will is None:
        assert packet.will is None
    else:
        fields = packet.will
        assert fields is not None
        assert (fields.topic.decode(), fields.body, fields.qos, fields.retain) == will
        assert ours(fields.properties) == said_of_will


options = st.builds(
    SubscribeOptions,
    qos=st.integers(0, 2),
    noLocal=st.booleans(),
    retainAsPublished=st.booleans(),
    retainHandling=st.integers(0, 2),
)


@given(st.lists(st.tuples(words, options), min_size=1, max_size=5), st.none() | st.integers(1, 268_435_455), pairs)
def test_subscribe(filters: list[tuple[str, Any]], identifier: int | None, user: list[tuple[str, str]]) -> None:
    said: dict[str, Any] = {"UserProperty": user}
    if identifier is not None:
        said["SubscriptionIdentifier"] = identifier
    topics = [(topic.encode(), option) for topic, option in filters]
    properties = paho_properties(PacketTypes.SUBSCRIBE, said)
    first, data = written(lambda client: client._send_subscribe(False, topics, properties))
    packet = packets5.decode_subscribe(data)
    assert (first, packet.packet_id, packet.identifier) == (0x82, 1, identifier or 0)
    assert packet.filters == [(topic, option.pack()[0]) for topic, option in filters]


@given(st.lists(words, min_size=1, max_size=5), pairs)
def test_unsubscribe(filters: list[str], user: list[tuple[str, str]]) -> None:
    properties = paho_properties(PacketTypes.UNSUBSCRIBE, {"UserProperty": user})
    topics = [topic.encode() for topic in filters]
    first, data = written(lambda client: client._send_unsubscribe(False, topics, properties))
    packet = packets5.decode_unsubscribe(data)
    assert (first, packet.packet_id, packet.filters) == (0xA2, 1, filters)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (PacketTypes.PUBACK, IN_ACK),
        (PacketTypes.DISCONNECT, IN_DISCONNECT),
        (PacketTypes.AUTH, IN_AUTH),
    ],
)
@given(data=st.data())
def test_properties_of_other_packets(kind: int, place: int, data: st.DataObject) -> None:
    said = data.draw(said_in(kind))
    packed: bytes = paho_properties(kind, said).pack()  # type: ignore[no-untyped-call]
    _, raw = rest_of(b"\0" + packed)
    assert ours(read_properties(raw, place)) == said


@given(
    words,
    st.binary(max_size=300),
    packet_ids,
    st.integers(0, 2),
    st.booleans(),
    said_in(PacketTypes.PUBLISH),
    st.integers(0, 268_435_455),
)
def test_publish_there_and_back(
    topic: str, body: bytes, packet_id: int, qos: int, dup: bool, said: dict[str, Any], identifier: int
) -> None:
    """What paho writes is read, passed on with what a subscription adds, and read by paho again."""
    first, data = written(
        lambda client: client._send_publish(
            packet_id, topic.encode(), body, qos, False, False, properties=paho_properties(PacketTypes.PUBLISH, said)
        )
    )
    assert first == 0x30 | qos << 1
    at = 2 + len(topic.encode()) + (2 if qos else 0)
    size = paho_size(data[at:])
    properties = published(rest_of(b"\0" + data[at : at + size])[1])
    assert properties.expiry_s == said.get("MessageExpiryInterval", -1)
    message = Message(Address("amq.topic", topic_to_key(topic.encode())), data[at + size :], qos, properties.native)
    clock = Clock()
    clock.now = 10.0
    if "MessageExpiryInterval" in said:
        message.expires_at = clock.now + said["MessageExpiryInterval"]
    dialect, grant = Dialect5(Counters(), clock), Grant(2)
    if identifier:
        grant.identifiers = variable(SUBSCRIPTION_IDENTIFIER, identifier)
        said = {**said, "SubscriptionIdentifier": [identifier]}
    if qos:
        packet = dialect.header(message, grant, qos, 8 if dup else 0, packet_id) + message.body
    else:
        packet = dialect.at_most_once(message, grant)
    head, rest = rest_of(packet)
    read = theirs.decode_publish(head, rest, V5)
    assert (read.topic.decode(), bytes(read.payload), read.qos, read.retain) == (topic, body, qos, False)
    assert (read.mid, read.dup) == ((packet_id, dup) if qos else (0, False))
    assert plain(read.properties) == said


@given(st.booleans(), st.none() | longs, st.none() | shorts, st.text(letters, max_size=20), st.integers(1, 268_435_455))
def test_connack(present: bool, expiry_s: int | None, keep_alive_s: int | None, assigned: str, limit: int) -> None:
    terms = Terms()
    terms.session_present = present
    terms.session_expiry_s = -1 if expiry_s is None else expiry_s
    terms.keep_alive_s = -1 if keep_alive_s is None else keep_alive_s
    terms.assigned_client_id = assigned
    terms.packet_limit_bytes = limit
    head, rest = rest_of(Dialect5(Counters(), Clock()).accept(terms))
    read = theirs.decode_connack(head, rest, V5)
    said = plain(read.properties)
    assert (read.flags, read.reason.value) == (int(present), 0)
    assert said.get("SessionExpiryInterval") == expiry_s
    assert said.get("ServerKeepAlive") == keep_alive_s
    assert said.get("AssignedClientIdentifier", "") == assigned
    assert said["MaximumPacketSize"] == limit
    assert said["ReceiveMaximum"] == 1_024


@given(st.sampled_from([0x81, 0x82, 0x85, 0x87, 0x97]), texts)
def test_refusals(code: int, text: str) -> None:
    dialect = Dialect5(Counters(), Clock())
    refused = theirs.decode_connack(*rest_of(dialect.refuse(code, text)), V5)
    assert (refused.flags, refused.reason.value) == (0, code)
    assert plain(refused.properties) == {"ReasonString": text}
    left = theirs.decode_disconnect(*rest_of(dialect.goodbye(0x82, text)), V5)
    assert left.reason is not None
    assert (left.reason.value, plain(left.properties)) == (0x82, {"ReasonString": text})


@given(packet_ids, st.lists(st.sampled_from([0, 1, 2, 0x80, 0x87, 0x8F, 0x97]), min_size=1, max_size=200), texts)
def test_answers_to_subscribe(packet_id: int, codes: list[int], text: str) -> None:
    dialect = Dialect5(Counters(), Clock())
    suback = theirs.decode_suback(*rest_of(dialect.suback(packet_id, codes, text)), V5)
    assert (suback.mid, [code.value for code in suback.reason_codes]) == (packet_id, codes)
    assert plain(suback.properties) == ({"ReasonString": text} if text else {})
    known = [0 if code < 3 else 0x11 for code in codes]
    unsuback = theirs.decode_unsuback(*rest_of(dialect.unsuback(packet_id, known)), V5)
    assert (unsuback.mid, [code.value for code in unsuback.reason_codes]) == (packet_id, known)


@pytest.mark.parametrize(
    ("first", "decode", "codes"),
    [
        (0x40, theirs.decode_puback, [0, 0x10, 0x87, 0x97]),
        (0x50, theirs.decode_pubrec, [0, 0x10, 0x87, 0x97]),
        (0x62, theirs.decode_pubrel, [0, 0x92]),
        (0x70, theirs.decode_pubcomp, [0, 0x92]),
    ],
)
@given(data=st.data(), packet_id=packet_ids, text=st.none() | texts)
def test_acknowledgements(
    first: int, decode: Any, codes: list[int], data: st.DataObject, packet_id: int, text: str | None
) -> None:
    """There and back: what is written here is read by both."""
    code = data.draw(st.sampled_from(codes))
    said = b"" if text is None else packets5.reason(text)
    head, rest = rest_of(packets5.encode_ack(first, packet_id, code, said))
    read = decode(head, rest, V5)
    assert (read.mid, read.reason.value) == (packet_id, code)
    assert plain(read.properties) == ({} if text is None else {"ReasonString": text})
    assert packets5.decode_ack(rest, frozenset(codes)) == (packet_id, code)
