"""The first bytes tell the protocol, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.detect import AMQP, HTTP, MQTT, STOMP, TLS, UNDECIDED, UNKNOWN, detect

STARTS = {
    "AMQP 0-9-1": (b"AMQP\x00\x00\x09\x01", AMQP),
    "AMQP of a version for the machine to refuse": (b"AMQP\x03\x01\x00\x00", AMQP),
    "MQTT 3.1.1": (bytes.fromhex("100c00044d5154540402003c0000"), MQTT),
    "MQTT 3.1": (bytes.fromhex("100e00064d51497364700302003c0000"), MQTT),
    "MQTT with a length of two bytes": (bytes.fromhex("10ac0200044d51545404"), MQTT),
    "MQTT with a length of four bytes": (bytes.fromhex("10ffffff7f00044d51545404"), MQTT),
    "STOMP": (b"STOMP\naccept-version:1.2\n\n\0", STOMP),
    "STOMP with CRLF": (b"STOMP\r\naccept-version:1.2\r\n\r\n\0", STOMP),
    "STOMP by CONNECT": (b"CONNECT\n\n\0", STOMP),
    "STOMP by CONNECT with CRLF": (b"CONNECT\r\n\r\n\0", STOMP),
    "STOMP behind empty lines": (b"\n\r\n\nCONNECT\n", STOMP),
    "TLS": (bytes.fromhex("160301020001"), TLS),
    "HTTP": (b"GET / HTTP/1.1\r\n", HTTP),
    "HTTP by CONNECT": (b"CONNECT example.org:443 HTTP/1.1\r\n", HTTP),
}
NOBODYS = {
    "zeros": b"\0\0\0\0\0\0\0\0",
    "a greeting": b"HELO there\r\n",
    "almost AMQP": b"AMQX",
    "almost STOMP": b"STOMPED",
    "an MQTT packet that is no CONNECT": b"\x30\x05",
    "CONNECT with flags": bytes.fromhex("110c00044d515454"),
    "an MQTT length of five bytes": bytes.fromhex("10ffffffff7f00044d515454"),
    "CONNECT of another protocol": bytes.fromhex("100c00044d515456"),
    "CONNECT too short for a name": bytes.fromhex("1000c000"),
    "HTTP behind empty lines": b"\r\nGET / HTTP/1.1\r\n",
    "a lone carriage return": b"\rCONNECT\n",
    "empty lines without end": b"\n" * 80,
}


@pytest.mark.parametrize(("start", "protocol"), STARTS.values(), ids=[key.replace(" ", "-") for key in STARTS])
def test_a_start_is_told_as_soon_as_it_can_be_and_not_before(start: bytes, protocol: str) -> None:
    found = [detect(start[:size]) for size in range(len(start) + 1)]
    first = found.index(protocol)
    assert found[:first] == [UNDECIDED] * first
    assert found[first:] == [protocol] * (len(found) - first)


@pytest.mark.parametrize("start", NOBODYS.values(), ids=[key.replace(" ", "-") for key in NOBODYS])
def test_a_start_of_no_protocol_is_unknown(start: bytes) -> None:
    assert detect(start) == UNKNOWN


_pieces = st.sampled_from([b"AMQP", b"CONN", b"ECT", b"STOMP", b"\n", b"\r\n", b"\x10", b"\x00\x04MQ", b"TT", b"\x16"])


@given(st.one_of(st.binary(max_size=100), st.lists(_pieces, max_size=90).map(b"".join)))
def test_more_bytes_never_change_what_was_told(data: bytes) -> None:
    told = UNDECIDED
    for size in range(len(data) + 1):
        found = detect(data[:size])
        assert told in {UNDECIDED, found}
        assert found != UNDECIDED or size < 80
        told = found
