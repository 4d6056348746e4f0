"""What is said at the start: what runs, where, how to connect, how to stop."""

from typing import Any, Final

import pytest

from gateway.banner import banner, facts
from gateway.config import Config
from gateway.door import Listening
from gateway.version import VERSION

LOOPBACK: Final = [
    Listening("amqp", "127.0.0.1", 5672, encrypted=False),
    Listening("mqtt", "127.0.0.1", 1883, encrypted=False),
    Listening("stomp", "127.0.0.1", 61613, encrypted=False),
    Listening("auto", "::1", 5670, encrypted=False),
]


def shown(listening: list[Listening], **tables: Any) -> list[str]:
    text = banner(Config.model_validate(tables), listening, "interpreted", coloured=False)
    assert text.endswith("\n\n")
    return text.splitlines()


def test_the_banner_of_the_default_configuration() -> None:
    assert shown(LOOPBACK) == [
        f"dragoman {VERSION} (interpreted)",
        "",
        "  amqp   127.0.0.1:5672   amqp://guest:guest@127.0.0.1:5672/",
        "  mqtt   127.0.0.1:1883   mosquitto_sub -h 127.0.0.1 -p 1883 -t 'demo/#' -v",
        "  stomp  127.0.0.1:61613  stomp -H 127.0.0.1 -P 61613 -U guest -W guest",
        "  auto   [::1]:5670       any of the three, and WebSocket: the first bytes tell which",
        "",
        "  User guest, password guest, from this machine only.",
        "  Everything is in memory and ends with the broker; with `directory` in [store] it is kept.",
        "  Ctrl-C stops it.",
        "",
    ]


def test_without_guest_the_lines_show_where_a_name_goes() -> None:
    text = "\n".join(shown(LOOPBACK, user=[{"name": "ann"}]))
    assert "amqp://USER:PASSWORD@127.0.0.1:5672/" in text
    assert "mosquitto_sub -h 127.0.0.1 -p 1883 -u USER -P PASSWORD -t 'demo/#' -v" in text
    assert "stomp -H 127.0.0.1 -P 61613 -U USER -W PASSWORD" in text
    assert "guest" not in text


def test_an_anonymous_user_needs_no_name_in_mqtt() -> None:
    text = "\n".join(shown(LOOPBACK, anonymous="ann", user=[{"name": "ann"}]))
    assert "mosquitto_sub -h 127.0.0.1 -p 1883 -t 'demo/#' -v" in text


def test_encrypted_listeners_are_shown_with_what_tls_needs() -> None:
    text = "\n".join(
        shown([Listening(protocol, "127.0.0.1", 1, encrypted=True) for protocol in ("amqp", "mqtt", "stomp")])
    )
    assert "amqps://guest:guest@127.0.0.1:1/" in text
    assert "mosquitto_sub -h 127.0.0.1 -p 1 --cafile CA.pem -t" in text
    assert "stomp -H 127.0.0.1 -P 1 --ssl --ssl-ca-file CA.pem -U" in text


def test_a_websocket_is_shown_with_its_paths() -> None:
    listening = [Listening("websocket", "0.0.0.0", 1, encrypted=encrypted) for encrypted in (False, True)]
    text = "\n".join(shown(listening))
    assert "ws://127.0.0.1:1/mqtt or ws://127.0.0.1:1/stomp" in text
    assert "wss://127.0.0.1:1/mqtt or wss://127.0.0.1:1/stomp" in text


def test_every_address_is_reached_by_loopback() -> None:
    lines = shown([Listening("amqp", "0.0.0.0", 1, encrypted=False), Listening("amqp", "::", 1, encrypted=False)])
    assert lines[2] == "  amqp  0.0.0.0:1  amqp://guest:guest@127.0.0.1:1/"
    assert lines[3] == "  amqp  [::]:1     amqp://guest:guest@[::1]:1/"


def test_guest_alone_on_a_public_address_is_remarked() -> None:
    remark = "  No other user is configured, so nobody can log in from another machine."
    public = [Listening("amqp", "0.0.0.0", 1, encrypted=False)]
    assert remark in shown(public)
    assert remark not in shown(LOOPBACK)
    assert remark not in shown(public, user=[{"name": "ann"}])


def test_colours_only_where_they_are_wanted() -> None:
    plain = banner(Config(), LOOPBACK, "interpreted", coloured=False)
    coloured = banner(Config(), LOOPBACK, "interpreted", coloured=True)
    assert "\x1b" not in plain
    assert coloured.replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[2m", "") == plain


def test_the_facts_are_the_same_for_programs() -> None:
    assert facts(Config(), [LOOPBACK[3]], "interpreted") == {
        "version": VERSION,
        "build": "interpreted",
        "listening": [{"protocol": "auto", "address": "[::1]:5670", "encrypted": False}],
        "store": None,
        "stored_users": 0,
    }
    assert facts(Config(), [], "interpreted", 3)["stored_users"] == 3
    kept = Config.model_validate({"store": {"directory": "/var/lib/a"}})
    assert facts(kept, [], "interpreted")["store"] == "/var/lib/a"


def test_a_store_is_shown_with_its_directory() -> None:
    assert "  Durable messages are kept in /var/lib/a." in shown(LOOPBACK, store={"directory": "/var/lib/a"})
    assert not [line for line in shown(LOOPBACK, store={"directory": "/var/lib/a"}) if "memory" in line]


@pytest.mark.parametrize(("count", "said"), [(1, "1 user in the store"), (2_000, "2,000 users in the store")])
def test_where_the_store_has_users_there_is_no_guest(count: int, said: str) -> None:
    text = banner(Config(), LOOPBACK, "interpreted", count, coloured=False)
    assert f"  {said}: `dragoman user list` names them." in text
    assert "guest" not in text
    assert "-u USER -P PASSWORD" in text
