"""The parts of the generator that visit, hold filters, store what is retained, and count frames of STOMP."""

import socket
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load import retained
from bench.load.body import body
from bench.load.filters import plain_and_wild
from bench.load.link import WorkError
from bench.load.mqtt_frames import publish
from bench.load.stomp import FrameCount, StompReceiptSource, StompSource
from bench.load.visits import CONNACK, DISCONNECT, SUBACK, Visit

SIZE = 256
RECEIPT = b"RECEIPT\nreceipt-id:00001\n\n\x00"


@given(st.lists(st.integers(0, 1 << 16), max_size=8))
def test_frames_are_counted_however_they_are_cut(cuts: list[int]) -> None:
    data = RECEIPT * 7
    edges = [0, *sorted({cut % len(data) for cut in cuts}), len(data)]
    count = FrameCount(b"RECEIPT\n")
    assert sum(count.count(data[start:end]) for start, end in pairwise(edges)) == 7


def test_a_frame_of_another_command_is_not_counted() -> None:
    with pytest.raises(WorkError, match="not only"):
        FrameCount(b"RECEIPT\n").count(b"ERROR\nmessage:no\n\n\x00")


def test_sent_messages_have_the_headers_in_turn() -> None:
    near, far = socket.socketpair()
    source = StompSource(near, "/queue/q", SIZE, 4, ["n:0\n", "n:1\n", "n:2\n"])
    for count in (2, 4, 1):
        source.publish(count)
    frames = far.recv(1 << 16).split(b"\x00")[:-1]
    assert [frame.split(b"\nn:")[1][:1] for frame in frames] == [b"0", b"1", b"2", b"0", b"1", b"2", b"0"]
    assert source.confirmed == source.sent == 7
    source.close()
    far.close()


def test_a_message_with_a_receipt_is_confirmed_by_it() -> None:
    near, far = socket.socketpair()
    source = StompReceiptSource(near, "/queue/q", SIZE, 4)
    source.publish(3)
    assert far.recv(1 << 16).count(b"\nreceipt:0000") == 3
    far.sendall(RECEIPT * 2)
    source.readable()
    assert (source.sent, source.confirmed) == (3, 2)
    source.close()
    far.close()


@given(st.integers(0, 4), st.integers(0, 5))
def test_a_visit_subscribes_when_it_is_let_in_and_goes_when_it_is_subscribed(first: int, second: int) -> None:
    near, far = socket.socketpair()
    visit = Visit(near, b"subscribe")
    for answer, cut, said in ((CONNACK, first, b"subscribe"), (SUBACK, second, DISCONNECT)):
        for piece in (answer[:cut], answer[cut:]):
            if piece:
                assert not visit.over
                far.sendall(piece)
                visit.readable()
        assert far.recv(100) == said
    assert visit.over
    visit.close()
    far.close()


def test_a_visitor_who_is_refused_ends_the_run() -> None:
    near, far = socket.socketpair()
    visit = Visit(near, b"subscribe")
    far.sendall(b"\x20\x02\x00\x05")
    with pytest.raises(WorkError, match="a visitor was answered"):
        visit.readable()
    visit.close()
    far.close()


def test_filters_differ_and_half_of_them_are_plain() -> None:
    filters = list(plain_and_wild("bench/run", 10_001))
    assert len(set(filters)) == 10_001
    assert sum("+" not in one and "#" not in one for one in filters) == 5_000


@pytest.mark.parametrize("suback_first", [True, False])
def test_retained_messages_are_counted_wherever_the_suback_stands(suback_first: bool) -> None:
    near, far = socket.socketpair()
    packet = bytearray(publish("bench/run/00/0000", 0, 0, body(SIZE)))
    packet[0] |= retained.RETAINED
    suback, messages = b"\x90\x03\x00\x01\x00", bytes(packet) * 3
    answer = suback + messages if suback_first else messages + suback

    def greet() -> None:
        far.recv(100)
        far.sendall(answer)

    sender = threading.Thread(target=greet)
    sender.start()
    assert retained.greet(near, "bench/run/#", 3, len(packet)) > 0
    sender.join()
    near.close()
    far.close()
