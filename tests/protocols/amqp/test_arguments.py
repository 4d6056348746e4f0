"""The arguments of every method that a client sends: read whole, cut short at each octet, and with octets behind them."""

import tomllib
from typing import Any, Final

import pytest

from protocols.amqp.errors import PeerError
from protocols.amqp.methods import METHODS, decode
from tests.protocols.amqp.test_vectors import VECTORS

ROWS: Final = tomllib.loads((VECTORS / "arguments.toml").read_text())["vector"]
PAYLOADS: Final = [pytest.param(bytes.fromhex(row["payload"]), id=row["name"].replace(" ", "-")) for row in ROWS]
START: Final = b"before it"


def read(payload: bytes, *, behind: bytes = b"") -> Any:
    """Decode a payload that stands between other octets, as in the buffer of a connection."""
    begin = len(START) + 4
    number = int.from_bytes(payload[:4], "big")
    return decode(number, START + payload + behind, begin, len(START) + len(payload))


@pytest.mark.parametrize(
    ("payload", "fields"),
    [pytest.param(bytes.fromhex(row["payload"]), row["fields"], id=row["name"].replace(" ", "-")) for row in ROWS],
)
def test_the_fields_are_read(payload: bytes, fields: dict[str, Any]) -> None:
    method = read(payload, behind=b"\xce\x01")
    found = {name: getattr(method, name) for name in fields}
    if isinstance(found.get("response"), bytes):
        found["response"] = found["response"].decode()  # octets for us, text in the vector
    assert found == fields
    assert method.number == int.from_bytes(payload[:4], "big")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_method_that_is_cut_short_is_an_error(payload: bytes) -> None:
    for end in range(4, len(payload)):
        with pytest.raises(PeerError):
            read(payload[:end], behind=payload[end:])


@pytest.mark.parametrize("payload", PAYLOADS)
def test_octets_behind_the_arguments_are_an_error(payload: bytes) -> None:
    with pytest.raises(PeerError, match="behind its arguments"):
        read(payload + b"\0")


def test_there_is_a_vector_for_each_method() -> None:
    assert {int(row["payload"][:8], 16) for row in ROWS} == set(METHODS)
