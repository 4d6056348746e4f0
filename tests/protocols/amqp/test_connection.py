"""The life of a connection: greeting, login, tuning, opening, heartbeats, alarms, closing."""

from typing import Any

import pytest
from pamqp import commands
from pamqp.heartbeat import Heartbeat

from protocols.amqp.connection import AmqpConnection
from protocols.connection import Connection
from tests.protocols.amqp.peer import (
    HEARTBEAT_FRAME,
    PROTOCOL_HEADER,
    AmqpPeer,
    bodies,
    decoded,
    login,
    message_frames,
    method,
)
from tests.protocols.world import ReadOutlet, Wire, World

TUNE_OK = method(commands.Connection.TuneOk(2047, 131_072, 0), 0)
OPEN = method(commands.Connection.Open("/"), 0)
CLOSE_OK = method(commands.Connection.CloseOk(), 0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def wire(world: World) -> Wire[AmqpConnection]:
    return world.connect(AmqpConnection)


@pytest.fixture
def greeted(wire: Wire[AmqpConnection]) -> Wire[AmqpConnection]:
    wire.send(PROTOCOL_HEADER)
    return wire


def closing(data: bytes) -> tuple[int, str, int, int]:
    """Return what the one connection.close in `data` says."""
    ((channel, close),) = decoded(data)
    assert isinstance(close, commands.Connection.Close), close
    assert channel == 0
    return close.reply_code or 0, close.reply_text, close.class_id or 0, close.method_id or 0


# The protocol header


def test_the_header_is_answered_with_start(wire: Wire[AmqpConnection]) -> None:
    ((channel, start),) = decoded(wire.send(PROTOCOL_HEADER))
    assert isinstance(start, commands.Connection.Start)
    assert (channel, start.version_major, start.version_minor) == (0, 0, 9)
    assert (start.mechanisms, start.locales) == ("PLAIN AMQPLAIN", "en_US")
    said: dict[str, Any] = dict(start.server_properties)
    assert (said["product"], said["version"]) == ("Dragoman", "0.0.0")
    assert said["capabilities"] == {
        "publisher_confirms": True,
        "exchange_exchange_bindings": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "connection.blocked": True,
        "authentication_failure_close": True,
        "per_consumer_qos": True,
    }


def test_the_header_of_0_9_is_served_too(wire: Wire[AmqpConnection]) -> None:
    assert isinstance(decoded(wire.send(b"AMQP\x01\x01\x00\x09"))[0][1], commands.Connection.Start)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "header",
    [b"AMQP\x00\x00\x08\x00", b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01"],
)
def test_a_wrong_header_is_answered_with_the_right_one(wire: Wire[AmqpConnection], header: bytes, whole: bool) -> None:
    """AMQP 0-9-1 §4.2.2"""
    pieces = [header] if whole else [header[at : at + 1] for at in range(len(header))]
    assert b"".join([wire.send(piece) for piece in pieces]) == PROTOCOL_HEADER
    assert wire.closed


# Login


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("PLAIN", "\0guest\0guest"),
        ("AMQPLAIN", "\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest"),
    ],
)
def test_a_login_is_answered_with_tune(greeted: Wire[AmqpConnection], mechanism: str, response: str) -> None:
    start_ok = commands.Connection.StartOk({}, mechanism, response, "en_US")
    ((_, tune),) = decoded(greeted.send(method(start_ok, 0)))
    assert isinstance(tune, commands.Connection.Tune)
    assert (tune.channel_max, tune.frame_max, tune.heartbeat) == (2047, 131_072, 60)


def test_a_wrong_password_closes_with_403_where_the_client_hears_it(greeted: Wire[AmqpConnection]) -> None:
    text = (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
    )
    assert closing(greeted.send(login(password="wrong-secret"))) == (403, text, 0, 0)
    assert [event for event, _ in greeted.outlet.notes] == ["login refused"]
    assert "wrong-secret" not in repr(greeted.outlet.notes)
    greeted.send(CLOSE_OK)
    assert greeted.closed


def test_a_wrong_password_only_closes_where_the_client_does_not(greeted: Wire[AmqpConnection]) -> None:
    start_ok = commands.Connection.StartOk({}, "PLAIN", "\0guest\0wrong", "en_US")
    assert greeted.send(method(start_ok, 0)) == b""
    assert greeted.closed


def test_an_empty_user_name_is_nobody(greeted: Wire[AmqpConnection]) -> None:
    assert closing(greeted.send(login("", "guest")))[0] == 403


@pytest.mark.parametrize(
    ("mechanism", "response", "code"),
    [
        ("NONE", "", 503),
        ("PLAIN", "guest", 502),
        ("PLAIN", "other\0guest\0guest", 502),
        ("PLAIN", "\0guest\0guest\0", 502),
        ("AMQPLAIN", "guest", 502),
        ("AMQPLAIN", "\x05LOGINS\0\0\0\x05guest", 502),
    ],
)
def test_a_login_that_means_nothing_has_its_code(
    greeted: Wire[AmqpConnection], mechanism: str, response: str, code: int
) -> None:
    start_ok = commands.Connection.StartOk({}, mechanism, response, "en_US")
    assert closing(greeted.send(method(start_ok, 0)))[0] == code


class SlowOutlet(ReadOutlet):
    """Answers a login when it is told to."""

    def login(self, connection: Connection, username: str, password: bytes) -> None:
        self.asked = (username, password)


def test_what_comes_behind_the_login_waits_for_its_result(world: World, greeted: Wire[AmqpConnection]) -> None:
    outlet = SlowOutlet(world)
    greeted.connection.outlet = outlet
    greeted.connection.receive(login() + TUNE_OK + OPEN[:5])
    greeted.connection.receive(OPEN[5:])
    assert outlet.asked == ("guest", b"guest")
    assert greeted.take() == b""
    greeted.connection.logged_in(world.broker.users["guest"], "")
    assert [type(item) for _, item in decoded(greeted.take())] == [commands.Connection.Tune, commands.Connection.OpenOk]


def test_a_client_may_name_its_connection(greeted: Wire[AmqpConnection]) -> None:
    greeted.send(login(connection_name="orders"))
    assert greeted.connection.label == f"{greeted.connection.peer.address} (orders)"


# Tuning and opening


@pytest.mark.parametrize(
    ("tune_ok", "text"),
    [
        ((0, 131_072, 60), "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"),
        ((2048, 131_072, 60), "negotiated channel_max = 2048 is higher than the maximum allowed value (2047)"),
        ((2047, 0, 60), "negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)"),
        ((2047, 4_095, 60), "negotiated frame_max = 4095 is lower than the minimum allowed value (4096)"),
        ((2047, 131_073, 60), "negotiated frame_max = 131073 is higher than the maximum allowed value (131072)"),
    ],
)
def test_tuning_beyond_the_offer_is_not_allowed(
    greeted: Wire[AmqpConnection], tune_ok: tuple[int, int, int], text: str
) -> None:
    greeted.send(login())
    answer = closing(greeted.send(method(commands.Connection.TuneOk(*tune_ok), 0)))
    assert answer == (530, f"NOT_ALLOWED - {text}", 10, 31)


@pytest.mark.parametrize(
    ("username", "vhost", "text"),
    [
        ("guest", "elsewhere", "NOT_ALLOWED - vhost elsewhere not found"),
        ("nobody", "/", "NOT_ALLOWED - access to vhost '/' refused for user 'nobody'"),
    ],
)
def test_a_vhost_that_cannot_be_entered_is_not_allowed(
    greeted: Wire[AmqpConnection], username: str, vhost: str, text: str
) -> None:
    greeted.send(login(username, username))
    greeted.send(TUNE_OK)
    assert closing(greeted.send(method(commands.Connection.Open(vhost), 0))) == (530, text, 10, 40)


def test_nobody_enters_while_the_broker_stops(world: World, greeted: Wire[AmqpConnection]) -> None:
    greeted.send(login() + TUNE_OK)
    world.broker.stopping = True
    assert closing(greeted.send(OPEN))[0] == 320


def test_the_number_of_channels_has_a_limit(world: World, greeted: Wire[AmqpConnection]) -> None:
    greeted.send(login() + method(commands.Connection.TuneOk(2, 131_072, 0), 0) + OPEN)
    for number in (7, 9):
        assert isinstance(decoded(greeted.send(method(commands.Channel.Open(), number)))[0][1], commands.Channel.OpenOk)
    text = "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)"
    assert closing(greeted.send(method(commands.Channel.Open(), 8))) == (530, text, 0, 0)


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
