"""Garbage and truncation at every point of the handshake: the protocol's own error, then the end, and nothing is left."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands

from protocols.amqp.connection import AmqpConnection
from protocols.amqp.errors import NAMES, SOFT
from tests.protocols.amqp.peer import PROTOCOL_HEADER, decoded, login, method
from tests.protocols.world import Wire, World

TUNE_OK: Final = method(commands.Connection.TuneOk(2047, 131_072, 0), 0)
OPEN: Final = method(commands.Connection.Open("/"), 0)
CLOSE_OK: Final = method(commands.Connection.CloseOk(), 0)
HANDSHAKE: Final = PROTOCOL_HEADER + login() + TUNE_OK + OPEN
POINTS: Final = {
    "nothing": b"",
    "greeted": PROTOCOL_HEADER,
    "logged in": PROTOCOL_HEADER + login(),
    "tuned": PROTOCOL_HEADER + login() + TUNE_OK,
}
ANSWERS: Final = (commands.Connection.Start, commands.Connection.Tune, commands.Connection.OpenOk)
LOGIN_REFUSED: Final = 403  # closes the channel elsewhere


def at(point: str) -> Wire[AmqpConnection]:
    wire = World().connect(AmqpConnection)
    if POINTS[point]:
        wire.send(POINTS[point])
    return wire


def check_the_end(wire: Wire[AmqpConnection], output: bytes) -> None:
    """What was said is answers, then at most one error of the protocol; close-ok or the time ends it."""
    assert not wire.outlet.failures
    output = output.removesuffix(PROTOCOL_HEADER)
    said = [item for _, item in decoded(output)]
    errors = [item for item in said if isinstance(item, commands.Connection.Close)]
    assert len(errors) <= 1
    for error in errors:
        assert error.reply_code in NAMES
        assert error.reply_code not in SOFT or error.reply_code == LOGIN_REFUSED
        assert error.reply_text.startswith(f"{NAMES[error.reply_code]} - ")
        assert wire.send(CLOSE_OK) == b""
    expected: list[type] = [*ANSWERS, commands.Connection.Close, commands.Connection.CloseOk]
    if any(isinstance(item, commands.Connection.OpenOk) for item in said):  # the pieces were right by chance
        expected += [commands.Channel.OpenOk, commands.Channel.Close]
    assert all(isinstance(item, tuple(expected)) for item in said)
    wire.world.advance(100)
    wire.hang_up()
    assert wire.closed
    assert wire.ended


def broken(frame: bytes, position: int, octet: int) -> bytes:
    position %= len(frame)
    return frame[:position] + bytes([octet]) + frame[position + 1 :]


frames = st.one_of(
    st.sampled_from([login(), login("guest", "wrong"), TUNE_OK, OPEN, CLOSE_OK, method(commands.Channel.Open())]),
    st.builds(
        lambda kind, channel, class_id, rest: (
            bytes([kind, 0, channel]) + (len(rest) + 2).to_bytes(4, "big") + bytes([0, class_id]) + rest + b"\xce"
        ),
        st.sampled_from([1, 1, 1, 2, 3, 8]),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([10, 20, 60]),
        st.binary(max_size=30),
    ),
    st.builds(
        lambda method_id, rest: (
            b"\x01\x00\x00" + (len(rest) + 4).to_bytes(4, "big") + bytes([0, 10, 0, method_id]) + rest + b"\xce"
        ),
        st.sampled_from([10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71, 99]),
        st.binary(max_size=40) | st.just(bytes(8)),
    ),
    st.builds(broken, st.sampled_from([login(), TUNE_OK, OPEN]), st.integers(0, 1_000), st.integers(0, 255)),
    st.binary(max_size=40),
)


@pytest.mark.parametrize("point", POINTS, ids=[name.replace(" ", "-") for name in POINTS])
@settings(max_examples=100, deadline=None)
@given(pieces=st.lists(frames, min_size=1, max_size=5))
def test_garbage_ends_in_the_protocols_own_error(point: str, pieces: list[bytes]) -> None:
    wire = at(point)
    check_the_end(wire, b"".join([wire.send(piece) for piece in pieces]))


@pytest.mark.parametrize("after_it", ["the end of the stream", "silence"])
def test_a_handshake_that_breaks_off_anywhere_is_the_end(after_it: str) -> None:
    for size in range(len(HANDSHAKE)):
        wire = World().connect(AmqpConnection)
        wire.send(HANDSHAKE[:size] or b"A")
        if after_it == "silence":
            wire.world.advance(25)
        else:
            wire.hang_up()
        assert wire.ended, size
        assert wire.connection.client_properties() == {} or size >= len(PROTOCOL_HEADER + login())


@settings(max_examples=100, deadline=None)
@given(position=st.integers(0, len(HANDSHAKE) - 1), octet=st.integers(0, 255))
def test_one_wrong_octet_is_an_error_or_makes_no_difference(position: int, octet: int) -> None:
    wire = World().connect(AmqpConnection)
    output = wire.send(broken(HANDSHAKE, position, octet))
    running = [type(item) for _, item in decoded(output.removesuffix(PROTOCOL_HEADER))] == list(ANSWERS)
    if running:
        assert not wire.closed
        wire.hang_up()
    check_the_end(wire, output)
