"""The whole process in one: protocols on their ports, detection, logins, signals and the end."""

import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import structlog.testing
import trio
import trio.testing
import trustme

from gateway.accounts import hash_password
from gateway.config import Config
from gateway.door import Listening
from gateway.logins import REFUSAL_DELAY_S
from gateway.server import CUT_SHORT, STOPPED, serve
from protocols.connection import HANDSHAKE_TIMEOUT_S
from tests.protocols.mqtt.peer import PINGREQ
from tests.protocols.mqtt.peer5 import Packet, auth5, connect5, read, subscribe5
from tests.scram_client import ScramClient

ANSWER_S: Final = 10.0  # of real time, for what must come

AMQP_HEADER: Final = b"AMQP\x00\x00\x09\x01"
MQTT_CONNECT: Final = bytes.fromhex("100d00044d5154540402003c000161")
MQTT_CONNACK: Final = bytes.fromhex("20020000")
STOMP_CONNECT: Final = b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0"
STOMP_CONNECTED: Final = b"CONNECTED\n"
SCRAM: Final[dict[str, Any]] = {"authentication_method": "SCRAM-SHA-256"}
AMQP_START: Final = b"\x01\x00\x00"  # a method frame on channel 0: connection.start

FIRST_EXCHANGES: Final = {
    "amqp": (AMQP_HEADER, AMQP_START),
    "mqtt": (MQTT_CONNECT, MQTT_CONNACK),
    "stomp": (STOMP_CONNECT, STOMP_CONNECTED),
}


class Running:
    """A broker in this process."""

    def __init__(self) -> None:
        self.listening: dict[str, Listening] = {}
        self.code: int | None = None
        self.ended = trio.Event()
        self.streams: list[trio.SocketStream] = []

    async def connect(self, protocol: str) -> trio.SocketStream:
        place = self.listening[protocol]
        stream = await trio.open_tcp_stream(place.host, place.port)
        self.streams.append(stream)
        return stream

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        os.kill(os.getpid(), number)
        with trio.fail_after(ANSWER_S):
            await self.ended.wait()
        return self.code


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Running]:
    """Run a broker with one listener a protocol, until the block ends or it is stopped."""
    settings.setdefault(
        "listener", [{"protocol": name, "address": "127.0.0.1:0"} for name in ("amqp", "mqtt", "stomp", "auto")]
    )
    config = Config.model_validate(settings)
    broker = Running()

    async def run(task_status: trio.TaskStatus[None]) -> None:
        def started(listening: Sequence[Listening], _stored_users: int) -> None:
            broker.listening = {place.protocol: place for place in listening}
            task_status.started()

        broker.code = await serve(config, started)
        broker.ended.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        yield broker
        for stream in broker.streams:
            stream.socket.close()
        nursery.cancel_scope.cancel()


async def _read(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    found = b""
    with trio.fail_after(ANSWER_S):
        while len(found) < size and (chunk := await stream.receive_some()):
            found += chunk
    return found


async def _read_to_the_end(stream: trio.abc.ReceiveStream) -> bytes:
    return await _read(stream, 1 << 30)


async def _greet(stream: trio.abc.Stream, protocol: str) -> None:
    start, answer = FIRST_EXCHANGES[protocol]
    await stream.send_all(start)
    assert (await _read(stream, len(answer))).startswith(answer)


# Protocols


@pytest.mark.parametrize("protocol", FIRST_EXCHANGES)
async def test_every_protocol_is_served_on_its_own_port(protocol: str) -> None:
    async with running() as broker:
        await _greet(await broker.connect(protocol), protocol)


@pytest.mark.parametrize("protocol", FIRST_EXCHANGES)
async def test_the_detecting_port_tells_every_protocol_byte_by_byte(protocol: str) -> None:
    start, answer = FIRST_EXCHANGES[protocol]
    async with running() as broker:
        stream = await broker.connect("auto")
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in start:
            await stream.send_all(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert (await _read(stream, len(answer))).startswith(answer)


@pytest.mark.parametrize("protocol", FIRST_EXCHANGES)
@pytest.mark.parametrize("port", ["own", "auto"])
async def test_a_port_with_a_certificate_speaks_tls(port: str, protocol: str, tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    made = authority.issue_cert("broker.example")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    name = protocol if port == "own" else "auto"
    listener = {
        "protocol": name,
        "address": "127.0.0.1:0",
        "certificate": str(tmp_path / "cert.pem"),
        "key": str(tmp_path / "key.pem"),
    }
    async with running(listener=[listener]) as broker:
        assert broker.listening[name].encrypted
        tls = trio.SSLStream(
            await broker.connect(name), client_context, server_hostname="broker.example", https_compatible=True
        )
        with trio.fail_after(ANSWER_S):
            await _greet(tls, protocol)
        if port == "auto":
            await _greet(await broker.connect("auto"), protocol)  # in plain too


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        (b"HELO\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01", b""),  # TLS, without a certificate
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n"),
    ],
)
async def test_what_the_detecting_port_does_not_speak_is_closed_and_noted(start: bytes, answer: bytes) -> None:
    async with running() as broker:
        stream = await broker.connect("auto")
        with structlog.testing.capture_logs() as logs:
            await stream.send_all(start)
            assert (await _read_to_the_end(stream)).startswith(answer)
        assert [entry["event"] for entry in logs] == ["connection refused"]


@pytest.mark.parametrize("protocol", ["auto", *FIRST_EXCHANGES])
async def test_a_client_that_says_nothing_is_closed_after_the_time_for_handshakes(
    protocol: str, mock_clock: trio.testing.MockClock
) -> None:
    async with running() as broker:
        stream = await broker.connect(protocol)
        await trio.testing.wait_all_tasks_blocked(0.01)
        mock_clock.jump(9.9)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await _greet(await broker.connect("mqtt"), "mqtt")
        mock_clock.jump(0.2)
        await _read_to_the_end(stream)


async def test_the_time_for_the_handshake_is_counted_from_the_accept(mock_clock: trio.testing.MockClock) -> None:
    async with running() as broker:
        stream = await broker.connect("auto")
        await trio.testing.wait_all_tasks_blocked(0.01)
        mock_clock.jump(9.9)
        await stream.send_all(AMQP_HEADER)
        assert await _read(stream, len(AMQP_START))
        mock_clock.jump(0.2)
        await _read_to_the_end(stream)


async def test_an_ipv6_listener_knows_loopback_too() -> None:
    async with running(listener=[{"protocol": "mqtt", "address": "[::1]:0"}]) as broker:
        assert broker.listening["mqtt"].host == "::1"
        await _greet(await broker.connect("mqtt"), "mqtt")  # as guest, who may come from loopback only


# Logins

MQTT_WITH_PASSWORD: Final = bytes.fromhex("101a00044d51545404c2003c0001610003616461") + b"\x00\x06secret"
MQTT_WRONG_PASSWORD: Final = MQTT_WITH_PASSWORD[:-1] + b"x"


def _ada() -> dict[str, Any]:
    return {"name": "ada", "password_hash": hash_password(b"secret"), "permission": [{"read": ".*"}]}


async def test_a_password_is_checked_in_a_thread_while_others_are_served() -> None:
    async with running(user=[_ada()]) as broker:
        first, again = await broker.connect("mqtt"), await broker.connect("mqtt")
        await first.send_all(MQTT_WITH_PASSWORD)
        assert await _read(first, 4) == MQTT_CONNACK
        await again.send_all(MQTT_WITH_PASSWORD)  # known now, so no thread is asked
        assert await _read(again, 4) == MQTT_CONNACK


async def test_a_wrong_password_is_refused_after_a_delay_and_never_logged(mock_clock: trio.testing.MockClock) -> None:
    async with running(user=[_ada()]) as broker:
        stream = await broker.connect("mqtt")
        with structlog.testing.capture_logs() as logs:
            mock_clock.rate = 4.0  # the thread that hashes takes real time, within the time for a handshake
            await stream.send_all(MQTT_WRONG_PASSWORD)
            assert await _read_to_the_end(stream) == bytes.fromhex("20020004")
        assert REFUSAL_DELAY_S <= trio.current_time() < HANDSHAKE_TIMEOUT_S
        assert any("ada" in entry["detail"] and entry["peer"].startswith("127.0.0.1:") for entry in logs)
        assert "secre" not in str(logs)


async def test_a_client_proves_itself_by_scram_and_does_so_again() -> None:
    async with running() as broker:
        stream = await broker.connect("mqtt")
        scram = ScramClient("guest", "guest")
        await stream.send_all(connect5(**SCRAM, authentication_data=scram.first()))
        asked = await _read_packet(stream)
        last = scram.last(asked.said["authentication_data"])
        await stream.send_all(auth5(0x18, **SCRAM, authentication_data=last))
        connack = await _read_packet(stream)
        assert (connack.name, connack.codes) == ("CONNACK", b"\0")
        assert scram.trusts(connack.said["authentication_data"])
        again = ScramClient("guest", "guest")
        await stream.send_all(auth5(0x19, **SCRAM, authentication_data=again.first()))
        last = again.last((await _read_packet(stream)).said["authentication_data"])
        await stream.send_all(auth5(0x18, **SCRAM, authentication_data=last))
        done = await _read_packet(stream)
        assert (done.name, done.codes) == ("AUTH", b"\0")


@pytest.mark.parametrize("name", ["guest", "nobody"])
async def test_a_wrong_proof_is_refused_after_a_delay_whoever_it_is_of(
    name: str, mock_clock: trio.testing.MockClock
) -> None:
    async with running() as broker:
        stream = await broker.connect("mqtt")
        scram = ScramClient(name, "wrong")
        await stream.send_all(connect5(**SCRAM, authentication_data=scram.first()))
        asked = await _read_packet(stream)
        last = scram.last(asked.said["authentication_data"])
        await stream.send_all(auth5(0x18, **SCRAM, authentication_data=last))
        mock_clock.autojump_threshold = 0.05
        connack = await _read_packet(stream)
        assert (connack.name, connack.codes) == ("CONNACK", b"\x87")
        assert trio.current_time() == pytest.approx(REFUSAL_DELAY_S, abs=0.1)


@pytest.mark.parametrize("interval_s", [10, 3, 0])
async def test_what_the_broker_says_of_itself_is_published_at_its_interval(
    interval_s: int, mock_clock: trio.testing.MockClock
) -> None:
    async with running(mqtt={"sys_interval_s": interval_s}) as broker:
        stream = await broker.connect("mqtt")
        await stream.send_all(connect5() + subscribe5(("$SYS/broker/uptime", 0), ("$SYS/broker/heap/current", 0)))
        assert [(await _read_packet(stream)).name for _ in range(2)] == ["CONNACK", "SUBACK"]
        if not interval_s:
            await stream.send_all(PINGREQ)
            assert (await _read_packet(stream)).name == "PINGRESP"
            return
        retained = {packet.topic: packet.body for packet in [await _read_packet(stream) for _ in range(2)]}
        assert retained["$SYS/broker/uptime"] == b"0 seconds"
        assert int(retained["$SYS/broker/heap/current"]) > 1_000_000
        mock_clock.autojump_threshold = 0.05
        for turn in range(1, 4):
            packet = await _read_packet(stream)
            while packet.topic != "$SYS/broker/uptime":
                packet = await _read_packet(stream)
            assert packet.body == b"%d seconds" % (turn * interval_s)
            assert trio.current_time() == pytest.approx(turn * interval_s, abs=0.2)


async def _read_packet(stream: trio.SocketStream) -> Packet:
    """Read one packet of MQTT 5.0 of less than 16,384 bytes."""
    head = await _read_exactly(stream, 2)
    length = head[1]
    if length > 0x7F:
        head += await _read_exactly(stream, 1)
        length = head[1] & 0x7F | head[2] << 7
    [packet] = read(head + await _read_exactly(stream, length))
    return packet


async def _read_exactly(stream: trio.SocketStream, count: int) -> bytes:
    found = b""
    while len(found) < count:
        chunk = await stream.receive_some(count - len(found))
        assert chunk, "the stream has ended"
        found += chunk
    return found


async def test_a_client_that_leaves_while_its_password_is_checked_is_forgotten() -> None:
    async with running(user=[_ada()]) as broker:
        stream = await broker.connect("mqtt")
        await stream.send_all(MQTT_WITH_PASSWORD)
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()
        await _greet(await broker.connect("amqp"), "amqp")
        broker.streams.pop().socket.close()
        assert await broker.stop() == STOPPED


# The end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_tells_every_client_and_ends_with_0(number: signal.Signals) -> None:
    async with running() as broker:
        streams = {name: await broker.connect(name) for name in FIRST_EXCHANGES}
        for name, stream in streams.items():
            await _greet(stream, name)
        async with trio.open_nursery() as nursery:
            last_words: dict[str, bytes] = {}

            async def listen(name: str, stream: trio.SocketStream) -> None:
                last_words[name] = await _read_to_the_end(stream)
                await stream.aclose()

            for name, stream in streams.items():
                nursery.start_soon(listen, name, stream)
            assert await broker.stop(number) == STOPPED
        assert b"ERROR\nmessage:" in last_words["stomp"]
        assert last_words["mqtt"] == b""  # MQTT 3.1.1 has no word for it
        place = broker.listening["mqtt"]
        with pytest.raises(OSError, match=str(place.port)):
            await trio.open_tcp_stream(place.host, place.port)


async def test_clients_that_do_not_close_are_not_waited_for(mock_clock: trio.testing.MockClock) -> None:
    async with running() as broker:
        stream = await broker.connect("mqtt")
        await _greet(stream, "mqtt")
        mock_clock.autojump_threshold = 0.05
        assert await broker.stop() == STOPPED
        assert trio.current_time() < 5
        assert await _read_to_the_end(stream) == b""


async def test_a_second_signal_cuts_it_short(mock_clock: trio.testing.MockClock) -> None:
    async with running() as broker:
        stream = await broker.connect("mqtt")
        await _greet(stream, "mqtt")
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await broker.stop() == CUT_SHORT
        assert trio.current_time() == 0
