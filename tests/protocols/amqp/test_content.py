"""Bodies in any number of frames: in as a client cuts them, out as the consumer's frames ask for (AMQP 0-9-1 §4.2.6.2)."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, Delivered, bodies, closed, content_header, joined, method
from tests.protocols.world import World

PUBLISH: Final = method(commands.Basic.Publish(routing_key="q"))
SMALL: Final = 4_096  # frame_max of the consumer
pieces_of_bodies = st.lists(
    st.integers(0, 3).flatmap(lambda exponent: st.binary(max_size=10**exponent)) | st.just(b"x" * (SMALL - 8)),
    max_size=6,
)


def body_frames(pieces: list[bytes]) -> list[bytes]:
    return [b"\x03\x00\x01" + len(piece).to_bytes(4, "big") + piece + b"\xce" for piece in pieces]


def sizes(data: bytes) -> list[int]:
    """Return the sizes of all frames."""
    found: list[int] = []
    while data:
        size = int.from_bytes(data[3:7], "big") + 8
        found.append(size)
        data = data[size:]
    return found


@given(pieces_of_bodies, st.booleans())
def test_a_body_arrives_whole_in_frames_of_the_right_size(pieces: list[bytes], split: bool) -> None:
    world = World()
    consumer, publisher = AmqpPeer(world, frame_max=SMALL), AmqpPeer(world)
    consumer.queue("q")
    consumer.consume("q")
    body = b"".join(pieces)
    while pieces and not pieces[-1]:
        pieces.pop()  # a frame behind the whole body is a mistake, even an empty one
    frames = [PUBLISH, content_header(len(body)), *body_frames(pieces)]
    for chunk in frames if split else [b"".join(frames)]:
        assert publisher.wire.send(chunk) == b""
    data = consumer.wire.take()
    assert max(sizes(data)) <= SMALL
    assert len(sizes(data)) == 2 + -(-len(body) // (SMALL - 8))
    assert bodies(joined(data)) == [body]


@pytest.mark.parametrize("size", [SMALL - 9, SMALL - 8, SMALL - 7, 2 * (SMALL - 8), 2 * (SMALL - 8) + 1])
def test_what_comes_back_is_cut_too(size: int) -> None:
    peer = AmqpPeer(World(), frame_max=SMALL)
    body = bytes(index % 251 for index in range(size))
    cut = [body[at : at + SMALL - 8] for at in range(0, size, SMALL - 8)]
    publish = method(commands.Basic.Publish(routing_key="nobody", mandatory=True))
    (returned,) = peer.send(publish, content_header(size), *body_frames(cut))
    assert isinstance(returned, Delivered)
    assert returned.body == body


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_body_ends_where_its_header_says(announced: int, beyond: int) -> None:
    peer = AmqpPeer(World())
    kind, code, text, *_ = closed(peer, PUBLISH, content_header(announced), *body_frames([b"x" * (announced + beyond)]))
    assert (kind, code) == (commands.Connection.Close, 501)
    assert text == f"FRAME_ERROR - body goes on {beyond} bytes behind its announced size"


def test_the_content_of_a_closed_channel_is_swallowed() -> None:
    peer = AmqpPeer(World())
    peer.queue("q")
    frames = [PUBLISH, content_header(4), *body_frames([b"ab", b"cd"])]
    wrong = method(commands.Basic.Ack(7))
    (close,) = peer.send(wrong, *frames, *frames[1:], commands.Basic.Get(queue="q"))
    assert isinstance(close, commands.Channel.Close)
    assert peer.send(*frames[2:], commands.Channel.CloseOk(), commands.Channel.Open())[0].name == "Channel.OpenOk"
    assert peer.counts("q") == (0, 0)
