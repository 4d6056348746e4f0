"""Cutting a stream into frames: any chunking, any line ends, limits that straddle."""

import contextlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.queueing.usage import Usage
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import BEFORE_LOGIN, NO_LENGTH, FrameReader, Limits, after_login
from protocols.stomp.headers import body_length

LIMITS = Limits(head_bytes=64, line_bytes=20, headers=4, body_bytes=32)

heads = st.binary(min_size=1, max_size=20).filter(
    lambda head: not set(head) & {0, 10, 13} and not head.startswith((b"content-length",))
)
plain_bodies = st.binary(max_size=30).filter(lambda body: 0 not in body)
line_ends = st.lists(st.sampled_from([b"\n", b"\r\n"]), max_size=3).map(b"".join)


def read_all(chunks: list[bytes], limits: Limits = LIMITS) -> list[tuple[bytes, bytes]]:
    """Return heads and bodies; a head of digits announces the length of its body."""
    reader = FrameReader(Usage())
    reader.limits = limits
    found = []
    for chunk in chunks:
        reader.feed(chunk)
        while (head := reader.head()) is not None:
            body = reader.body(body_length(head) if head.isdigit() else NO_LENGTH)
            if body is None:
                break
            found.append((head, body))
    return found


@st.composite
def frames(draw: st.DrawFn) -> tuple[bytes, tuple[bytes, bytes]]:
    """Return a frame on the wire and what it says."""
    end, last_end = draw(st.sampled_from([(b"\n\n", b""), (b"\r\n\r\n", b"\r"), (b"\n\r\n", b""), (b"\r\n\n", b"\r")]))
    if draw(st.booleans()):
        body = draw(st.binary(max_size=30))
        head = str(len(body)).encode()
        if last_end:
            end, last_end = b"\n\n", b""
    else:
        head, body = draw(heads.filter(lambda head: not head.isdigit())), draw(plain_bodies)
    return draw(line_ends) + head + end + body + b"\0", (head + last_end, body)


@given(st.lists(frames(), max_size=6), st.data())
def test_frames_do_not_depend_on_how_they_arrive(
    made: list[tuple[bytes, tuple[bytes, bytes]]], data: st.DataObject
) -> None:
    stream = b"".join([wire for wire, _ in made])
    said = [frame for _, frame in made]
    assert read_all([stream]) == said
    assert read_all([stream[at : at + 1] for at in range(len(stream))]) == said
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read_all([chunk for chunk in chunks if chunk]) == said


@given(st.lists(st.binary(min_size=1, max_size=40) | st.sampled_from([b"\n\n", b"\0", b"\r", b"a:b\n"]), max_size=12))
def test_any_octets_are_frames_or_a_mistake_of_the_peer(chunks: list[bytes]) -> None:
    with contextlib.suppress(PeerError):
        assert all(head for head, _ in read_all(chunks))


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in pieces"])
@pytest.mark.parametrize(
    ("part", "make"),
    [
        ("body", lambda over: b"H\n\n" + b"x" * (32 + over) + b"\0"),
        ("body", lambda over: b"%d\n\n" % (32 + over) + b"x" * (32 + over) + b"\0"),
        ("header line", lambda over: b"H\n" + b"x" * (20 + over) + b"\n\n\0"),
        ("number of headers", lambda over: b"H" + b"\nx" * (4 + over) + b"\n\n\0"),
        ("head", lambda over: b"H" * 3 + (b"\n" + b"x" * 19) * 3 + b"x" * (over + 1) + b"\n\n\0"),
    ],
    ids=["body until NUL", "announced body", "line", "headers", "head"],
)
def test_every_part_of_a_frame_has_a_limit(part: str, make: object, whole: bool, over: int) -> None:
    assert callable(make)
    wire: bytes = make(over)
    limits = LIMITS if part != "head" else Limits(head_bytes=64, line_bytes=64, headers=4, body_bytes=32)
    chunks = [wire] if whole else [wire[at : at + 1] for at in range(len(wire))]
    reader = FrameReader(Usage())
    reader.limits = limits

    def read() -> int:
        count = 0
        for chunk in chunks:
            reader.feed(chunk)
            while (head := reader.head()) is not None:
                reader.check(head)
                if reader.body(body_length(head) if head.isdigit() else NO_LENGTH) is None:
                    break
                count += 1
        return count

    if over:
        with pytest.raises(PeerError, match=f"the {part} is over the limit"):
            read()
    else:
        assert read() == 1


def test_a_body_that_is_too_large_is_refused_when_it_is_announced() -> None:
    reader = FrameReader(Usage())
    reader.limits = LIMITS
    reader.feed(b"33\n\n")
    assert reader.head() == b"33"
    with pytest.raises(PeerError, match="body"):
        reader.body(33)


@pytest.mark.parametrize("start", [b"X" * 33, b"X" * 33 + b"\n"])
def test_a_command_has_a_limit(start: bytes) -> None:
    reader = FrameReader(Usage())
    reader.feed(start)
    with pytest.raises(PeerError, match="no command"):
        reader.head()


def test_a_nul_inside_a_head_that_is_not_complete_is_refused_at_once() -> None:
    reader = FrameReader(Usage())
    reader.feed(b"DISCONNECT\nreceipt\0")
    with pytest.raises(PeerError, match="NUL"):
        reader.head()


@pytest.mark.parametrize("behind", [b"", b"\n", b"H\n\nx\0"])
def test_a_nul_in_place_of_the_empty_line_ends_a_frame(behind: bytes) -> None:
    reader = FrameReader(Usage())
    reader.feed(b"DISCONNECT\nreceipt:x\n\0" + behind)
    head = reader.head()
    assert head is not None
    assert reader.shortened(head) == b"DISCONNECT\nreceipt:x"
    assert reader.body(NO_LENGTH) == b""
    assert (reader.head(), reader.body(NO_LENGTH)) == ((b"H", b"x") if behind.startswith(b"H") else (None, None))


def test_no_nul_after_the_announced_length_is_a_bad_frame() -> None:
    with pytest.raises(PeerError, match="content-length announces"):
        read_all([b"1\n\nxyz\0"])


def test_a_large_frame_in_small_pieces_is_searched_once() -> None:
    """Each octet is looked at a bounded number of times: what is held is joined once, when its end is there."""
    size = 1 << 20
    wire = b"SEND\ndestination:/queue/a\n\n" + b"x" * size + b"\0"
    chunks = [wire[at : at + 64] for at in range(0, len(wire), 64)]
    reader = FrameReader(Usage())
    reader.limits = after_login(size)
    joined = 0
    tracemalloc.start()
    try:
        for chunk in chunks:
            reader.feed(chunk)
            if (head := reader.head()) is not None:
                joined += 1
                body = reader.body(NO_LENGTH)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert head is not None
    assert body == b"x" * size
    assert joined == 2  # when the head was there, and when the NUL was
    assert peak < 6 * size


def test_limits_before_login_are_tighter() -> None:
    after = after_login(1 << 20)
    assert BEFORE_LOGIN.head_bytes < after.head_bytes
    assert BEFORE_LOGIN.line_bytes < after.line_bytes
    assert BEFORE_LOGIN.headers < after.headers
    assert BEFORE_LOGIN.body_bytes < after.body_bytes
