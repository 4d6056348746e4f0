"""Any bytes in any pieces: the output never depends on the pieces, and nothing a peer sends raises."""

import itertools
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands

from protocols.amqp.connection import AmqpConnection
from tests.protocols.amqp.peer import PROTOCOL_HEADER, content_header, login, message_frames, method
from tests.protocols.world import Wire, World

Basic = commands.Basic
TUNE_AND_OPEN: Final = method(commands.Connection.TuneOk(2047, 4_096, 0), 0) + method(commands.Connection.Open("/"), 0)
OPENED: Final = PROTOCOL_HEADER + login() + TUNE_AND_OPEN + method(commands.Channel.Open())
DECLARED: Final = (
    OPENED + method(commands.Queue.Declare(queue="q")) + method(Basic.Consume(queue="q", consumer_tag="t"))
)

# What has been said before, for each state of the machine.
STATES: Final[dict[str, bytes]] = {
    "nothing": b"",
    "greeted": PROTOCOL_HEADER,
    "logged in": PROTOCOL_HEADER + login(),
    "tuned": PROTOCOL_HEADER + login() + TUNE_AND_OPEN[:20],
    "open": PROTOCOL_HEADER + login() + TUNE_AND_OPEN,
    "with a channel": OPENED,
    "consuming": DECLARED,
    "in a publish": DECLARED + method(Basic.Publish(routing_key="q")),
    "in a body": DECLARED + method(Basic.Publish(routing_key="q")) + content_header(9),
    "confirming": DECLARED + method(commands.Confirm.Select()),
    "in a transaction": DECLARED + method(commands.Tx.Select()) + message_frames("", "q", b"x"),
    "with a closed channel": DECLARED + method(Basic.Ack(5)),
    "closing": OPENED + method(Basic.Qos(prefetch_size=1)),
    "deaf": OPENED + b"\x01\x00\x01\x00\x00\x00\x00\x00",
    "closed": OPENED + method(commands.Connection.Close(200, "", 0, 0), 0),
}

SESSION: Final = b"".join([
    DECLARED,
    method(commands.Confirm.Select()),
    message_frames("", "q", b"body", headers={"a": [1, {"b": None}]}),
    message_frames("", "q", bytes(10_000), piece_bytes=4_000),
    message_frames("amq.topic", "none", b"back", mandatory=True),
    method(Basic.Nack(1, False, True)),
    method(Basic.Ack(0, True)),
    method(Basic.Get(queue="q")),
    method(Basic.Ack(77)),
    message_frames("", "q", b"ignored"),
    method(commands.Channel.CloseOk()),
    method(commands.Channel.Open()),
    method(commands.Queue.Declare(queue="never", passive=True)),
    method(commands.Channel.Open(), 2),
    method(commands.Tx.Commit(), 2),
    method(commands.Connection.Close(200, "done", 0, 0), 0),
])  # fmt: skip


def machine() -> Wire[AmqpConnection]:
    return World().connect(AmqpConnection)


def output_of(pieces: list[bytes]) -> tuple[bytes, bool]:
    """Feed pieces and return all output. A batch ends with the last piece, so that confirms are coalesced alike."""
    wire = machine()
    for piece in pieces:
        wire.connection.receive(piece)
    return wire.take(), wire.closed


WHOLE: Final = output_of([SESSION])


@given(st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_any_pieces_give_the_same_output(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(SESSION)]
    pieces = [SESSION[start:end] for start, end in itertools.pairwise(places) if start < end]
    assert output_of(pieces) == WHOLE


def test_single_octets_give_the_same_output() -> None:
    assert output_of([SESSION[at : at + 1] for at in range(len(SESSION))]) == WHOLE


def fed(state: str, pieces: list[bytes]) -> Wire[AmqpConnection]:
    wire = machine()
    if STATES[state]:
        wire.send(STATES[state])
    for piece in pieces:
        wire.send(piece)
    return wire


def check(wire: Wire[AmqpConnection]) -> None:
    """The machine lives or has ended; either way it can be hung up and leaves nothing behind."""
    assert not wire.outlet.failures
    wire.world.advance(100)
    wire.hang_up()
    assert wire.ended
    for queue in wire.world.broker.vhosts["/"].queues.values():
        assert not queue.consumers
        assert queue.unsettled_count == 0


frames = st.builds(
    lambda kind, channel, payload, end: (
        bytes([kind]) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + bytes([end])
    ),
    st.sampled_from([1, 1, 1, 2, 3, 8, 0, 4]),
    st.sampled_from([0, 1, 2]),
    st.one_of(
        st.binary(max_size=40),
        st.builds(
            lambda class_id, method_id, rest: bytes([0, class_id, 0, method_id]) + rest,
            st.sampled_from([10, 20, 30, 40, 50, 60, 85, 90]),
            st.sampled_from([10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 70, 71, 80, 90, 100, 110, 120]),
            st.binary(max_size=30) | st.just(b"\x00\x00\x01q\x00\x00\x00\x00\x00") | st.just(bytes(9)),
        ),
    ),
    st.sampled_from([0xCE] * 30 + [0]),
)


@pytest.mark.parametrize("state", STATES, ids=[name.replace(" ", "-") for name in STATES])
@settings(max_examples=40, deadline=None)
@given(pieces=st.lists(st.binary(max_size=40), max_size=4))
def test_garbage_in_any_state_never_raises(state: str, pieces: list[bytes]) -> None:
    check(fed(state, pieces))


@pytest.mark.parametrize("state", STATES, ids=[name.replace(" ", "-") for name in STATES])
@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(frames, max_size=6))
def test_frames_in_any_state_never_raise(state: str, pieces: list[bytes]) -> None:
    check(fed(state, pieces))


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, len(SESSION) - 1), octet=st.integers(0, 255))
def test_a_session_with_one_wrong_octet_never_raises(at: int, octet: int) -> None:
    wire = machine()
    wire.send(SESSION[:at] + bytes([octet]) + SESSION[at + 1 :])
    check(wire)


def test_a_large_frame_in_single_octets_costs_no_more_than_its_size() -> None:
    """What is held is joined once, when the frame is whole: were it joined each time, this would copy 2 GB."""
    wire = machine()
    wire.send(OPENED.replace(b"\x00\x00\x10\x00", b"\x00\x02\x00\x00"))
    frame = message_frames("", "q", bytes(65_000))
    for at in range(len(frame)):
        wire.connection.receive(frame[at : at + 1])
    assert not wire.closed
    assert wire.connection.broker.counters.published == 1
