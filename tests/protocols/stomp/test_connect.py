"""CONNECT and STOMP: versions, login, virtual hosts, what may follow in the same chunk."""

import pytest

from core.access import User
from protocols.connection import HANDSHAKE_TIMEOUT_S, Connection
from protocols.stomp.connection import StompConnection
from tests.protocols.stomp.peer import VERSIONS, StompPeer, answers, frame, refused
from tests.protocols.world import ReadOutlet, World

LOGIN = {"accept-version": "1.2", "login": "guest", "passcode": "guest"}


class LateOutlet(ReadOutlet):
    """Answers a login when the test says so."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.asked: list[tuple[Connection, str, bytes | None]] = []

    def login(self, connection: Connection, username: str, password: bytes | None) -> None:
        self.asked.append((connection, username, password))


def connect(headers: dict[str, str], world: World | None = None) -> tuple[StompConnection, list[str]]:
    wire = (world or World()).connect(StompConnection)
    found = answers(wire.send(frame("CONNECT", headers)))
    return wire.connection, [answer.command for answer in found]


@pytest.mark.parametrize("version", VERSIONS)
def test_connected_names_version_session_and_server(version: str) -> None:
    world = World()
    first, second = StompPeer(world, version), StompPeer(world, version)
    assert first.connected["version"] == version
    assert first.connected["server"] == "Dragoman/0.0.0"
    assert first.connected["session"] != second.connected["session"]


def test_no_login_is_the_anonymous_user() -> None:
    assert connect({"accept-version": "1.2"})[1] == ["CONNECTED"]


@pytest.mark.parametrize("headers", [{}, {"login": ""}, {"host": "/"}])
def test_no_version_is_1_0(headers: dict[str, str]) -> None:
    connection, commands = connect(headers)
    assert commands == ["CONNECTED"]
    assert connection.version == 0


@pytest.mark.parametrize(
    "wrong",
    [{"passcode": "other"}, {"passcode": ""}, {"login": "nobody-there"}, {"login": "nobody", "passcode": "nobody"}],
    ids=["password", "no password", "user", "no permission"],
)
def test_a_refused_login_is_an_error_without_the_password(wrong: dict[str, str]) -> None:
    world = World()
    wire = world.connect(StompConnection)
    output = wire.send(frame("CONNECT", LOGIN | wrong))
    refused(answers(output), "Bad CONNECT")
    assert wire.closed
    assert b"other" not in output
    assert "other" not in str(wire.outlet.notes)


def test_escapes_are_not_read_in_connect() -> None:
    """STOMP 1.2 "Value Encoding": CONNECT is not escaped, for the sake of 1.0."""
    world = World()
    world.broker.users["back\\slash"] = world.broker.users["guest"]
    world.passwords["back\\slash"] = b"a:b\\c"
    peer = {"accept-version": "1.2", "login": "back\\slash", "passcode": "a:b\\c"}
    assert connect(peer, world)[1] == ["CONNECTED"]


def test_padding_belongs_to_the_password_except_in_1_0() -> None:
    world = World()
    world.passwords["guest"] = b" guest "
    padded = {"login": "guest", "passcode": " guest "}
    assert connect(padded | {"accept-version": "1.1"}, world)[1] == ["CONNECTED"]
    assert connect(padded, world)[1] == ["ERROR"]
    world.passwords["guest"] = b"guest"
    assert connect(padded, world)[1] == ["CONNECTED"]


def test_frames_behind_connect_wait_for_the_login() -> None:
    world = World()
    outlet = LateOutlet(world)
    wire = world.connect(StompConnection)
    wire.connection.outlet = outlet
    more = frame("SUBSCRIBE", {"id": "0", "destination": "/topic/t", "receipt": "r"}) + frame(
        "SEND", {"destination": "/topic/t"}, b"x"
    )
    assert wire.send(frame("CONNECT", LOGIN) + more) == b""
    ((connection, username, password),) = outlet.asked
    assert (connection, username, password) == (wire.connection, "guest", b"guest")
    wire.connection.logged_in(world.broker.users["guest"], "")
    assert [answer.command for answer in answers(wire.take())] == ["CONNECTED", "RECEIPT", "MESSAGE"]


def test_a_login_that_is_answered_after_the_end_changes_nothing() -> None:
    world = World()
    wire = world.connect(StompConnection)
    wire.connection.outlet = LateOutlet(world)
    wire.send(frame("CONNECT", LOGIN))
    wire.hang_up()
    wire.connection.logged_in(world.broker.users["guest"], "")
    assert wire.take() == b""


def test_an_answer_that_nobody_asked_for_changes_nothing() -> None:
    wire = World().connect(StompConnection)
    wire.connection.logged_in(User("guest"), "")
    assert wire.take() == b""
    assert not wire.closed


def test_silence_before_the_login_is_limited() -> None:
    world = World()
    wire = world.connect(StompConnection)
    world.advance(HANDSHAKE_TIMEOUT_S - 1)
    assert wire.send(b"CONNECT\n") == b""  # counted from the accept, not from the last octet
    world.advance(2)
    assert wire.closed
    refused(answers(wire.take()), "Bad CONNECT", "no login within 10 s")


def test_silence_after_the_login_is_not() -> None:
    world = World()
    peer = StompPeer(world)
    world.advance(100_000)
    assert not peer.closed
    assert peer.send("/queue/q", receipt="r")[0].command == "RECEIPT"


def test_the_virtual_host_is_chosen_by_the_host_header() -> None:
    world = World()
    world.broker.add_vhost("other")
    guest = world.broker.users["guest"]
    guest.permissions["other"] = guest.permissions["/"]
    assert connect(LOGIN | {"host": "other"}, world)[1] == ["CONNECTED"]
    connection, commands = connect(LOGIN | {"host": "third"}, world)
    assert commands == ["ERROR"]
    assert connection.closed


def test_nothing_is_heard_after_an_error() -> None:
    wire = World().connect(StompConnection)
    (error,) = answers(wire.send(frame("SEND", {"destination": "/queue/q"}) + frame("CONNECT", LOGIN)))
    assert error.command == "ERROR"
    wire.connection.receive(frame("CONNECT", LOGIN))
    assert wire.take() == b""


@pytest.mark.parametrize(
    "start",
    [
        b"HELO\n\n\0",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\0",
        b"\xff\xfe\n\n\0",
        b"AMQP\0\0\x09\x01",
        b"connect\n\n\0",
        b" CONNECT\n\n\0",
        b"CONNECT \n\n\0",
        b"\rCONNECT\n\n\0",
        b"\0",
    ],
)
def test_a_first_frame_other_than_connect_is_an_error(start: bytes) -> None:
    wire = World().connect(StompConnection)
    (error,) = answers(wire.send(start))
    assert error.command == "ERROR"
    assert wire.closed


def test_the_broker_says_good_bye() -> None:
    peer = StompPeer(World())
    peer.wire.connection.shut_down()
    refused(peer.heard(), "Connection closed", "stopping")
    assert peer.closed


@pytest.mark.parametrize("rest", ["hunter2", "hunter2\\", "hunter2\xff"])
def test_a_part_of_a_password_is_neither_told_nor_noted(rest: str) -> None:
    """A password with a line break in it: there is no escape for one in CONNECT."""
    wire = World().connect(StompConnection)
    said = f"CONNECT\naccept-version:1.2\nlogin:guest\npasscode:first\n{rest}\n\n\0".encode("latin-1")
    (error,) = answers(wire.send(said))
    assert (error.command, error["message"]) == ("ERROR", "Invalid header")
    assert b"hunter2" not in error.body
    assert "hunter2" not in repr(wire.outlet.notes)
