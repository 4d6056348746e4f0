"""Heart-beats both ways, on a clock that jumps (STOMP 1.2 "Heart-beating")."""

import pytest

from protocols.stomp.connection import StompConnection
from tests.protocols.stomp.peer import StompPeer, answers, frame, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ("0,0", "0,0"),
        ("1000,2000", "2000,1000"),
        ("0,5000", "5000,0"),
        ("1,1", "250,250"),
        ("99999999999,0", "0,2147483648"),
        (" 1000 , 2000 ", "2000,1000"),
    ],
)
def test_the_broker_offers_what_was_asked_for_within_bounds(world: World, asked: str, offered: str) -> None:
    assert StompPeer(world, heart_beat=asked).connected["heart-beat"] == offered


@pytest.mark.parametrize(
    "asked", ["", "1000", "1000,", ",1000", "-1,0", "1,2,3", "a,b", "1.5,0", "٣,0", "9" * 19 + ",0"]
)
def test_a_malformed_heart_beat_is_an_error(world: World, asked: str) -> None:
    wire = world.connect(StompConnection)
    refused(answers(wire.send(frame("CONNECT", {"heart-beat": asked}))), "Invalid header", "heart-beat")
    assert wire.closed


def test_the_broker_beats_at_least_as_often_as_agreed(world: World) -> None:
    peer = StompPeer(world, heart_beat="0,1000")
    for _ in range(20):
        world.advance(1)
        assert set(peer.wire.take()) == {0x0A}
    assert not peer.closed


def test_the_broker_does_not_beat_when_nobody_asked(world: World) -> None:
    peer = StompPeer(world, heart_beat="1000,0")
    for _ in range(10):
        world.advance(1)
        peer.wire.send(b"\n")
    assert peer.wire.take() == b""


def test_the_broker_does_not_beat_into_output_that_waits(world: World) -> None:
    peer = StompPeer(world, heart_beat="0,1000")
    peer.wire.connection.output_bytes = 10
    peer.wire.connection.timeout()
    assert peer.wire.connection.take_output() == []


@pytest.mark.parametrize("beat", [b"\n", b"\r\n", b"SEND\ndestination:/topic/t\n\n\0", b"S"])
def test_anything_that_is_heard_is_a_sign_of_life(world: World, beat: bytes) -> None:
    peer = StompPeer(world, heart_beat="1000,0")
    for _ in range(10):
        world.advance(1.9)
        peer.wire.send(beat)
    assert not peer.closed


def test_one_missed_beat_is_forgiven_and_two_are_not(world: World) -> None:
    peer = StompPeer(world, heart_beat="1000,0")
    world.advance(1.5)
    assert peer.heard() == []
    world.advance(1)
    refused(peer.heard(), "Heart-beat missed", "2000 ms")
    assert peer.closed


def test_a_beat_between_frames_is_no_part_of_them(world: World) -> None:
    peer = StompPeer(world, heart_beat="1000,1000")
    peer.subscribe("/topic/t")
    data = b"\n\n" + frame("SEND", {"destination": "/topic/t"}, b"\n") + b"\n\r\n"
    (message,) = answers(peer.wire.send(data))
    assert message.body == b"\n"


def test_a_publisher_that_is_not_read_from_is_not_blamed_for_its_silence(world: World) -> None:
    peer = StompPeer(world, heart_beat="1000,0")
    peer.send("/queue/q", b"x" * 100)
    world.broker.surroundings.usage.limit_bytes = 0
    world.advance(60)
    assert peer.heard() == []
    world.broker.surroundings.usage.limit_bytes = 1 << 30
    world.advance(5)
    refused(peer.heard(), "Heart-beat missed")


def test_a_beat_that_is_due_earlier_than_the_login_limit_is_kept(world: World) -> None:
    peer = StompPeer(world, heart_beat="500,500")
    world.advance(0.3)
    assert peer.wire.take() == b"\n"
