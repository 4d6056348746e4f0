"""AMQP meets the other protocols in the core: what they publish arrives, and what AMQP publishes can be read by them."""

from typing import Any, Final

import pytest
from pamqp import commands

from core.client import Client
from core.model.message import Address, Message, plain_message
from core.model.properties import Native, Properties, Timestamp
from core.routing.pattern import parse_binding_key
from core.routing.sink import Sink
from tests.protocols.amqp.peer import AmqpPeer
from tests.protocols.world import World


class Direct(Sink):
    """A subscription of another protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def take(self, message: Message) -> bool:
        self.messages.append(message)
        return True


class Said(Native):
    """What another protocol's publisher said."""

    def __init__(self, properties: Properties) -> None:
        self._properties = properties

    def decode(self) -> Properties:
        return self._properties


FULL: Final[dict[str, Any]] = {
    "content_type": "text/plain",
    "content_encoding": "gzip",
    "priority": 7,
    "correlation_id": "c",
    "reply_to": "answers",
    "message_id": "m",
    "type": "t",
    "user_id": "guest",
    "app_id": "a",
}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def other(world: World) -> Client:
    """A client of another protocol."""
    return world.broker.open(world.broker.users["guest"], "/", "other", "elsewhere")


@pytest.fixture
def peer(world: World) -> AmqpPeer:
    """A client that consumes the topics `a.#`."""
    peer = AmqpPeer(world)
    peer.queue("q")
    peer.send(commands.Queue.Bind(queue="q", exchange="amq.topic", routing_key="a.#"))
    peer.consume("q")
    return peer


def published(client: Client, key: str, body: bytes, qos: int, native: Native | None = None) -> None:
    target = client.target("amq.topic", key)
    message = plain_message(target.address, body, qos) if native is None else Message(target.address, body, qos, native)
    client.publish(target.exchange, message, None, 0)


@pytest.mark.parametrize(("qos", "delivery_mode"), [(0, 1), (1, 2), (2, 2)])
def test_a_message_without_properties_tells_its_durability(
    peer: AmqpPeer, other: Client, qos: int, delivery_mode: int
) -> None:
    published(other, "a.b/c", b"body", qos)
    (message,) = peer.take()
    assert (message.method.exchange, message.method.routing_key, message.body) == ("amq.topic", "a.b/c", b"body")
    assert message.properties.delivery_mode == delivery_mode
    assert message.properties.headers is None


def test_properties_of_another_protocol_arrive(peer: AmqpPeer, other: Client) -> None:
    properties = Properties({"colour": "red"})
    for name, value in FULL.items():
        setattr(properties, name, value)
    properties.expiration_ms = 5_000
    properties.timestamp_s = 1_700_000_000
    published(other, "a", b"x", 1, Said(properties))
    (message,) = peer.take()
    names = {"type": "message_type"}  # what pamqp calls it
    assert {name: getattr(message.properties, names.get(name, name)) for name in FULL} == FULL
    assert message.properties.expiration == "5000"
    assert message.properties.timestamp.timestamp() == 1_700_000_000
    assert (message.properties.headers, message.properties.delivery_mode) == ({"colour": "red"}, 2)


def test_what_amqp_says_is_read_by_others(world: World, peer: AmqpPeer, other: Client) -> None:
    sink = Direct()
    other.subscribe(parse_binding_key("#"), "#", sink)
    headers = {
        "text": "ä",
        "number": -7,
        "yes": True,
        "list": [1, "x"],
        "none": None,
        "x-reply-to-topic": "answers.here",
    }
    said = {("message_type" if name == "type" else name): value for name, value in FULL.items()}
    peer.publish("amq.topic", "a.b", b"x", headers=headers, delivery_mode=2, expiration="5000", **said)
    (message,) = sink.messages
    properties = message.properties
    assert {name: getattr(properties, name) for name in FULL} == FULL
    assert (properties.expiration_ms, properties.reply_to_topic) == (5_000, "answers.here")
    assert properties.headers == {"text": "ä", "number": -7, "yes": True, "list": [1, "x"], "none": None}
    assert (message.qos, message.expires_at) == (1, world.broker.clock.now + 5)


def test_a_key_that_is_too_long_for_amqp_is_cut_and_counted(world: World, peer: AmqpPeer, other: Client) -> None:
    key = "a." + "ä" * 200
    published(other, key, b"x", 0)
    (message,) = peer.take()
    assert message.method.routing_key == key.encode()[:254].decode()
    assert world.broker.counters.lost == {"routing_key_too_long": 1}


def test_timestamps_in_headers_are_whole_seconds(peer: AmqpPeer, other: Client) -> None:
    published(other, "a", b"x", 0, Said(Properties({"at": Timestamp(1_700_000_000)})))
    (message,) = peer.take()
    assert message.properties.headers["at"].timestamp() == 1_700_000_000


def test_addresses_are_encoded_once(world: World, peer: AmqpPeer, other: Client) -> None:
    address: Address = other.target("amq.topic", "a.b").address
    published(other, "a.b", b"1", 0)
    encoded = address.encoded[0]
    published(other, "a.b", b"2", 0)
    assert address.encoded[0] is encoded
    assert encoded == b"\x09amq.topic\x03a.b"
    assert len(peer.take()) == 2
