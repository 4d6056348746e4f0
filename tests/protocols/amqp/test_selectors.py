"""Consumers with the argument `x-selector` get what it selects."""

from typing import Any, Final

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, bodies, closed
from tests.protocols.world import World

Basic = commands.Basic
LONGEST_NAME: Final = "n" * 255


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def peer(world: World) -> AmqpPeer:
    """A client with the queue `q`, where a blue, a red and a plain message wait."""
    peer = AmqpPeer(world)
    peer.queue("q")
    peer.publish("", "q", b"blue", headers={"colour": "blue", "size": 5})
    peer.publish("", "q", b"red", headers={"colour": "red", "size": 7}, message_type="paint")
    peer.publish("", "q", b"plain")
    return peer


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("colour = 'red'", [b"red"]),
        ("size BETWEEN 1 AND 6", [b"blue"]),
        ("JMSType LIKE 'pa%'", [b"red"]),
        ("colour IS NULL", [b"plain"]),
        ("NOT colour = 'red'", [b"blue"]),
        ("JMSDeliveryMode = 'NON_PERSISTENT'", [b"blue", b"red", b"plain"]),
        ("", [b"blue", b"red", b"plain"]),
        (" ", [b"blue", b"red", b"plain"]),
    ],
)
def test_a_consumer_gets_what_it_selects(peer: AmqpPeer, text: str, selected: list[bytes]) -> None:
    assert [each.body for each in peer.consume("q", arguments={"x-selector": text})] == selected


def test_each_gets_its_own_and_the_rest_waits(peer: AmqpPeer) -> None:
    peer.consume("q", "reds", arguments={"x-selector": "colour = 'red'"})
    peer.consume("q", "greens", arguments={"x-selector": "colour = 'green'"})
    assert peer.counts("q") == (2, 2)
    received: list[Any] = peer.publish("", "q", b"new green", headers={"colour": "green"})
    assert bodies(received) == [b"new green"]


def test_what_comes_back_is_selected_again(peer: AmqpPeer) -> None:
    peer.consume("q", arguments={"x-selector": "colour = 'red'"})
    assert bodies(peer.send(Basic.Nack(1, requeue=True))) == [b"red"]


def test_the_column_of_a_mistake_is_said_however_long_the_names_are() -> None:
    peer = AmqpPeer(World())
    peer.queue(LONGEST_NAME)
    text = closed(peer, Basic.Consume(queue=LONGEST_NAME, arguments={"x-selector": "a = = b"}))[2]
    assert "column 5: unexpected '='" in text


def test_a_refused_selector_leaves_no_consumer(world: World, peer: AmqpPeer) -> None:
    closed(peer, Basic.Consume(queue="q", arguments={"x-selector": "a ="}))
    other = AmqpPeer(world)
    assert other.counts("q") == (3, 0)
