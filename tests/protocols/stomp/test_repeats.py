"""Heads that come again: however they are recognised, each frame means what it would mean alone."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.stomp.repeats import WORD_LIMIT, form_of, is_plain
from tests.protocols.stomp.peer import StompPeer, answers, refused
from tests.protocols.world import World


@dataclass(frozen=True)
class Send:
    """One SEND, with what is expected of it."""

    line_end: str
    queue: str
    receipt: str | None
    first: bool  # whether the receipt is the first header
    counted: bool
    body: bytes
    behind: bytes  # line ends behind the frame

    def frame(self) -> bytes:
        lines = [f"destination:/queue/{self.queue}", "own:1"]
        if self.counted:
            lines.append(f"content-length:{len(self.body)}")
        if self.receipt is not None:
            lines.insert(0 if self.first else len(lines), f"receipt:{self.receipt}")
        head = "".join([f"{line}{self.line_end}" for line in ("SEND", *lines, "")])
        return head.encode() + self.body + b"\0" + self.behind


SENDS = st.builds(
    Send,
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.sampled_from("aab"),
    st.sampled_from([None, "1", "23", "45", "message-678", "a_b.c", "a\\cb", "x y", "ä", "", "x" * (WORD_LIMIT + 1)]),
    st.booleans(),
    st.just(True),
    st.sampled_from([b"x", b"yz", b"\0\0", b"\n\n", b"SEND\n\n"]),
    st.sampled_from([b"", b"", b"\n", b"\r\n\n"]),
) | st.builds(
    Send,
    st.just("\n"),
    st.just("a"),
    st.sampled_from([None, "9"]),
    st.just(False),
    st.just(False),
    st.just(b"z"),
    st.just(b""),
)


@given(st.lists(st.tuples(SENDS, st.integers(1, 4)), max_size=12), st.lists(st.integers(1, 200), max_size=20))
@settings(max_examples=300, deadline=None)
def test_frames_in_any_order_and_any_pieces_are_what_they_say(runs: list[tuple[Send, int]], cuts: list[int]) -> None:
    peer = StompPeer(World())
    sends = [send for send, times in runs for _ in range(times)]
    data = b"".join([send.frame() for send in sends])
    said = b""
    for size in cuts:
        said += peer.wire.send(data[:size]) if data[:size] else b""
        data = data[size:]
    said += peer.wire.send(data) if data else b""
    receipts = [answer["receipt-id"] for answer in answers(said) if answer.command == "RECEIPT"]
    assert receipts == [send.receipt for send in sends if send.receipt is not None]
    for name in "ab":
        queue = peer.world.broker.vhosts["/"].queues.get(name)
        found = [entry.message.body for entry in queue.backlog.entries()] if queue is not None else []
        assert found == [send.body for send in sends if send.queue == name]


def test_a_frame_that_is_recognised_is_still_checked() -> None:
    """A wrong length, a body that is too large, a queue that is gone."""
    head = b"SEND\ndestination:/queue/q\nreceipt:%d\ncontent-length:1\n\n"
    world = World()
    peer = StompPeer(world)
    data = b"".join([head % number + b"x\0" for number in range(5)])
    assert len(answers(peer.wire.send(data))) == 5
    peer.session.client.delete_queue("q")
    assert len(answers(peer.wire.send(data))) == 5
    assert world.broker.vhosts["/"].queues["q"].ready_count == 5
    refused(answers(peer.wire.send(data + head % 9 + b"xy\0")), "Bad frame", "no NUL")


def test_receipts_of_earlier_frames_come_before_an_error() -> None:
    peer = StompPeer(World())
    data = b"".join([b"SEND\ndestination:/queue/q\nreceipt:%d\n\nx\0" % number for number in range(4)])
    found = answers(peer.wire.send(data + b"SEND\ndestination:/nowhere\nreceipt:5\n\n\0"))
    assert [answer.command for answer in found] == ["RECEIPT"] * 4 + ["ERROR"]
    assert (found[3]["receipt-id"], found[4]["receipt-id"]) == ("3", "5")


def test_receipts_that_are_said_together_count_as_so_many_packets() -> None:
    peer = StompPeer(World())
    before = peer.wire.connection.traffic.sent_packets
    peer.wire.send(b"".join([b"SEND\ndestination:/queue/q\nreceipt:%d\n\nx\0" % number for number in range(4)]))
    assert peer.wire.connection.traffic.sent_packets == before + 4


@pytest.mark.parametrize(
    ("head", "start", "rest"),
    [
        (b"SEND\na:b\nreceipt:1", b"SEND\na:b\nreceipt:", b"\n\n"),
        (b"SEND\nreceipt:1\na:b", b"SEND\nreceipt:", b"\na:b\n\n"),
        (b"SEND\r\nreceipt:1\r\na:b\r", b"SEND\r\nreceipt:", b"\r\na:b\r\n\r\n"),
        (b"SEND\r\na:b\r\nreceipt:1\r", b"SEND\r\na:b\r\nreceipt:", b"\r\n\r\n"),
        (b"SEND\na:b", b"SEND\na:b\n\n", b""),
    ],
)
def test_the_form_of_a_head_is_what_stands_around_the_receipt(head: bytes, start: bytes, rest: bytes) -> None:
    form = form_of(head, 3)
    assert (form.start, form.rest, form.length, form.varies) == (start, rest, 3, b"receipt" in head)


@pytest.mark.parametrize("receipt", [b"1", b"a-b", b"a_b.c"])
def test_a_word_can_be_repeated_as_it_is(receipt: bytes) -> None:
    assert is_plain(receipt)


@pytest.mark.parametrize("receipt", [b"", b"-", b"a:b", b"a\\cb", b"a b", b"a\r", "ä".encode(), b"a\nb"])
def test_anything_else_is_looked_at(receipt: bytes) -> None:
    assert not is_plain(receipt)
