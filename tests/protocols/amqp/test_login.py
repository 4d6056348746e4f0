"""Who a client says it is: the mechanisms, refusals, and what it tells about itself beside."""

from typing import Any, Final

import pytest
from pamqp import commands

from protocols.amqp.connection import AmqpConnection
from protocols.amqp.handshake import Offer
from protocols.connection import Connection
from tests.protocols.amqp.peer import PROTOCOL_HEADER, TRAITS, closing, decoded, login, method
from tests.protocols.world import ReadOutlet, Wire, World

TUNE_OK: Final = method(commands.Connection.TuneOk(2047, 131_072, 0), 0)
OPEN: Final = method(commands.Connection.Open("/"), 0)
CLOSE_OK: Final = method(commands.Connection.CloseOk(), 0)


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
        ("KERBEROS", "", 503),
        ("plain", "\0guest\0guest", 503),
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

    def login(self, connection: Connection, username: str, password: bytes | None) -> None:
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
    assert greeted.connection.facts() == {
        "peer": greeted.connection.peer.address,
        "protocol": "amqp",
        "name": "orders",
    }


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", 7, None, ""])
def test_a_name_that_could_not_be_shown_is_none(greeted: Wire[AmqpConnection], name: Any) -> None:
    greeted.send(login(connection_name=name))
    assert "name" not in greeted.connection.facts()


def test_a_long_name_is_cut(greeted: Wire[AmqpConnection]) -> None:
    greeted.send(login(connection_name="x" * 1_000))
    assert greeted.connection.name == "x" * 255


def test_what_a_client_says_about_itself_is_kept(greeted: Wire[AmqpConnection]) -> None:
    said: dict[str, Any] = {"product": "a client", "version": "1.0", "nested": {"list": [1, "two", None]}}
    greeted.send(login(**said))
    kept = greeted.connection.client_properties()
    assert {name: kept[name] for name in said} == said


def test_what_a_client_says_about_itself_has_a_limit(greeted: Wire[AmqpConnection]) -> None:
    code, text, *_ = closing(greeted.send(login(product="x" * 8_192)))
    assert (code, text[:11]) == (501, "FRAME_ERROR")
    assert greeted.connection.client_properties() == {}


def test_a_client_may_not_say_too_many_things_about_itself(greeted: Wire[AmqpConnection]) -> None:
    assert closing(greeted.send(login(many=[None] * 1_001)))[0] == 502


# EXTERNAL and ANONYMOUS


def mechanisms(data: bytes) -> str:
    ((_, start),) = decoded(data)
    return str(start.mechanisms)


def start_ok(mechanism: str, response: str = "") -> bytes:
    return method(commands.Connection.StartOk(TRAITS, mechanism, response, "en_US"), 0)


def test_external_is_offered_where_a_certificate_names_a_user_and_logs_in(world: World) -> None:
    wire = world.connect(AmqpConnection, certificate_user="guest")
    assert mechanisms(wire.send(PROTOCOL_HEADER)) == "PLAIN AMQPLAIN EXTERNAL"
    ((_, tune),) = decoded(wire.send(start_ok("EXTERNAL")))
    assert isinstance(tune, commands.Connection.Tune)


def test_external_is_who_the_certificate_names_and_not_who_the_response_does(world: World) -> None:
    outlet = SlowOutlet(world)
    wire = world.connect(AmqpConnection, certificate_user="nobody")
    wire.send(PROTOCOL_HEADER)
    wire.connection.outlet = outlet
    wire.connection.receive(start_ok("EXTERNAL", "guest"))
    assert outlet.asked == ("nobody", None)


def test_a_certificate_of_nobody_known_is_refused(world: World) -> None:
    wire = world.connect(AmqpConnection, certificate_user="a stranger")
    wire.send(PROTOCOL_HEADER)
    text = (
        "ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL. "
        "For details see the broker logfile."
    )
    assert closing(wire.send(start_ok("EXTERNAL"))) == (403, text, 0, 0)


def test_a_client_with_a_certificate_may_still_give_a_password(world: World) -> None:
    wire = world.connect(AmqpConnection, certificate_user="nobody")
    wire.send(PROTOCOL_HEADER)
    assert isinstance(decoded(wire.send(login()))[0][1], commands.Connection.Tune)


def test_anonymous_is_offered_where_it_is_configured_and_asks_for_no_name(world: World) -> None:
    wire = world.connect(AmqpConnection, Offer(anonymous=True))
    assert mechanisms(wire.send(PROTOCOL_HEADER)) == "PLAIN AMQPLAIN ANONYMOUS"
    outlet = SlowOutlet(world)
    wire.connection.outlet = outlet
    wire.connection.receive(start_ok("ANONYMOUS", "a trace"))
    assert outlet.asked == ("", b"")


@pytest.mark.parametrize("mechanism", ["EXTERNAL", "ANONYMOUS"])
def test_a_mechanism_that_was_not_offered_is_refused(greeted: Wire[AmqpConnection], mechanism: str) -> None:
    text = f"COMMAND_INVALID - invalid authentication mechanism '{mechanism}'"
    assert closing(greeted.send(start_ok(mechanism, "guest"))) == (503, text, 10, 11)


def test_an_unknown_mechanism_is_refused_by_its_name(greeted: Wire[AmqpConnection]) -> None:
    text = "COMMAND_INVALID - unknown authentication mechanism 'KERBEROS'"
    assert closing(greeted.send(start_ok("KERBEROS"))) == (503, text, 10, 11)


def test_an_empty_name_in_plain_is_not_the_anonymous_user(world: World) -> None:
    wire = world.connect(AmqpConnection, Offer(anonymous=True))
    wire.send(PROTOCOL_HEADER)
    assert closing(wire.send(login("", "")))[0] == 403
