"""From the protocol header to connection.open-ok: what is offered, what may be agreed, and what comes too early."""

from typing import Any, Final

import pytest
from pamqp import commands
from pamqp.heartbeat import Heartbeat

from protocols.amqp.connection import AmqpConnection
from protocols.amqp.handshake import Offer
from tests.protocols.amqp.peer import HEARTBEAT_FRAME, PROTOCOL_HEADER, AmqpPeer, closing, decoded, login, method
from tests.protocols.world import Wire, World

TUNE_OK: Final = method(commands.Connection.TuneOk(2047, 131_072, 0), 0)
OPEN: Final = method(commands.Connection.Open("/"), 0)
STEPS: Final = {
    "greeted": PROTOCOL_HEADER,
    "logged in": PROTOCOL_HEADER + login(),
    "tuned": PROTOCOL_HEADER + login() + TUNE_OK,
    "open": PROTOCOL_HEADER + login() + TUNE_OK + OPEN,
}
RABBITMQS_CAPABILITIES: Final = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)


# The protocol header


def test_the_header_is_answered_with_start(wire: Wire[AmqpConnection]) -> None:
    ((channel, start),) = decoded(wire.send(PROTOCOL_HEADER))
    assert isinstance(start, commands.Connection.Start)
    assert (channel, start.version_major, start.version_minor) == (0, 0, 9)
    assert (start.mechanisms, start.locales) == ("PLAIN AMQPLAIN", "en_US")
    said: dict[str, Any] = dict(start.server_properties)
    assert (said["product"], said["version"], said["platform"]) == ("RabbitMQ", "3.10.0", "Dragoman 0.0.0")
    assert said["capabilities"] == dict.fromkeys(RABBITMQS_CAPABILITIES, True)
    for name in ("cluster_name", "platform", "information"):
        assert said[name]


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


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"AMQP\x00\x01\x00\x00", "AMQP 1.0"),
        (b"AMQP\x02\x01\x00\x00", "AMQP 1.0 with TLS"),
        (b"AMQP\x03\x01\x00\x00", "AMQP 1.0 with SASL"),
        (b"AMQP\x01\x01\x00\x0a", "AMQP 0-10"),
        (b"AMQP\x01\x01\x08\x00", "AMQP 0-8"),
        (b"AMQP\x01\x01\x09\x01", "AMQP 0-8"),
        (b"AMQP\x00\x00\x09\x02", r"b'AMQP\x00\x00\t\x02'"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS, for which this port has no certificate"),
        (b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n", "HTTP, which this port does not speak"),
        (bytes.fromhex("100d00044d5154540402003c000161"), "MQTT, which this port does not speak"),
        (b"CONNECT\naccept-version:1.2\n\n\0", "STOMP, which this port does not speak"),
        (b"hello, broker", "b'hello, b'"),
    ],
)
def test_the_log_says_what_came_instead_of_the_header(wire: Wire[AmqpConnection], start: bytes, words: str) -> None:
    assert wire.send(start) == PROTOCOL_HEADER
    assert wire.outlet.notes == [("connection refused", f"no protocol header of AMQP 0-9-1 but {words}")]


def test_tls_inside_tls_is_named_as_that(world: World) -> None:
    wire = world.connect(AmqpConnection)
    wire.connection.peer.encrypted = True
    wire.send(b"\x16\x03\x01\x02\x00\x01")
    assert wire.outlet.notes[0][1].endswith("but TLS inside TLS")


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


def test_the_offer_is_what_is_configured(world: World) -> None:
    wire = world.connect(AmqpConnection, Offer(channel_max=7, frame_max=8_192, heartbeat_s=0))
    ((_, tune),) = decoded(wire.send(PROTOCOL_HEADER + login()))[1:]
    assert (tune.channel_max, tune.frame_max, tune.heartbeat) == (7, 8_192, 0)
    text = "NOT_ALLOWED - negotiated frame_max = 8193 is higher than the maximum allowed value (8192)"
    assert closing(wire.send(method(commands.Connection.TuneOk(7, 8_193, 0), 0))) == (530, text, 10, 31)


def test_a_frame_beyond_what_was_negotiated_is_an_error(world: World) -> None:
    peer = AmqpPeer(world, frame_max=4_096)
    text = "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4097,4088}"
    assert closing(peer.wire.send(b"\x03\x00\x01" + (4_097).to_bytes(4, "big"))) == (501, text, 0, 0)


@pytest.mark.parametrize(("offered_s", "wanted_s"), [(60, 10), (10, 60), (0, 10), (60, 0), (0, 0)])
def test_the_client_decides_about_heartbeats(world: World, offered_s: int, wanted_s: int) -> None:
    """RabbitMQ takes what tune-ok says, also where it is more than was offered."""
    wire = world.connect(AmqpConnection, Offer(heartbeat_s=offered_s))
    wire.send(PROTOCOL_HEADER + login() + method(commands.Connection.TuneOk(2047, 131_072, wanted_s), 0) + OPEN)
    world.advance(2 * wanted_s - 1 if wanted_s else 100_000)
    assert not wire.closed
    beats = [item for _, item in decoded(wire.take()) if isinstance(item, Heartbeat)]
    assert bool(beats) == bool(wanted_s)
    world.advance(wanted_s)
    assert wire.closed == bool(wanted_s)


@pytest.mark.parametrize(
    ("said", "sent", "state", "method_id"),
    [
        ("greeted", TUNE_OK, "starting", 31),
        ("greeted", OPEN, "starting", 40),
        ("logged in", login(), "tuning", 11),
        ("logged in", OPEN, "tuning", 40),
        ("tuned", login(), "opening", 11),
        ("tuned", TUNE_OK, "opening", 31),
        ("open", login(), "running", 11),
        ("open", TUNE_OK, "running", 31),
        ("open", OPEN, "running", 40),
    ],
)
def test_a_method_out_of_its_turn_is_a_channel_error(
    wire: Wire[AmqpConnection], said: str, sent: bytes, state: str, method_id: int
) -> None:
    wire.send(STEPS[said])
    text = f"CHANNEL_ERROR - unexpected method in connection state {state}"
    assert closing(wire.send(sent)) == (504, text, 10, method_id)


@pytest.mark.parametrize("said", ["greeted", "logged in", "tuned"])
def test_a_channel_does_not_open_before_the_connection(wire: Wire[AmqpConnection], said: str) -> None:
    wire.send(STEPS[said])
    text = "UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,1,48>>"
    assert closing(wire.send(method(commands.Channel.Open()))) == (505, text, 0, 0)


@pytest.mark.parametrize("said", ["greeted", "logged in", "tuned", "open"])
def test_a_method_that_is_none_is_not_implemented(wire: Wire[AmqpConnection], said: str) -> None:
    wire.send(STEPS[said])
    unknown = b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x63\xce"
    assert closing(wire.send(unknown))[0::2] == (503, 10)


# What is sent where connection.open is expected, and code, text, class and method of the answer.
BROKEN_FRAMES: Final[dict[str, tuple[bytes, tuple[int, str, int, int]]]] = {
    "another end octet": (
        OPEN[:-1] + b"\xcf",
        (501, "FRAME_ERROR - type 1, all octets = <<0,10,0,40,1,47,0,0>>: {invalid_frame_end_marker,207}", 0, 0),
    ),
    "an unknown type": (
        b"\x04\0\0\0\0\0\1x\xce",
        (501, "FRAME_ERROR - type 4, all octets = <<120>>: unknown_frame", 0, 0),
    ),
    "no method id": (
        b"\1\0\0\0\0\0\2\0\x0a\xce",
        (501, "FRAME_ERROR - type 1, all octets = <<0,10>>: unknown_frame", 0, 0),
    ),
    "a name that is not UTF-8": (
        b"\1\0\0\0\0\0\x08\0\x0a\0\x28\1\xff\0\0\xce",
        (501, "FRAME_ERROR - Malformed UTF-8 in shortstr", 10, 40),
    ),
    "a name that is cut": (
        b"\1\0\0\0\0\0\6\0\x0a\0\x28\5/\xce",
        (501, "FRAME_ERROR - method ends before its arguments do", 10, 40),
    ),
    "more than its arguments": (
        b"\1\0\0\0\0\0\x09\0\x0a\0\x28\1/\0\0\0\xce",
        (501, "FRAME_ERROR - method goes on behind its arguments", 10, 40),
    ),
    "a content header": (b"\2\0\0\0\0\0\0\xce", (505, "UNEXPECTED_FRAME - type 2, all octets = <<>>", 0, 0)),
    "a body": (b"\3\0\0\0\0\0\0\xce", (505, "UNEXPECTED_FRAME - type 3, all octets = <<>>", 0, 0)),
    "a heartbeat on a channel": (b"\x08\0\1\0\0\0\0\xce", (505, "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0, 0)),
}


@pytest.mark.parametrize("frame", BROKEN_FRAMES.values(), ids=[name.replace(" ", "-") for name in BROKEN_FRAMES])
def test_a_broken_frame_has_its_code(
    wire: Wire[AmqpConnection], frame: tuple[bytes, tuple[int, str, int, int]]
) -> None:
    sent, answer = frame
    wire.send(STEPS["tuned"])
    assert closing(wire.send(sent)) == answer


def test_heartbeats_may_come_before_the_connection_is_open(wire: Wire[AmqpConnection]) -> None:
    wire.send(STEPS["tuned"])
    assert wire.send(HEARTBEAT_FRAME) == b""
    ((_, answer),) = decoded(wire.send(OPEN))
    assert isinstance(answer, commands.Connection.OpenOk)


@pytest.mark.parametrize("said", ["greeted", "logged in", "tuned", "open"])
def test_a_client_may_take_its_leave_at_any_point(wire: Wire[AmqpConnection], said: str) -> None:
    wire.send(STEPS[said])
    ((_, answer),) = decoded(wire.send(method(commands.Connection.Close(200, "bye", 0, 0), 0)))
    assert isinstance(answer, commands.Connection.CloseOk)
    assert wire.ended


def test_the_number_of_channels_has_a_limit(world: World, greeted: Wire[AmqpConnection]) -> None:
    greeted.send(login() + method(commands.Connection.TuneOk(2, 131_072, 0), 0) + OPEN)
    for number in (7, 9):
        assert isinstance(decoded(greeted.send(method(commands.Channel.Open(), number)))[0][1], commands.Channel.OpenOk)
    text = "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)"
    assert closing(greeted.send(method(commands.Channel.Open(), 8))) == (530, text, 0, 0)
