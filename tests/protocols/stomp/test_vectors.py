"""Golden frames of all versions (tests/vectors/stomp), fed whole, byte by byte, and with more behind them."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

import protocols.stomp
from protocols.stomp.connection import StompConnection
from protocols.stomp.dialect import DIALECTS
from tests.protocols.world import Wire, World

VECTORS: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "stomp" / "frames.json").read_text(encoding="utf-8")
)

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])


def prepared(vector: dict[str, Any]) -> Wire[StompConnection]:
    dialect = next(dialect for dialect in DIALECTS if dialect.name == vector.get("dialect", "rabbitmq"))
    wire = World().connect(StompConnection, dialect)
    for text in vector["before"]:
        wire.send(text.encode())
        assert not wire.closed, text
    return wire


@every_vector
def test_a_frame_in_one_piece(vector: dict[str, Any]) -> None:
    wire = prepared(vector)
    assert wire.send(vector["client"].encode()).decode() == vector["server"]
    assert wire.closed is vector["closed"]
    assert not wire.outlet.failures


@every_vector
def test_a_frame_byte_by_byte(vector: dict[str, Any]) -> None:
    wire = prepared(vector)
    data = vector["client"].encode()
    output = b"".join([wire.send(data[at : at + 1]) for at in range(len(data))])
    assert output.decode() == vector["server"]
    assert wire.closed is vector["closed"]


@every_vector
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\r\n\n"])
def test_line_ends_around_a_frame_mean_nothing(vector: dict[str, Any], ends: str) -> None:
    wire = prepared(vector)
    assert wire.send((ends + vector["client"] + ends).encode()).decode() == vector["server"]
    assert wire.closed is vector["closed"]


@every_vector
def test_the_next_frame_is_read_from_the_same_chunk(vector: dict[str, Any]) -> None:
    wire = prepared(vector)
    output = wire.send(vector["client"].encode() + b"BEGIN\ntransaction:next\nreceipt:next\n\n\0").decode()
    after = "" if vector["closed"] else "RECEIPT\nreceipt-id:next\n\n\0"
    # What a queue hands over comes when the whole chunk is handled, so the order may differ.
    assert sorted(output.split("\0")) == sorted((vector["server"] + after).split("\0"))


@every_vector
def test_half_a_frame_says_nothing(vector: dict[str, Any]) -> None:
    """What is answered before the last octet is what earlier frames of the vector asked for, and no ERROR."""
    wire = prepared(vector)
    data = vector["client"].encode()
    last = data.rstrip(b"\r\n")
    output = wire.send(last[:-1]).decode()
    assert vector["server"].startswith(output)
    assert not wire.closed or vector["closed"]


def test_every_client_frame_of_every_version_has_a_vector() -> None:
    frames = {(vector["name"][:3], part.split("\n")[0]) for vector in VECTORS for part in vector["client"].split("\0")}
    commands = ["CONNECT", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT"]
    assert {(version, command) for version in ("1.0", "1.1", "1.2") for command in commands} <= frames
    assert {("1.1", "STOMP"), ("1.2", "STOMP")} <= frames


def test_every_server_frame_of_every_version_has_a_vector() -> None:
    frames = {(vector["name"][:3], part.split("\n")[0]) for vector in VECTORS for part in vector["server"].split("\0")}
    commands = ["CONNECTED", "MESSAGE", "RECEIPT", "ERROR"]
    assert {(version, command) for version in ("1.0", "1.1", "1.2") for command in commands} <= frames


# Said without a frame that would ask for it: because of time, or of what others do.
UNASKED: Final = {"Heart-beat missed", "Connection closed", "Server cancelled subscription"}


def test_every_error_has_a_vector() -> None:
    """Beside those that need a limit to be reached, which have their tests where the limit is."""
    sources = Path(protocols.stomp.__file__).parent.glob("*.py")
    found = {word for path in sources for word in re.findall(r'PeerError\(\s*"([^"]+)"', path.read_text())}
    answers = "".join([vector["server"] for vector in VECTORS])
    said = set(re.findall(r"ERROR\nmessage:([^\n]+)\n", answers))
    assert found - UNASKED - {"resource_error"} <= said
    assert len(found) > 15
