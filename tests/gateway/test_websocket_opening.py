"""The request that opens a WebSocket: what is spoken in it, what is refused and how, and the limits before it."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st

from core.broker import Broker
from gateway.config import Config
from gateway.machines import machines
from gateway.origins import Origins
from gateway.websocket_opening import HEAD_LIMIT_BYTES, WEBSOCKET
from protocols.connection import HANDSHAKE_TIMEOUT_S, Connection, Outlet, Peer
from protocols.mqtt.connection import MqttConnection
from protocols.stomp.connection import StompConnection
from tests.gateway.frames import BINARY, CLOSE, TEXT, frame, parsed
from tests.gateway.rig import Client, Rig, rig

MQTT_CONNECT: Final = bytes.fromhex("100d00044d5154540402003c000161")
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="  # and what is answered to it: RFC 6455 §1.3
ACCEPT: Final = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE: Final = {
    "Host": "localhost:15675",
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def request(path: str = "/mqtt", method: str = "GET", version: str = "1.1", **headers: str | None) -> bytes:
    """Return a request for a WebSocket with other headers: `origin="…"`, or without one: `upgrade=None`."""
    said = dict(UPGRADE)
    for name, value in headers.items():
        key = next((key for key in said if key.lower() == name.replace("_", "-")), name.replace("_", "-"))
        said.pop(key, None)
        if value is not None:
            said[key] = value
    lines = [f"{method} {path} HTTP/{version}", *[f"{name}: {value}" for name, value in said.items()]]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def opening(*allowed: str) -> Callable[[Broker, Outlet, Peer], Connection]:
    return machines(Config(), Origins(list(allowed)))[WEBSOCKET]


@pytest.fixture
def r() -> Iterator[Rig]:
    with rig() as made:
        yield made


@pytest.fixture
def client(r: Rig) -> Client:
    return r.connect(machine=opening())


def head(client: Client) -> tuple[str, dict[str, str]]:
    """Read the head of a response: its first line and its headers."""
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        found += client.read(1)
    first, *lines = found.decode().split("\r\n")[:-2]
    return first, dict(line.lower().split(": ", 1) for line in lines)


# What opens one


@pytest.mark.parametrize(
    ("path", "offered", "chosen", "machine"),
    [
        ("/mqtt", "mqtt", "mqtt", MqttConnection),
        ("/mqtt", "mqttv3.1", "mqttv3.1", MqttConnection),
        ("/mqtt", "mqttv3.1, mqtt", "mqtt", MqttConnection),
        ("/mqtt", "soap, mqtt", "mqtt", MqttConnection),
        ("/mqtt/", "mqtt", "mqtt", MqttConnection),
        ("/mqtt?token=1", "mqtt", "mqtt", MqttConnection),
        ("/mqtt", None, None, MqttConnection),
        ("/mqtt", "", None, MqttConnection),
        ("/ws", "mqtt", "mqtt", MqttConnection),
        ("/ws", "v11.stomp", "v11.stomp", StompConnection),
        ("/ws", "v10.stomp, v12.stomp, v11.stomp", "v12.stomp", StompConnection),
        ("/stomp", "v10.stomp,v11.stomp", "v11.stomp", StompConnection),
        ("/stomp", "v10.stomp", "v10.stomp", StompConnection),
        ("/stomp", "soap", None, StompConnection),
        ("/stomp", None, None, StompConnection),
    ],
)
def test_path_and_subprotocol_tell_what_is_spoken(
    client: Client, path: str, offered: str | None, chosen: str | None, machine: type[Connection]
) -> None:
    """[MQTT-6.0.0-4]"""
    client.send(request(path, sec_websocket_protocol=offered))
    first, headers = head(client)
    assert first.startswith("HTTP/1.1 101 ")
    assert headers["sec-websocket-accept"] == ACCEPT.lower()
    assert headers.get("sec-websocket-protocol") == chosen
    assert "sec-websocket-extensions" not in headers
    assert isinstance(client.link.connection, machine)


def test_subprotocols_may_be_offered_in_several_headers(client: Client) -> None:
    more = b"Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    client.send(request()[:-2] + more)
    assert head(client)[1]["sec-websocket-protocol"] == "mqtt"


def test_compression_is_not_agreed_on(client: Client) -> None:
    client.send(request(sec_websocket_protocol="mqtt", sec_websocket_extensions="permessage-deflate"))
    assert "sec-websocket-extensions" not in head(client)[1]


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_the_request_may_come_in_pieces_and_what_is_behind_it_is_kept(r: Rig, client: Client, size: int) -> None:
    data = request(sec_websocket_protocol="mqtt") + frame(BINARY, MQTT_CONNECT)
    for at in range(0, len(data), size):
        client.send(data[at : at + size])
    assert head(client)[0].startswith("HTTP/1.1 101 ")
    assert [username for _, username, _ in r.gatekeeper.waiting] == [""]
    assert client.nothing_comes()
    r.gatekeeper.waiting[0][0].answer(None, "nobody comes in")
    refusal, good_bye = parsed(client.read_to_the_end())
    assert (refusal.opcode, refusal.payload[:1]) == (BINARY, b"\x20")
    assert good_bye.code == 1000


def test_the_time_until_the_login_is_counted_from_the_accept(r: Rig, client: Client) -> None:
    r.advance(HANDSHAKE_TIMEOUT_S - 1)
    client.send(request(sec_websocket_protocol="mqtt"))
    assert head(client)[0].startswith("HTTP/1.1 101 ")
    with structlog.testing.capture_logs():
        r.advance(1.5)
        assert [part.opcode for part in parsed(client.read_to_the_end())] == [CLOSE]


def test_a_frame_of_text_where_mqtt_is_spoken_closes(client: Client) -> None:
    """[MQTT-6.0.0-1]"""
    client.send(request(sec_websocket_protocol="mqtt"))
    head(client)
    with structlog.testing.capture_logs() as logs:
        client.send(frame(TEXT, MQTT_CONNECT))
        assert [part.code for part in parsed(client.read_to_the_end())] == [1003]
    assert [entry["event"] for entry in logs] == ["connection closed"]


# What does not


REFUSED: Final = {
    "no path": (request("/"), 404, "/mqtt, /stomp, /ws"),
    "another path": (request("/mqtt/a"), 404, "/mqtt, /stomp, /ws"),
    "another path and method": (request("/api/queues", "DELETE"), 404, "/mqtt, /stomp, /ws"),
    "another method": (request(method="POST", upgrade=None), 405, "GET"),
    "a page": (request(upgrade=None, connection="close"), 426, "WebSocket"),
    "another upgrade": (request(upgrade="h2c"), 426, "WebSocket"),
    "an old version": (request(sec_websocket_version="8"), 426, "version 13"),
    "no version": (request(sec_websocket_version=None), 426, "version 13"),
    "HTTP/1.0": (request(version="1.0"), 400, "HTTP/1.1"),
    "no key": (request(sec_websocket_key=None), 400, "Sec-WebSocket-Key"),
    "a short key": (request(sec_websocket_key="YQ=="), 400, "Sec-WebSocket-Key"),
    "a key that is no base64": (request(sec_websocket_key="ä" * 24), 400, "Sec-WebSocket-Key"),
    "an upgrade that does not concern the connection": (
        request(connection="close", sec_websocket_protocol="mqtt"),
        400,
        "Connection: Upgrade",
    ),
    "a body": (request(content_length="3") + b"abc", 400, "no body"),
    "no host": (request(host=None), 400, "HTTP"),
    "a host that is no name": (request(host="xn--\xff", sec_websocket_protocol="mqtt"), 400, "header"),
    "MQTT with another subprotocol": (request(sec_websocket_protocol="soap"), 400, "mqtt, mqttv3.1"),
    "MQTT with STOMP's subprotocol": (request(sec_websocket_protocol="v12.stomp"), 400, "mqtt, mqttv3.1"),
    "nothing that tells": (request("/ws"), 400, "v12.stomp"),
    "a page from elsewhere": (request(origin="https://evil.example", sec_websocket_protocol="mqtt"), 403, "origin"),
    "garbage in the head": (b"GET /mqtt\r\n\r\n", 400, "HTTP"),
    "a header without an end": (b"GET /mqtt HTTP/1.1\r\nHost : a\r\n\r\n", 400, "HTTP"),
}


@pytest.mark.parametrize(("data", "status", "word"), REFUSED.values(), ids=REFUSED)
def test_what_opens_no_websocket_is_told_why_and_closed(client: Client, data: bytes, status: int, word: str) -> None:
    """A client of MQTT offers its subprotocol [MQTT-6.0.0-3]."""
    with structlog.testing.capture_logs() as logs:
        client.send(data)
        first, headers = head(client)
        body = client.read_to_the_end().decode()
    assert first.startswith(f"HTTP/1.1 {status} ")
    assert "close" in headers["connection"]
    assert int(headers["content-length"]) == len(body.encode())
    assert word in body
    assert [entry["event"] for entry in logs] == ["connection refused"]
    assert client.rig.broker.counters.internal_errors == 0
    if status == 426:
        assert headers["upgrade"] == "websocket"
        assert "upgrade" in headers["connection"]
    if status == 405:
        assert headers["allow"] == "get"


def test_a_version_that_is_not_spoken_is_told_which_is(client: Client) -> None:
    """RFC 6455 §4.4"""
    with structlog.testing.capture_logs():
        client.send(request(sec_websocket_version="8"))
    assert head(client)[1]["sec-websocket-version"] == "13"


def test_the_answer_to_head_has_no_body(client: Client) -> None:
    with structlog.testing.capture_logs():
        client.send(request(method="HEAD"))
        assert head(client)[0].startswith("HTTP/1.1 405 ")
        assert client.read_to_the_end() == b""


@pytest.mark.parametrize("origin", ["https://dashboard.example", "https://dashboard.example:443"])
def test_a_page_that_the_configuration_names_may_connect(r: Rig, origin: str) -> None:
    client = r.connect(machine=opening("https://dashboard.example"))
    client.send(request("/stomp", origin=origin))
    assert head(client)[0].startswith("HTTP/1.1 101 ")


def _padded(size: int) -> bytes:
    data = request(sec_websocket_protocol="mqtt", cookie="")
    return request(sec_websocket_protocol="mqtt", cookie="a" * (size - len(data)))


@pytest.mark.parametrize("piece", [1000, 1 << 16])
@pytest.mark.parametrize(("size", "status"), [(HEAD_LIMIT_BYTES, 101), (HEAD_LIMIT_BYTES + 1, 431)])
def test_the_head_of_a_request_has_a_limit(client: Client, size: int, status: int, piece: int) -> None:
    data = _padded(size) + frame(BINARY, bytes(3000))
    with structlog.testing.capture_logs():
        for at in range(0, len(data), piece):
            client.send(data[at : at + piece])
        assert head(client)[0].startswith(f"HTTP/1.1 {status} ")


def test_a_head_without_an_end_is_cut_at_the_limit(client: Client) -> None:
    with structlog.testing.capture_logs():
        client.send(b"GET /mqtt HTTP/1.1\r\nCookie: " + b"a" * 2 * HEAD_LIMIT_BYTES)
        assert head(client)[0].startswith("HTTP/1.1 431 ")


def test_who_asks_for_nothing_is_closed_in_time(r: Rig, client: Client) -> None:
    client.send(b"GET /mqtt HTTP/1.1\r\n")
    with structlog.testing.capture_logs() as logs:
        r.advance(HANDSHAKE_TIMEOUT_S + 0.5)
        assert head(client)[0].startswith("HTTP/1.1 408 ")
    assert [entry["detail"] for entry in logs] == ["no request came in time"]


def test_an_end_without_a_request_is_no_news(client: Client) -> None:
    with structlog.testing.capture_logs() as logs:
        client.send(b"GET /mq")
        client.sock.close()
        client.rig.settle()
    assert logs == []
    assert client.rig.reactor.connections == 0


@given(data=st.binary(max_size=200), keep=st.integers(0, 200), cut=st.integers(0, 400))
def test_any_bytes_are_answered_or_waited_for(data: bytes, keep: int, cut: int) -> None:
    wire = request()[:keep] + data + b"\r\n\r\n"
    with rig() as made, structlog.testing.capture_logs():
        client = made.connect(machine=opening())
        client.send(wire[:cut])
        if not client.link.connection.closed:
            client.send(wire[cut:] or b"\n")
        assert made.broker.counters.internal_errors == 0
