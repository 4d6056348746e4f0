"""Golden frames, each fed whole, octet by octet, and with the start of another frame behind it."""

import tomllib
from pathlib import Path
from typing import Final

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, method
from tests.protocols.world import World

VECTORS: Final = Path(__file__).parents[2] / "vectors" / "amqp"
BEHIND: Final = method(commands.Basic.Qos(prefetch_count=1), channel=9)  # channel 9 is not open: it has an answer


def vectors(name: str) -> list[pytest.param]:  # type: ignore[valid-type]
    rows = tomllib.loads((VECTORS / f"{name}.toml").read_text())["vector"]
    return [
        pytest.param(bytes.fromhex(row["send"]), bytes.fromhex(row["answer"]), id=row["name"].replace(" ", "-"))
        for row in rows
    ]


@pytest.fixture
def peer() -> AmqpPeer:
    peer = AmqpPeer(World())
    peer.send(commands.Exchange.Declare(exchange="x", exchange_type="topic"))
    peer.queue("q")
    return peer


@pytest.fixture
def consuming(peer: AmqpPeer) -> AmqpPeer:
    peer.send(commands.Queue.Bind(queue="q", exchange="x", routing_key="a.#"))
    assert peer.consume("q") == []
    return peer


def fed(peer: AmqpPeer, pieces: list[bytes]) -> bytes:
    return b"".join([peer.wire.send(piece) for piece in pieces])


def octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(("sent", "answer"), vectors("methods"))
def test_a_method_fed_whole(peer: AmqpPeer, sent: bytes, answer: bytes) -> None:
    assert fed(peer, [sent]) == answer


@pytest.mark.parametrize(("sent", "answer"), vectors("methods"))
def test_a_method_fed_octet_by_octet(peer: AmqpPeer, sent: bytes, answer: bytes) -> None:
    assert fed(peer, octets(sent)) == answer


@pytest.mark.parametrize(("sent", "answer"), vectors("methods"))
def test_a_method_with_the_start_of_another_behind_it(peer: AmqpPeer, sent: bytes, answer: bytes) -> None:
    assert fed(peer, [sent + BEHIND[:9]]) == answer
    if not peer.wire.closed and not answer.startswith(b"\x01\x00\x00"):
        assert fed(peer, [BEHIND[9:]]).startswith(b"\x01\x00\x00")  # connection.close: it was read whole


@pytest.mark.parametrize(("sent", "answer"), vectors("messages"))
def test_a_message_fed_whole(consuming: AmqpPeer, sent: bytes, answer: bytes) -> None:
    assert fed(consuming, [sent]) == answer


@pytest.mark.parametrize(("sent", "answer"), vectors("messages"))
def test_a_message_fed_octet_by_octet(consuming: AmqpPeer, sent: bytes, answer: bytes) -> None:
    assert fed(consuming, octets(sent)) == answer


@pytest.mark.parametrize(("sent", "answer"), vectors("messages"))
def test_a_message_with_the_start_of_another_behind_it(consuming: AmqpPeer, sent: bytes, answer: bytes) -> None:
    assert fed(consuming, [sent + sent[:5], sent[5:]])[: len(answer)] == answer
