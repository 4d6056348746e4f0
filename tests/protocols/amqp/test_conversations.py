"""Conversations that were recorded from RabbitMQ: we answer every step with the same octets."""

import tomllib
from typing import Final

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer
from tests.protocols.amqp.test_vectors import VECTORS, fed, octets
from tests.protocols.world import World

Steps = list[tuple[bytes, bytes]]
ROWS: Final = tomllib.loads((VECTORS / "conversations.toml").read_text())["vector"]
CONVERSATIONS: Final = [
    pytest.param(
        [(bytes.fromhex(step["send"]), bytes.fromhex(step.get("ours", step["answer"]))) for step in row["steps"]],
        id=row["name"].replace(" ", "-"),
    )
    for row in ROWS
]
METHOD: Final = 1
CONNECTION: Final = 10
FLOW_OK: Final = 20 << 16 | 21  # from the client: the broker never asks for it; its own is in `channel.flow`


@pytest.fixture
def peer(world: World) -> AmqpPeer:
    return AmqpPeer(world)


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Return whole frames, each with the class and method id of a method, for a failure that can be read."""
    result = []
    while data:
        size = int.from_bytes(data[3:7], "big") + 8
        result.append((int.from_bytes(data[7:11], "big") if data[0] == METHOD else 0, data[:size]))
        data = data[size:]
    return result


def same(received: bytes, expected: bytes) -> None:
    assert frames(received) == frames(expected)


@pytest.mark.parametrize("steps", CONVERSATIONS)
def test_a_conversation_fed_whole(peer: AmqpPeer, steps: Steps) -> None:
    for sent, answer in steps:
        same(fed(peer, [sent]), answer)


@pytest.mark.parametrize("steps", CONVERSATIONS)
def test_a_conversation_fed_octet_by_octet(peer: AmqpPeer, steps: Steps) -> None:
    for sent, answer in steps:
        same(fed(peer, octets(sent)), answer)


@pytest.mark.parametrize("steps", CONVERSATIONS)
def test_a_conversation_with_the_start_of_the_next_step_behind_each(peer: AmqpPeer, steps: Steps) -> None:
    ahead = b""
    for number, (sent, answer) in enumerate(steps):
        following = steps[number + 1][0] if number + 1 < len(steps) else b"\x01"
        piece = following[: len(following) // 2]
        same(fed(peer, [sent[len(ahead) :] + piece]), answer)
        ahead = piece


def test_the_conversations_have_every_method() -> None:
    """But for those of the handshake and of `connection.blocked`, which test_connection.py has."""
    said = {
        number
        for row in ROWS
        for step in row["steps"]
        for number, _ in frames(bytes.fromhex(step["send"] + step["answer"]))
    }
    left = set(commands.INDEX_MAPPING) - said
    assert {number >> 16 for number in left - {FLOW_OK}} == {CONNECTION}
    assert {10 << 16 | method for method in (50, 51, 70, 71)} <= said


def test_each_difference_has_a_reason() -> None:
    for row in ROWS:
        for step in row["steps"]:
            assert ("ours" in step) == bool(step.get("because"))
