"""WebSocket as it is configured: on a port of its own and on one for everything, in plain and inside TLS."""

import ssl
from pathlib import Path
from typing import Any, Final

import pytest
import structlog.testing
import trio
import trustme

from gateway.config import Listener
from gateway.ping import ping
from tests.gateway.frames import BINARY, TEXT, Frame, frame, parsed
from tests.gateway.test_server import ANSWER_S, MQTT_CONNACK, MQTT_CONNECT, STOMP_CONNECT, STOMP_CONNECTED, running
from tests.gateway.test_websocket_opening import request

MQTT_REQUEST: Final = request("/mqtt", sec_websocket_protocol="mqtt")


async def _read_until(stream: trio.abc.ReceiveStream, end: bytes) -> bytes:
    found = b""
    with trio.fail_after(ANSWER_S):
        while not found.endswith(end) and (chunk := await stream.receive_some(1)):
            found += chunk
    return found


async def _upgrade(stream: trio.abc.Stream, data: bytes) -> str:
    """Send a request and return the first line of the answer."""
    await stream.send_all(data)
    return (await _read_until(stream, b"\r\n\r\n")).decode().partition("\r\n")[0]


async def _greet(stream: trio.abc.Stream) -> None:
    assert (await _upgrade(stream, MQTT_REQUEST)).startswith("HTTP/1.1 101 ")
    await stream.send_all(frame(BINARY, MQTT_CONNECT))
    answer = await _read_until(stream, MQTT_CONNACK)
    assert parsed(answer) == [Frame(BINARY, MQTT_CONNACK)]


def listener(protocol: str, **more: Any) -> dict[str, Any]:
    return {"protocol": protocol, "address": "127.0.0.1:0", **more}


@pytest.mark.parametrize("protocol", ["websocket", "auto"])
async def test_mqtt_is_spoken_in_a_websocket(protocol: str) -> None:
    async with running(listener=[listener(protocol)]) as broker:
        await _greet(await broker.connect(protocol))


@pytest.mark.parametrize("kind", [TEXT, BINARY])
async def test_stomp_is_spoken_in_a_websocket(kind: int) -> None:
    async with running(listener=[listener("websocket")]) as broker:
        stream = await broker.connect("websocket")
        assert (await _upgrade(stream, request("/stomp"))).startswith("HTTP/1.1 101 ")
        await stream.send_all(frame(kind, STOMP_CONNECT))
        (answer,) = parsed(await _read_until(stream, b"\0"))
        assert answer.opcode == kind
        assert answer.payload.startswith(STOMP_CONNECTED)


@pytest.mark.parametrize("protocol", ["websocket", "auto"])
async def test_a_websocket_may_be_inside_tls(protocol: str, tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    pair = tmp_path / "both.pem"
    authority.issue_cert("broker.example").private_key_and_cert_chain_pem.write_to_path(pair)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    settings = listener(protocol, certificate=str(pair), key=str(pair))
    async with running(listener=[settings]) as broker:
        tls = trio.SSLStream(
            await broker.connect(protocol), client_context, server_hostname="broker.example", https_compatible=True
        )
        await _greet(tls)


@pytest.mark.parametrize("protocol", ["websocket", "auto"])
@pytest.mark.parametrize(("origin", "status"), [("https://dashboard.example", 101), ("http://localhost", 403)])
async def test_the_configuration_says_whose_pages_may_connect(protocol: str, origin: str, status: int) -> None:
    async with running(listener=[listener(protocol, origins=["https://dashboard.example"])]) as broker:
        with structlog.testing.capture_logs() as logs:
            stream = await broker.connect(protocol)
            first = await _upgrade(stream, request("/mqtt", sec_websocket_protocol="mqtt", origin=origin))
        assert first.startswith(f"HTTP/1.1 {status} ")
        assert ("connection refused" in [entry["event"] for entry in logs]) == (status == 403)


async def test_a_health_check_is_answered_and_is_no_news() -> None:
    async with running(listener=[listener("websocket")]) as broker:
        place = broker.listening["websocket"]
        asked = Listener(protocol="websocket", address=f"{place.host}:{place.port}")
        with structlog.testing.capture_logs() as logs:
            await trio.to_thread.run_sync(ping, asked)
            await _greet(await broker.connect("websocket"))  # the other end has been seen by then
        assert not [entry for entry in logs if entry["log_level"] not in {"debug", "info"}]


async def test_a_broker_that_stops_says_that_it_goes_away() -> None:
    async with running(listener=[listener("websocket")]) as broker:
        stream = await broker.connect("websocket")
        await _greet(stream)
        stopped = trio.Event()

        async def stop() -> None:
            assert await broker.stop() == 0
            stopped.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            last = parsed(await _read_until(stream, b"stops"))[-1]
            assert last.code == 1001
            stream.socket.close()
            await stopped.wait()
