"""The generator's readers count and acknowledge the same whatever pieces the bytes come in."""

import socket
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load import amqp_frames, mqtt_frames
from bench.load.amqp import AmqpDrain, AmqpSource
from bench.load.body import body, stamp
from bench.load.link import Drain, Source, WorkError
from bench.load.mqtt import MqttDrain, MqttExactDrain, MqttSource
from bench.load.stomp import StompDrain

SIZE = 256


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % len(data) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def feed(link: Drain | Source, far: socket.socket, pieces: list[bytes]) -> bytes:
    """Let the link read the pieces one by one; return what it answered."""
    for piece in pieces:
        far.sendall(piece)
        link.readable()
    far.setblocking(False)
    answer = b""
    try:
        while piece := far.recv(65_536):
            answer += piece
    except BlockingIOError:
        pass
    far.close()
    link.close()
    return answer


CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)


@given(CUTS)
def test_every_qos_1_delivery_is_acknowledged_once_however_it_is_cut(cuts: list[int]) -> None:
    near, far = socket.socketpair()
    data = b"".join(mqtt_frames.publish("a/b", 1, number, body(SIZE)) for number in range(1, 20))
    drain = MqttDrain(near, "a/b", 1, SIZE)
    answer = feed(drain, far, pieces_of(data, cuts))
    assert drain.received == 19
    assert answer == b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in range(1, 20))


@given(CUTS)
def test_a_qos_2_delivery_counts_when_it_is_released(cuts: list[int]) -> None:
    near, far = socket.socketpair()
    data = mqtt_frames.publish("t", 2, 7, body(SIZE)) + mqtt_frames.publish("t", 2, 8, body(SIZE)) + b"\x62\x02\x00\x07"
    drain = MqttExactDrain(near, "t", SIZE)
    answer = feed(drain, far, pieces_of(data, cuts))
    assert drain.received == 1
    assert answer == b"\x50\x02\x00\x07\x50\x02\x00\x08\x70\x02\x00\x07"


@given(CUTS)
def test_a_qos_2_publisher_releases_what_was_received_and_counts_what_is_complete(cuts: list[int]) -> None:
    near, far = socket.socketpair()
    source = MqttSource(near, "t", 2, SIZE, 4)
    answer = feed(source, far, pieces_of(b"\x50\x02\x00\x01\x70\x02\x00\x09\x50\x02\x00\x02", cuts))
    assert source.confirmed == 1
    assert answer == b"\x62\x02\x00\x01\x62\x02\x00\x02"


@given(CUTS)
def test_amqp_deliveries_are_acknowledged_at_every_64th_tag(cuts: list[int]) -> None:
    near, far = socket.socketpair()
    one = amqp_frames.publish("", "q", body(SIZE), 1)  # a delivery in all but its method
    drain = AmqpDrain(near, len(one), SIZE)
    answer = feed(drain, far, pieces_of(one * 150, cuts))
    assert drain.received == 151
    assert answer == amqp_frames.ack_up_to(64) + amqp_frames.ack_up_to(128)


@given(CUTS)
def test_amqp_confirms_count_up_to_the_last_tag(cuts: list[int]) -> None:
    near, far = socket.socketpair()
    publication = amqp_frames.publish("", "q", body(SIZE), 1)
    near.setblocking(False)
    source = AmqpSource(near, publication, SIZE, 4, False)
    feed(source, far, pieces_of(b"".join(amqp_frames.ack_up_to(tag) for tag in (3, 4, 90)), cuts))
    assert source.confirmed == 90


@given(CUTS)
def test_stomp_messages_are_acknowledged_by_the_header_of_every_64th(cuts: list[int]) -> None:
    near, far = socket.socketpair()
    data = b"".join(
        b"MESSAGE\nsubscription:0\nack:m-%d\ncontent-length:%d\n\n%b\x00\n" % (number, SIZE, body(SIZE))
        for number in range(1, 131)
    )
    drain = StompDrain(near)
    answer = feed(drain, far, pieces_of(data, cuts))
    assert drain.received == 130
    assert answer == b"ACK\nid:m-64\n\n\x00ACK\nid:m-128\n\n\x00"


def test_a_stamped_publication_differs_from_an_unstamped_one_in_its_stamp_only() -> None:
    near, far = socket.socketpair()
    publication = amqp_frames.publish("", "q", body(SIZE), 1)
    source = AmqpSource(near, publication, SIZE, 4, False)
    source.publish_stamped([255])
    assert far.recv(4096) == publication.replace(b"0" * 16, stamp(255))
    far.close()
    source.close()


def test_a_delivery_of_another_size_ends_the_run() -> None:
    near, far = socket.socketpair()
    drain = MqttDrain(near, "a/b", 0, SIZE)
    far.sendall(mqtt_frames.publish("a/b", 0, 0, body(SIZE + 1)) * 2)
    with pytest.raises(WorkError, match="not the expected delivery"):
        drain.readable()
    far.close()
    drain.close()
