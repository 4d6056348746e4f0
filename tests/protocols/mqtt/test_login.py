"""The way from CONNECT to CONNACK when the login takes its time."""

from core.access import User
from protocols.connection import Connection, Peer
from protocols.mqtt.connection import UNTOLD, MqttConnection
from tests.protocols.mqtt.peer import PINGREQ, Answer, Client, Publish, connect, publish, read, subscribe
from tests.protocols.mqtt.peer5 import connect5
from tests.protocols.mqtt.peer5 import read as read5
from tests.protocols.world import ReadOutlet, Wire, World


class SlowOutlet(ReadOutlet):
    """Answers no login by itself."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.asked: list[tuple[str, bytes | None]] = []

    def login(self, connection: Connection, username: str, password: bytes | None) -> None:
        self.asked.append((username, password))


def slow_wire(world: World) -> tuple[Wire[MqttConnection], SlowOutlet]:
    outlet = SlowOutlet(world)
    connection = MqttConnection(world.broker, outlet, Peer("127.0.0.1:1", loopback=True, encrypted=False))
    wire = Wire(world, connection, outlet)
    world.broker.timers.watch(connection)
    world.wires.append(wire)  # type: ignore[arg-type]
    return wire, outlet


def guest(world: World) -> User:
    return world.broker.users["guest"]


def test_packets_behind_the_connect_wait_for_the_login(world: World) -> None:
    wire, outlet = slow_wire(world)
    assert wire.send(connect() + subscribe(("a", 0)) + publish("a", b"x") + b"\xc0") == b""
    assert outlet.asked == [("", b"")]
    wire.connection.logged_in(guest(world), "")
    assert read(wire.take()) == [Answer("CONNACK", codes=b"\0\0"), Answer("SUBACK", 1, b"\0"), Publish("a", b"x")]
    assert read(wire.send(b"\x00")) == [Answer("PINGRESP")]


def test_bytes_that_come_during_the_login_wait_too(world: World) -> None:
    wire, _ = slow_wire(world)
    wire.send(connect() + b"\xc0")
    wire.send(b"\x00")
    wire.send(PINGREQ)
    wire.connection.logged_in(guest(world), "")
    assert read(wire.take()) == [Answer("CONNACK", codes=b"\0\0"), Answer("PINGRESP"), Answer("PINGRESP")]


def test_a_mistake_behind_the_connect_is_found_after_the_login(world: World) -> None:
    wire, _ = slow_wire(world)
    wire.send(connect() + connect())
    assert not wire.closed
    wire.connection.logged_in(guest(world), "")
    assert read(wire.take()) == [Answer("CONNACK", codes=b"\0\0")]
    assert wire.closed


def test_a_client_that_hangs_up_during_the_login_gets_no_session(world: World) -> None:
    wire, _ = slow_wire(world)
    wire.send(connect(clean=False))
    wire.hang_up()
    wire.connection.logged_in(guest(world), "")
    assert wire.take() == b""
    assert world.broker.vhosts["/"].sessions == {}


def test_name_and_password_go_to_the_login_and_nowhere_else(world: World) -> None:
    wire, outlet = slow_wire(world)
    wire.send(connect(username="who", password=b"top secret"))
    assert outlet.asked == [("who", b"top secret")]
    wire.connection.logged_in(None, "user 'who': wrong name or password")
    assert read(wire.take()) == [Answer("CONNACK", codes=b"\x00\x04")]
    assert outlet.notes == [("connection refused", "user 'who': wrong name or password")]


def test_the_reason_is_for_the_log_and_not_for_who_asks(world: World) -> None:
    """It could tell that there is such a user."""
    wire, outlet = slow_wire(world)
    wire.send(connect5(username="who", password=b"guess"))
    wire.connection.logged_in(None, "user 'who' may connect from loopback only")
    [answer] = read5(wire.take())
    assert (answer.name, answer.codes, answer.said) == ("CONNACK", b"\x86", {"reason_string": UNTOLD})
    assert outlet.notes == [("connection refused", "user 'who' may connect from loopback only")]


def test_an_anonymous_client_that_is_not_welcome_is_not_authorised(world: World) -> None:
    wire, _ = slow_wire(world)
    wire.send(connect())
    wire.connection.logged_in(None, "anonymous clients are not allowed")
    assert read(wire.take()) == [Answer("CONNACK", codes=b"\x00\x05")]
    assert wire.closed


def test_a_stopping_broker_is_unavailable(world: World) -> None:
    world.broker.stopping = True
    client = Client(world)
    assert client.connack == b"\x00\x03"
    assert client.closed


def test_the_label_names_the_client(world: World) -> None:
    assert Client(world, "sensor-1").wire.connection.label == "127.0.0.1:50000 (sensor-1)"
    assert Client(world, "x" * 200).wire.connection.label == f"127.0.0.1:50001 ({'x' * 64})"


def test_a_client_without_an_id_gets_one_of_its_own(world: World) -> None:
    """[MQTT-3.1.3-6]"""
    one, other = Client(world, ""), Client(world, "")
    assert (one.connack, other.connack) == (b"\0\0", b"\0\0")
    assert not one.closed
    assert set(world.broker.vhosts["/"].sessions) == {"auto-unique-1", "auto-unique-2"}
