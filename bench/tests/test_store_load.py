"""The work beside a store: confirms are timed from when their messages were due, a backlog must come back in order."""

import socket
from collections import deque

import pytest

from bench.load import amqp_frames, mqtt_frames
from bench.load.backlog import OrderedDrain
from bench.load.body import STAMP_BYTES, body, stamp
from bench.load.confirms import TimedSource, WaitingSource, persistent
from bench.load.link import Source, WorkError

SIZE = 64
SELECTED = amqp_frames.method(1, 85, 11)  # Confirm.SelectOk
QUEUE = "q"


def answering() -> tuple[socket.socket, socket.socket]:
    """Return a connection on which confirms are switched on already."""
    near, far = socket.socketpair()
    far.sendall(SELECTED)
    return near, far


def test_a_confirm_stands_for_all_that_was_due_before_it() -> None:
    near, far = answering()
    source = TimedSource(near, persistent(QUEUE, SIZE), SIZE, 4)
    source.publish(1)
    far.sendall(amqp_frames.ack_up_to(1))
    source.readable()
    source.publish_stamped([1_000_000_000, 3_000_000_000])
    source.publish_stamped([4_000_000_000])
    far.sendall(amqp_frames.ack_up_to(2) + amqp_frames.ack_up_to(3))
    source.readable()
    assert (source.confirmed, len(source.taken)) == (3, 2)
    assert source.taken[0] - source.taken[1] == 2_000_000_000
    far.sendall(amqp_frames.ack_up_to(4))
    source.readable()
    assert source.taken_after(0.0) == source.taken
    assert source.taken_after(2.5) == source.taken[2:]
    far.close()
    source.close()


def test_a_publisher_waits_in_line_for_its_confirm() -> None:
    near, far = answering()
    line: deque[Source] = deque()
    source = WaitingSource(near, persistent(QUEUE, SIZE), SIZE, line)
    assert line.popleft().publish_share() == 1
    assert not line
    far.sendall(amqp_frames.ack_up_to(1))
    source.readable()
    assert list(line) == [source]
    far.close()
    source.close()


def numbered(number: int) -> bytes:
    content = stamp(number) + body(SIZE)[STAMP_BYTES:]
    return amqp_frames.publish("", QUEUE, content, amqp_frames.PERSISTENT)  # a delivery in all but its method


def test_numbered_messages_that_come_in_order_are_counted() -> None:
    near, far = socket.socketpair()
    drain = OrderedDrain(near, len(numbered(0)), SIZE)
    far.sendall(b"".join(map(numbered, range(1, 100))))
    drain.readable()
    assert drain.received == 100
    far.close()
    drain.close()


@pytest.mark.parametrize("numbers", [[2], [1, 1], [1, 3], [0]])
def test_a_number_out_of_order_ends_the_run(numbers: list[int]) -> None:
    near, far = socket.socketpair()
    drain = OrderedDrain(near, len(numbered(0)), SIZE)
    far.sendall(b"".join(map(numbered, numbers)))
    with pytest.raises(WorkError, match="order is lost"):
        drain.readable()
    far.close()
    drain.close()


def test_a_session_that_stays_is_asked_for_by_one_bit() -> None:
    clean, lasting = mqtt_frames.connect("c"), mqtt_frames.connect("c", clean=False)
    assert [(at, one ^ other) for at, (one, other) in enumerate(zip(clean, lasting, strict=True)) if one != other] == [
        (9, 2)
    ]
