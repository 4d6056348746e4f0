"""The life of an open connection: heartbeats, alarms, a renewed secret, and every way to its end."""

from pamqp import commands
from pamqp.heartbeat import Heartbeat

from protocols.amqp.connection import AmqpConnection
from tests.protocols.amqp.peer import (
    HEARTBEAT_FRAME,
    PROTOCOL_HEADER,
    AmqpPeer,
    bodies,
    closing,
    decoded,
    login,
    message_frames,
    method,
)
from tests.protocols.world import Wire, World

CLOSE_OK = method(commands.Connection.CloseOk(), 0)


# Time


def test_a_client_that_does_not_log_in_is_left(world: World, wire: Wire[AmqpConnection]) -> None:
    wire.send(PROTOCOL_HEADER)
    world.advance(9.9)
    assert not wire.closed
    world.advance(0.2)
    assert wire.closed


def test_without_heartbeats_silence_is_no_end(world: World) -> None:
    peer = AmqpPeer(world, heartbeat_s=0)
    world.advance(100_000)
    assert not peer.wire.closed
    assert peer.take() == []


def test_heartbeats_come_at_half_the_interval_while_nothing_else_does(world: World) -> None:
    peer = AmqpPeer(world, heartbeat_s=10)
    for _ in range(8):
        world.advance(5)
        peer.wire.connection.receive(HEARTBEAT_FRAME)
    beats = decoded(peer.wire.take())
    assert {type(beat) for _, beat in beats} == {Heartbeat}
    assert len(beats) >= 7
    assert not peer.wire.closed


def test_traffic_takes_the_place_of_heartbeats(world: World) -> None:
    peer = AmqpPeer(world, heartbeat_s=10)
    world.advance(4)
    for _ in range(8):
        peer.call(commands.Basic.Qos(), commands.Basic.QosOk)
        world.advance(4)
        assert peer.take() == []


def test_a_client_that_misses_two_heartbeats_is_gone(world: World) -> None:
    peer = AmqpPeer(world, heartbeat_s=10)
    other = AmqpPeer(world)
    other.queue("q")
    other.publish("", "q", b"1")
    peer.consume("q")
    world.advance(19)
    assert not peer.wire.closed
    world.advance(7)
    assert peer.wire.ended
    assert other.counts("q") == (1, 0)


def test_any_traffic_shows_that_the_client_lives(world: World) -> None:
    peer = AmqpPeer(world, heartbeat_s=10)
    for _ in range(10):
        world.advance(15)
        peer.wire.send(HEARTBEAT_FRAME)
    assert not peer.wire.closed


def test_a_heartbeat_does_not_belong_on_a_channel(world: World) -> None:
    peer = AmqpPeer(world)
    assert closing(peer.wire.send(b"\x08\x00\x01\x00\x00\x00\x00\xce"))[0] == 505


# Alarms


def test_a_publisher_is_told_that_it_must_wait_and_when_that_ends(world: World) -> None:
    peer = AmqpPeer(world, heartbeat_s=10)
    peer.queue("q")
    peer.publish("", "q", b"x")
    assert peer.wire.connection.publishes
    peer.wire.connection.alarm("low on memory")
    (blocked,) = peer.take()
    assert (type(blocked), blocked.reason) == (commands.Connection.Blocked, "low on memory")
    world.advance(100)  # nothing is read from it meanwhile
    assert not peer.wire.closed
    peer.take()
    peer.wire.connection.alarm("")
    assert [type(item) for item in peer.take()] == [commands.Connection.Unblocked]


def test_who_only_consumes_is_not_told(world: World) -> None:
    peer = AmqpPeer(world)
    peer.wire.connection.alarm("low on memory")
    assert peer.take() == []
    peer.queue("q")
    (blocked,) = peer.publish("", "q", b"x")
    assert isinstance(blocked, commands.Connection.Blocked)


def test_who_cannot_hear_it_is_not_told(world: World) -> None:
    wire = world.connect(AmqpConnection)
    silent = method(commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US"), 0)
    tuned = method(commands.Connection.TuneOk(2047, 131_072, 0), 0) + method(commands.Connection.Open("/"), 0)
    wire.send(PROTOCOL_HEADER + silent + tuned + method(commands.Channel.Open()))
    wire.send(message_frames("", "nowhere", b"x"))
    assert wire.connection.publishes
    wire.connection.alarm("low on memory")
    wire.connection.alarm("")
    assert wire.take() == b""


def test_an_alarm_that_ended_before_the_publish_is_not_told(world: World) -> None:
    peer = AmqpPeer(world)
    peer.wire.connection.alarm("low on memory")
    peer.wire.connection.alarm("")
    assert peer.publish("", "nowhere", b"x") == []


# A renewed secret


def test_a_renewed_secret_is_taken(world: World) -> None:
    """RabbitMQ: passwords of its own users do not expire, so the connection goes on as it was."""
    peer = AmqpPeer(world)
    renewed = commands.Connection.UpdateSecret("another-secret", "renewed")
    peer.call(renewed, commands.Connection.UpdateSecretOk, channel=0)
    peer.queue("q")
    assert "another-secret" not in repr(peer.wire.outlet.notes)


def test_a_secret_cannot_be_renewed_before_the_connection_is_open(world: World) -> None:
    wire = world.connect(AmqpConnection)
    wire.send(PROTOCOL_HEADER + login())
    renewed = method(commands.Connection.UpdateSecret("another-secret", "renewed"), 0)
    text = "CHANNEL_ERROR - unexpected method in connection state tuning"
    assert closing(wire.send(renewed)) == (504, text, 10, 70)


# The end


def test_closing_releases_everything_before_it_is_answered(world: World) -> None:
    peer, other = AmqpPeer(world), AmqpPeer(world)
    peer.queue("mine", exclusive=True)
    other.queue("shared")
    other.publish("", "shared", b"x")
    assert bodies(peer.consume("shared")) == [b"x"]
    (answer,) = peer.send(commands.Connection.Close(200, "done", 0, 0), channel=0)
    assert isinstance(answer, commands.Connection.CloseOk)
    assert peer.wire.ended
    assert other.counts("shared") == (1, 0)
    assert "mine" not in world.broker.vhosts["/"].queues


def test_a_client_that_hangs_up_gives_everything_back(world: World) -> None:
    peer, other = AmqpPeer(world), AmqpPeer(world)
    other.queue("q")
    for number in range(4):
        other.publish("", "q", b"%d" % number)
    peer.consume("q")
    peer.send(commands.Basic.Ack(2))
    peer.wire.hang_up()
    assert peer.wire.ended
    assert bodies(other.consume("q")) == [b"0", b"2", b"3"]


def test_nothing_is_delivered_to_a_client_that_has_hung_up(world: World) -> None:
    """Without acknowledgements a message would be lost."""
    peer, other = AmqpPeer(world), AmqpPeer(world)
    other.queue("q")
    peer.consume("q", no_ack=True)
    peer.wire.connection.receive(b"")
    other.wire.connection.receive(message_frames("", "q", b"x"))
    assert other.counts("q") == (1, 0)


def test_after_a_close_everything_but_close_ok_is_ignored(world: World) -> None:
    peer = AmqpPeer(world)
    assert closing(peer.wire.send(method(commands.Basic.Qos(prefetch_size=1))))[0] == 540
    assert peer.wire.send(method(commands.Queue.Declare(queue="late")) + message_frames("", "late", b"x")) == b""
    assert "late" not in world.broker.vhosts["/"].queues
    peer.wire.send(CLOSE_OK)
    assert peer.wire.closed


def test_two_closes_that_cross_end_the_connection(world: World) -> None:
    peer = AmqpPeer(world)
    peer.send(commands.Basic.Qos(prefetch_size=1))
    (answer,) = peer.send(commands.Connection.Close(200, "done", 0, 0), channel=0)
    assert isinstance(answer, commands.Connection.CloseOk)
    assert peer.wire.closed


def test_a_client_that_never_answers_a_close_is_left(world: World) -> None:
    peer = AmqpPeer(world)
    peer.send(commands.Basic.Qos(prefetch_size=1))
    world.advance(31)
    assert peer.wire.closed


def test_close_ok_is_heard_even_where_frames_are_lost(world: World) -> None:
    peer = AmqpPeer(world)
    broken = bytearray(method(commands.Basic.Qos()))
    broken[-1] = 0
    assert closing(peer.wire.send(bytes(broken) + b"noise"))[0] == 501
    for octet in b"more noise" + CLOSE_OK:
        assert not peer.wire.closed
        peer.wire.send(bytes([octet]))
    assert peer.wire.closed


def test_a_stopping_broker_says_so(world: World) -> None:
    peer = AmqpPeer(world)
    peer.queue("q")
    peer.publish("", "q", b"x")
    peer.consume("q")
    peer.wire.connection.shut_down()
    text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
    assert closing(peer.wire.take()) == (320, text, 0, 0)
    assert peer.wire.ended
    assert world.broker.vhosts["/"].queues["q"].ready_count == 1


def test_what_was_earned_is_confirmed_before_the_broker_stops(world: World) -> None:
    peer = AmqpPeer(world)
    peer.send(commands.Confirm.Select())
    peer.wire.connection.receive(message_frames("", "q", b"x"))
    peer.wire.connection.shut_down()
    assert [type(item) for item in peer.take()] == [commands.Basic.Ack, commands.Connection.Close]
