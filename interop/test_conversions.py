"""The rows of docs/conversions.md: what becomes of properties and headers on the way to another protocol."""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import pytest

from interop.broker import Endpoint
from interop.clients import (
    AioPikaDriver,
    AmqttDriver,
    Connect,
    Driver,
    PahoDriver,
    PikaDriver,
    Queue,
    StomperDriver,
    StompPyDriver,
    Topic,
)
from interop.clients.stomper_client import made

TTL_MS: Final = 600_000

# AMQP property and value, STOMP header and value: the same thing said in both. `{user}` is who is logged in.
PROPERTIES: Final[tuple[tuple[str, Any, str, str], ...]] = (
    ("content_type", "text/plain; charset=utf-8", "content-type", "text/plain; charset=utf-8"),
    ("content_encoding", "gzip", "content-encoding", "gzip"),
    ("priority", 7, "priority", "7"),
    ("correlation_id", "order:17", "correlation-id", "order:17"),
    ("reply_to", "answers", "reply-to", "/queue/answers"),
    ("expiration", str(TTL_MS), "expiration", str(TTL_MS)),
    ("message_id", "m-1", "amqp-message-id", "m-1"),
    ("timestamp", 1_700_000_000, "timestamp", "1700000000"),
    ("type", "order.created", "type", "order.created"),
    ("user_id", "{user}", "user-id", "{user}"),
    ("app_id", "shop", "app-id", "shop"),
)

# What a client puts into a header table, and what a STOMP client reads.
TABLE_VALUES: Final[tuple[tuple[Any, str], ...]] = (
    ("word", "word"),
    ("ä€😀", "ä€😀"),
    ("", ""),
    (42, "42"),
    (-7, "-7"),
    (1 << 40, str(1 << 40)),
    (True, "true"),
    (False, "false"),
    (0.5, "0.5"),
    (Decimal("1.25"), "1.25"),
    (bytearray("größe".encode()), "größe"),  # aio-pika sends a bytearray as bytes
)

# Headers that STOMP reads in its own way, or that the MESSAGE frame sets itself.
STOMP_OWN: Final = ("destination", "message-id", "subscription", "content-length")

each_property = pytest.mark.parametrize(
    ("amqp_name", "amqp_value", "stomp_name", "stomp_value"), PROPERTIES, ids=[row[0] for row in PROPERTIES]
)
every_amqp_client = pytest.mark.parametrize("amqp_kind", [PikaDriver, AioPikaDriver], ids=lambda kind: kind.name)
every_stomp_client = pytest.mark.parametrize("stomp_kind", [StompPyDriver, StomperDriver], ids=lambda kind: kind.name)
every_mqtt_client = pytest.mark.parametrize("mqtt_kind", [PahoDriver, AmqttDriver], ids=lambda kind: kind.name)


def told(endpoint: Endpoint, value: Any) -> Any:
    return value.replace("{user}", endpoint.user) if isinstance(value, str) else value


def from_amqp_to_stomp(
    connect: Connect, name: str, headers: Mapping[str, Any], properties: Mapping[str, Any] | None = None
) -> Mapping[str, str]:
    """Return the headers that a STOMP client sees."""
    receiver = connect(StompPyDriver)
    receiver.subscribe(Topic(name))
    # aio-pika can send every type of a header table, pika takes the properties in AMQP's own units.
    sender = connect(PikaDriver if properties else AioPikaDriver)
    sender.publish(Topic(name), b"x", headers=headers, properties=properties)
    message = receiver.receive()
    assert message.body == b"x"
    seen: Mapping[str, str] = message.headers
    return seen


@each_property
@every_stomp_client
def test_an_amqp_property_is_a_stomp_header(
    connect: Connect,
    endpoint: Endpoint,
    name: str,
    stomp_kind: type[Driver],
    amqp_name: str,
    amqp_value: Any,
    stomp_name: str,
    stomp_value: str,
) -> None:
    receiver = connect(stomp_kind)
    receiver.subscribe(Topic(name))
    connect(PikaDriver).publish(Topic(name), b"x", properties={amqp_name: told(endpoint, amqp_value)})
    assert receiver.receive().headers[stomp_name] == told(endpoint, stomp_value)


@each_property
@every_amqp_client
@every_stomp_client
def test_a_stomp_header_is_an_amqp_property(
    connect: Connect,
    endpoint: Endpoint,
    name: str,
    stomp_kind: type[Driver],
    amqp_kind: type[Driver],
    amqp_name: str,
    amqp_value: Any,
    stomp_name: str,
    stomp_value: str,
) -> None:
    receiver = connect(amqp_kind)
    receiver.subscribe(Topic(name))
    connect(stomp_kind).publish(Topic(name), b"x", headers={stomp_name: told(endpoint, stomp_value)})
    message = receiver.receive()
    expected = told(endpoint, amqp_value)
    if amqp_kind is AioPikaDriver and amqp_name == "expiration":
        expected = TTL_MS / 1000  # aio-pika speaks of seconds
    assert message.properties[amqp_name] == expected
    assert stomp_name not in message.headers


def test_all_properties_at_once_survive_amqp_to_stomp_to_amqp(connect: Connect, endpoint: Endpoint, name: str) -> None:
    """What a STOMP client received can be sent on as it is, and says the same to AMQP."""
    said = {row[0]: told(endpoint, row[1]) for row in PROPERTIES}
    headers = from_amqp_to_stomp(connect, f"{name}.there", {"colour": "red"}, said)
    back = connect(PikaDriver)
    back.subscribe(Topic(f"{name}.back"))
    sent_on = {key: value for key, value in headers.items() if key not in (*STOMP_OWN, "expires", "redelivered")}
    connect(StompPyDriver).publish(Topic(f"{name}.back"), b"x", headers=sent_on)
    returned = back.receive()
    assert {key: returned.properties[key] for key in said} == said
    assert dict(returned.headers) == {"colour": "red"}


def test_a_time_to_live_is_also_told_as_the_moment_it_ends(connect: Connect, name: str) -> None:
    before_ms = int(time.time() * 1000)
    headers = from_amqp_to_stomp(connect, name, {}, {"expiration": str(TTL_MS)})
    assert int(headers["expires"]) > before_ms


def test_the_moment_that_a_message_expires_is_a_time_to_live_in_amqp(connect: Connect, name: str) -> None:
    receiver = connect(PikaDriver)
    receiver.subscribe(Topic(name))
    expires_ms = int(time.time() * 1000) + TTL_MS
    connect(StompPyDriver).publish(Topic(name), b"x", headers={"expires": str(expires_ms)})
    assert 0 < int(receiver.receive().properties["expiration"]) <= TTL_MS


def test_a_topic_to_reply_to_crosses_in_both_directions(connect: Connect, name: str) -> None:
    headers = from_amqp_to_stomp(connect, f"{name}.there", {"x-reply-to-topic": "answers.here"})
    assert headers["reply-to"] == "/topic/answers.here"
    receiver = connect(PikaDriver)
    receiver.subscribe(Topic(f"{name}.back"))
    connect(StompPyDriver).publish(Topic(f"{name}.back"), b"x", headers={"reply-to": "/topic/answers.here"})
    message = receiver.receive()
    assert message.headers == {"x-reply-to-topic": "answers.here"}
    assert "reply_to" not in message.properties


def test_a_request_by_stomp_is_answered_by_amqp(connect: Connect, name: str) -> None:
    """What `reply-to` is for: each side uses the address in its own way."""
    requester, responder = connect(StompPyDriver), connect(PikaDriver)
    requester.subscribe(Queue(f"{name}-answers"))
    responder.subscribe(Queue(name))
    requester.publish(Queue(name), b"question", headers={"reply-to": f"/queue/{name}-answers", "correlation-id": "17"})
    question = responder.receive()
    responder.publish(
        Queue(question.properties["reply_to"]),
        b"answer",
        properties={"correlation_id": question.properties["correlation_id"]},
    )
    answer = requester.receive()
    assert (answer.body, answer.headers["correlation-id"]) == (b"answer", "17")


@pytest.mark.parametrize(("value", "text"), TABLE_VALUES, ids=[repr(row[0]) for row in TABLE_VALUES])
def test_a_header_of_a_table_is_text_in_stomp(connect: Connect, name: str, value: Any, text: str) -> None:
    assert from_amqp_to_stomp(connect, name, {"key": value})["key"] == text


@pytest.mark.parametrize(
    "value", [["a", "b"], {"a": 1}, None, bytearray(b"\xff\xfe")], ids=["array", "table", "void", "binary"]
)
def test_a_header_that_is_no_text_is_left_out(connect: Connect, name: str, value: Any) -> None:
    headers = from_amqp_to_stomp(connect, name, {"lost": value, "kept": "here"})
    assert "lost" not in headers
    assert headers["kept"] == "here"


@pytest.mark.parametrize("own", STOMP_OWN)
def test_a_header_of_a_table_cannot_pass_for_one_of_stomps_own(connect: Connect, name: str, own: str) -> None:
    headers = from_amqp_to_stomp(connect, name, {own: "forged"})
    assert headers[own] != "forged"
    assert headers["destination"] == f"/topic/{name}"


@every_stomp_client
@every_amqp_client
def test_other_stomp_headers_are_the_header_table(
    connect: Connect, name: str, stomp_kind: type[Driver], amqp_kind: type[Driver]
) -> None:
    said = {"colour": "red", "Size": "12", "odd": "a:b", "unicode": "ä€😀"}
    receiver = connect(amqp_kind)
    receiver.subscribe(Topic(name))
    connect(stomp_kind).publish(Topic(name), b"x", headers=said)
    assert dict(receiver.receive().headers) == said


@every_amqp_client
def test_a_header_table_is_unchanged_from_amqp_to_amqp(connect: Connect, name: str, amqp_kind: type[Driver]) -> None:
    table = {
        "n": 1,
        "t": True,
        "d": Decimal("1.25"),
        "nested": {"list": [1, "two", {"three": 3}]},
        "none": None,
        "text": "ä",
    }
    receiver = connect(amqp_kind)
    receiver.subscribe(Topic(name))
    connect(AioPikaDriver).publish(Topic(name), b"x", headers=table)
    assert dict(receiver.receive().headers) == table


@every_mqtt_client
def test_a_message_with_everything_reaches_mqtt_without_it(
    connect: Connect, endpoint: Endpoint, name: str, mqtt_kind: type[Driver]
) -> None:
    receiver = connect(mqtt_kind)
    receiver.subscribe(Topic(name))
    properties = {row[0]: told(endpoint, row[1]) for row in PROPERTIES}
    connect(PikaDriver).publish(Topic(name), b"amqp", headers={"a": 1, "b": [1]}, properties=properties)
    headers = {row[2]: told(endpoint, row[3]) for row in PROPERTIES}
    connect(StompPyDriver).publish(Topic(name), b"stomp", headers=headers)
    assert [receiver.receive().body, receiver.receive().body] == [b"amqp", b"stomp"]


@every_mqtt_client
@pytest.mark.parametrize("durable", [False, True], ids=["QoS 0", "QoS 1"])
def test_a_message_of_mqtt_says_nothing_but_its_durability(
    connect: Connect, name: str, mqtt_kind: type[Driver], durable: bool
) -> None:
    by_amqp, by_stomp = connect(PikaDriver), connect(StompPyDriver)
    by_amqp.subscribe(Topic(name))
    by_stomp.subscribe(Topic(name))
    connect(mqtt_kind).publish(Topic(name), b"x", durable=durable)
    message = by_amqp.receive()
    assert message.durable is durable
    assert dict(message.headers) == {}
    assert set(message.properties) <= {"delivery_mode"}
    message = by_stomp.receive()
    assert message.durable is durable
    assert set(message.headers) <= {*STOMP_OWN, "persistent", "redelivered"}


def test_content_length_does_not_make_a_message_binary(connect: Connect, name: str) -> None:
    """Sent with and without `content-length`, a message looks the same to everybody."""
    by_amqp, by_stomp, sender = connect(PikaDriver), connect(StompPyDriver), connect(StomperDriver)
    by_amqp.subscribe(Topic(name))
    by_stomp.subscribe(Topic(name))
    with_length = made("SEND", {"destination": f"/topic/{name}"}, b"text")
    assert b"content-length:4\n" in with_length
    sender.socket.send(with_length)
    sender.socket.send(with_length.replace(b"content-length:4\n", b""))
    seen = [by_amqp.receive(), by_amqp.receive()]
    assert seen[0] == seen[1]
    assert "content_type" not in seen[0].properties
    first, second = by_stomp.receive(), by_stomp.receive()
    assert (first.body, first.headers["content-length"]) == (second.body, second.headers["content-length"])
    assert "content-type" not in first.headers
    assert set(first.headers) == set(second.headers)
