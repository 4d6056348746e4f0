"""The STOMP columns of docs/conversions.md, both ways, for each version."""

from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import User
from core.counters import Counters
from core.model.message import AT_MOST_ONCE, Message, plain_message
from core.model.properties import Native, Properties, Timestamp
from protocols.stomp.dialect import RABBITMQ
from protocols.stomp.headers import decoded_headers, header_line
from protocols.stomp.translate import MESSAGE_OWN, PROPERTIES, RESERVED, SEND_OWN, StompNative, from_core
from protocols.stomp.versions import V1_0, V1_1, V1_2
from tests.protocols.stomp.peer import VERSIONS, Answer, StompPeer, answers, escaped
from tests.protocols.world import World

NOW_MS: Final = 1_700_000_000_000
CODES: Final = {"1.0": V1_0, "1.1": V1_1, "1.2": V1_2}

# attribute of Properties, its value, header, its value
TABLE: Final[tuple[tuple[str, Any, str, str], ...]] = (
    ("content_type", "text/plain; charset=utf-8", "content-type", "text/plain; charset=utf-8"),
    ("content_encoding", "gzip", "content-encoding", "gzip"),
    ("priority", 7, "priority", "7"),
    ("correlation_id", "order:17", "correlation-id", "order:17"),
    ("reply_to", "answers", "reply-to", "/queue/answers"),
    ("reply_to", "a/b,c", "reply-to", "/queue/a%2Fb%2Cc"),
    ("reply_to", "amq.gen-x", "reply-to", "/reply-queue/amq.gen-x"),
    ("reply_to", "/exchange/x/k", "reply-to", "/exchange/x/k"),
    ("reply_to_topic", "a.b", "reply-to", "/topic/a.b"),
    ("expiration_ms", 600_000, "expiration", "600000"),
    ("message_id", "m-1", "amqp-message-id", "m-1"),
    ("timestamp_s", 1_700_000_000, "timestamp", "1700000000"),
    ("type", "order.created", "type", "order.created"),
    ("user_id", "guest", "user-id", "guest"),
    ("app_id", "shop", "app-id", "shop"),
)

sayable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


class Foreign(Native):
    """Properties as another protocol's native decodes to them."""

    def __init__(self, properties: Properties) -> None:
        self.properties = properties

    def decode(self) -> Properties:
        return self.properties


def native(headers: dict[str, str], version: int = V1_2, user: str = "guest") -> StompNative:
    lines = b"".join([header_line(name, value, version) or b"" for name, value in headers.items()])
    return StompNative(lines.removesuffix(b"\n"), version, RABBITMQ, headers, User(user), NOW_MS)


def received(world: World, properties: Properties, version: str = "1.2", qos: int = AT_MOST_ONCE) -> Answer:
    """Return the MESSAGE that a subscriber gets of a message from another protocol."""
    peer = StompPeer(world, version)
    peer.subscribe("/topic/t")
    exchange = world.broker.vhosts["/"].exchanges["amq.topic"]
    exchange.take(Message(exchange.address("t"), b"x", qos, Foreign(properties)))
    (message,) = peer.heard()
    return message


def said(properties: Properties, version: int = V1_2) -> tuple[dict[str, str], dict[str, int]]:
    """Return the headers of properties, and what was lost."""
    counters = Counters()
    return decoded_headers(
        from_core(properties, version, RABBITMQ, counters).removesuffix(b"\n"), version
    ), counters.lost


@pytest.mark.parametrize(("attribute", "value", "name", "text"), TABLE)
def test_a_property_is_a_header(attribute: str, value: Any, name: str, text: str) -> None:
    properties = Properties()
    setattr(properties, attribute, value)
    assert said(properties) == ({name: text}, {})


@pytest.mark.parametrize(("attribute", "value", "name", "text"), TABLE)
@pytest.mark.parametrize("version", [V1_0, V1_1, V1_2])
def test_a_header_is_a_property(attribute: str, value: Any, name: str, text: str, version: int) -> None:
    properties = native({"destination": "/queue/q", name: text}, version).decode()
    assert {key: v for key, v in vars_of(properties).items() if v is not None} == {attribute: value, "headers": {}}


def vars_of(properties: Properties) -> dict[str, Any]:
    names = {row[0] for row in TABLE} | {"headers"}
    return {name: getattr(properties, name) for name in names}


@pytest.mark.parametrize(
    ("text", "queue", "topic"),
    [
        ("answers", "answers", None),
        ("/amq/queue/answers", "answers", None),
        ("/reply-queue/amq.gen-x", "amq.gen-x", None),
        ("/exchange/amq.topic/a.b", None, "a.b"),
        ("/topic/a%2Fb", None, "a/b"),
        ("/nowhere/x", "/nowhere/x", None),
        ("/queue/a/b", "/queue/a/b", None),
        ("", "", None),
    ],
)
def test_where_to_answer(text: str, queue: str | None, topic: str | None) -> None:
    properties = native({"reply-to": text}).decode()
    assert (properties.reply_to, properties.reply_to_topic) == (queue, topic)


def test_other_headers_are_the_header_table() -> None:
    headers = {"colour": "red", "Size": "12", "odd": "a:b\n", "message-id": "x", "": "", "ä": "€"}
    del headers[""]
    assert native(headers | dict.fromkeys(SEND_OWN, "1")).decode().headers == headers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("word", "word"),
        ("", ""),
        ("a:b\\c\nd", "a:b\\c\nd"),
        (42, "42"),
        (-7, "-7"),
        (1 << 70, str(1 << 70)),
        (True, "true"),
        (False, "false"),
        (0.5, "0.5"),
        (1e300, "1e+300"),
        (Decimal("1.25"), "1.25"),
        (Decimal("1E+3"), "1000"),
        (Timestamp(1_700_000_000), "1700000000"),
        ("größe".encode(), "größe"),
    ],
)
def test_a_value_of_a_header_table_is_text(value: Any, text: str) -> None:
    assert said(Properties({"key": value})) == ({"key": text}, {})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (["a"], "header_nested"),
        ({"a": 1}, "header_nested"),
        (None, "header_void"),
        (b"\xff", "header_not_text"),
        ("a\0b", "header_unsayable"),
    ],
)
def test_what_is_no_text_is_lost_and_counted(value: Any, reason: str) -> None:
    assert said(Properties({"lost": value, "kept": "here"})) == ({"kept": "here"}, {reason: 1})


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_header_table_cannot_pass_for_what_stomp_says_itself(name: str) -> None:
    assert said(Properties({name: "forged"})) == ({}, {"header_reserved": 1})


def test_binary_correlation_is_text_when_it_can_be() -> None:
    properties = Properties()
    properties.correlation_id = "größe".encode()
    assert said(properties) == ({"correlation-id": "größe"}, {})
    properties.correlation_id = b"\xff"
    assert said(properties) == ({}, {"header_not_text": 1})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_of_another_protocol_arrives_whole(version: str) -> None:
    properties = Properties({"colour": "red", "n": 1})
    properties.content_type = "text/plain"
    message = received(World(), properties, version, qos=1)
    assert {name: message.headers[name] for name in ("content-type", "colour", "n", "persistent")} == {
        "content-type": "text/plain",
        "colour": "red",
        "n": "1",
        "persistent": "true",
    }
    assert message["destination"] == "/topic/t"


@pytest.mark.parametrize("value", ["a\nreceipt:x", "a\r\nb", "a\n\nMESSAGE\n", "\0", "a\0ERROR\n\n\0", "a\\nb:c"])
@pytest.mark.parametrize("version", VERSIONS)
def test_no_value_can_end_its_line(value: str, version: str) -> None:
    """Header injection from AMQP to a subscriber whose version has no escapes."""
    world = World()
    message = received(world, Properties({"odd": value, "kept": "here"}), version)
    assert message["kept"] == "here"
    assert set(message.headers) <= {"subscription", "destination", "redelivered", "message-id", "odd", "kept"} | {
        "content-length"
    }
    lost = world.broker.counters.lost.get("header_unsayable", 0)
    assert ("odd" in message.headers) is (lost == 0)


@pytest.mark.parametrize("value", ["a\nreceipt:x", "a\rb"])
@pytest.mark.parametrize("receiver", VERSIONS)
def test_no_value_of_1_2_can_end_its_line_in_another_version(value: str, receiver: str) -> None:
    world = World()
    peer = StompPeer(world, receiver)
    peer.subscribe("/topic/t")
    StompPeer(world).send("/topic/t", odd=escaped(value), kept="here")
    (message,) = peer.heard()
    assert message["kept"] == "here"
    assert "receipt" not in message.headers
    says_it = receiver == "1.2" or (receiver == "1.1" and "\r" not in value)
    assert message.headers.get("odd") == (escaped(value) if says_it else None)


@given(st.dictionaries(sayable.filter(bool), sayable, max_size=4), st.sampled_from(VERSIONS), st.sampled_from(VERSIONS))
def test_headers_pass_from_every_version_to_every_other(headers: dict[str, str], sender: str, receiver: str) -> None:
    by, to = CODES[sender], CODES[receiver]
    sent = {
        name: value
        for name, value in headers.items()
        if header_line(name, value, by) is not None and name not in RESERVED and "\r" not in name + value
    }
    if sender == "1.0":
        sent = {name: value for name, value in sent.items() if name.strip(" ") == name and value.strip(" ") == value}
    counters = Counters()
    lines = native(sent, by).lines(to, RABBITMQ, counters).removesuffix(b"\n")
    passed = {name: value for name, value in sent.items() if header_line(name, value, to) is not None}
    assert decoded_headers(lines, to) == passed
    assert counters.lost.get("header_unsayable", 0) == len(sent) - len(passed)


@pytest.mark.parametrize("name", sorted(MESSAGE_OWN - {"destination", "content-length", "receipt", "transaction"}))
def test_a_sender_cannot_speak_for_the_broker(name: str) -> None:
    world = World()
    peer = StompPeer(world)
    peer.subscribe("/queue/q", "client")
    data = f"SEND\ndestination:/queue/q\n{name}:0\n\nx\0"
    (message,) = answers(peer.wire.send(data.encode()))
    assert message.headers.get(name) != "0" or (name, message["subscription"]) == ("subscription", "0")
    assert (world.broker.counters.lost == {"header_reserved": 1}) is (name not in SEND_OWN | PROPERTIES)


def test_user_id_must_be_the_users_own() -> None:
    assert native({"user-id": "guest"}).decode().user_id == "guest"
    user = User("gateway", tags=("impersonator",))
    assert StompNative(b"user-id:other", V1_2, RABBITMQ, {"user-id": "other"}, user, NOW_MS).decode().user_id == "other"


# Time to live


@pytest.mark.parametrize(
    ("headers", "expiration_ms"),
    [
        ({"expiration": "1000"}, 1000),
        ({"expiration": "0"}, 0),
        ({"expires": str(NOW_MS + 1000)}, 1000),
        ({"expires": str(NOW_MS - 1000)}, 0),
        ({"expires": "0"}, None),
        ({"expiration": "500", "expires": str(NOW_MS + 1000)}, 500),
    ],
)
def test_both_ways_to_limit_the_life_of_a_message(headers: dict[str, str], expiration_ms: int | None) -> None:
    assert native(headers).decode().expiration_ms == expiration_ms


@pytest.mark.parametrize("headers", [{"expiration": "2000"}, {"expires": str(NOW_MS + 2000)}])
def test_a_message_says_how_long_it_lives_and_until_when(headers: dict[str, str]) -> None:
    world = World()
    peer = StompPeer(world)
    peer.say("SEND", {"destination": "/queue/q"} | headers)
    world.advance(0.5)
    (message,) = peer.subscribe("/queue/q")
    assert (message["expiration"], message["expires"]) == ("2000", str(NOW_MS + 2000))


@pytest.mark.parametrize("headers", [{"expiration": "2000"}, {"expires": str(NOW_MS + 2000)}])
def test_an_expired_message_is_not_delivered(headers: dict[str, str]) -> None:
    world = World()
    peer = StompPeer(world)
    peer.say("SEND", {"destination": "/queue/q"} | headers)
    world.advance(3)
    assert peer.subscribe("/queue/q") == []


def test_the_same_head_later_is_another_time_to_live() -> None:
    world = World()
    peer = StompPeer(world)
    for _ in range(2):
        peer.send("/queue/q", expires=str(NOW_MS + 2000))
        world.advance(0.5)
    messages = peer.subscribe("/queue/q")
    assert [message["expires"] for message in messages] == [str(NOW_MS + 2000)] * 2
    assert [message["expiration"] for message in messages] == ["2000", "1500"]


# What is shared


def test_many_subscribers_share_one_conversion() -> None:
    world = World()
    peers = [StompPeer(world, version) for version in (*VERSIONS, *VERSIONS)]
    for peer in peers:
        peer.subscribe("/topic/t")
    exchange = world.broker.vhosts["/"].exchanges["amq.topic"]
    message = Message(exchange.address("t"), b"x", AT_MOST_ONCE, Foreign(Properties({"colour": "red", "a": "b:c"})))
    exchange.take(message)
    for peer in peers:
        (found,) = peer.heard()
        assert found["colour"] == "red"
        assert found["a"] == ("b:c" if peer.version == "1.0" else "b\\cc")


def test_messages_without_properties_say_nothing() -> None:
    world = World()
    peer = StompPeer(world)
    peer.subscribe("/topic/t")
    exchange = world.broker.vhosts["/"].exchanges["amq.topic"]
    exchange.take(plain_message(exchange.address("t"), b"x"))
    (message,) = peer.heard()
    assert set(message.headers) == {"subscription", "destination", "redelivered", "message-id", "content-length"}
