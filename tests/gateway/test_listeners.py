"""Listening sockets: what cannot be opened, and the limits of who is let in."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog.testing

from core.broker import Broker
from gateway.config import Config
from gateway.door import HANDSHAKES_LIMIT, PAUSE_S, Door, is_loopback
from gateway.listeners import ListenError, _open_sockets
from gateway.machines import machines
from gateway.origins import Origins
from gateway.poller import open_poller
from gateway.reactor import Reactor
from gateway.server import serve
from gateway.wiring import Authenticator

ANSWER_S: Final = 10.0  # of real time, for what must come


def _listeners(*addresses: str) -> Config:
    return Config.model_validate({"listener": [{"protocol": "mqtt", "address": address} for address in addresses]})


async def test_an_address_that_is_taken_is_named_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError, match=f"cannot listen on {address}: Address already in use"):
            await serve(_listeners("127.0.0.1:0", address), lambda _listening, _users: pytest.fail("started"))


async def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on nowhere\.invalid:1883: "):
        await serve(_listeners("nowhere.invalid:1883"), lambda _listening, _users: pytest.fail("started"))


async def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("no certificate")
    listener = {"protocol": "mqtt", "address": "127.0.0.1:0", "certificate": str(file), "key": str(file)}
    with pytest.raises(ListenError, match=r"cert\.pem"):
        await serve(Config.model_validate({"listener": [listener]}), lambda _listening, _users: pytest.fail("started"))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_address(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


async def test_what_is_accepted_does_not_wait_for_more_to_send() -> None:
    """TCP_NODELAY is set on the listening socket and inherited: one call less for each connection."""
    (listening,) = _open_sockets(_listeners("127.0.0.1:0").listener[0])
    with listening, socket.create_connection(listening.getsockname()):
        listening.setblocking(True)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Limits


class FailingSocket(socket.socket):
    """A listening socket that cannot accept as long as there is an error. It counts how often it was asked."""

    error = 0
    accepts = 0

    def _accept(self) -> tuple[int, Any]:
        self.accepts += 1
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return super()._accept()  # type: ignore[misc,no-any-return]


class DoorRig:
    """A reactor with one door, turned by hand."""

    def __init__(self, connections_limit: int = 100) -> None:
        self.broker = Broker(lambda: "unique")
        self.poller = open_poller()
        self.reactor = Reactor(self.broker, self.poller, Authenticator())
        self.socket = FailingSocket()
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.door = Door(self.reactor, self.socket, "mqtt", machines(Config(), Origins([])), connections_limit)
        self.door.open()
        self.now = 1000.0
        self.clients: list[socket.socket] = []

    def knock(self) -> socket.socket:
        client = socket.create_connection(self.socket.getsockname())
        self.clients.append(client)
        self.settle()
        return client

    def settle(self) -> None:
        for _ in range(3):  # the last turn may have opened the door again
            while self._turn():
                pass

    def _turn(self) -> bool:
        events = self.poller.poll(0)
        return self.reactor.turn(events, self.now, 0.0) or bool(events)

    def close(self) -> None:
        self.door.close()
        self.reactor.close()
        for client in self.clients:
            client.close()


@pytest.fixture
def door_rig() -> Iterator[DoorRig]:
    made = DoorRig(connections_limit=2)
    yield made
    made.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many wait")
def test_as_many_are_accepted_as_wait(door_rig: DoorRig) -> None:
    door_rig.clients = [socket.create_connection(door_rig.socket.getsockname()) for _ in range(2)]
    door_rig.settle()
    assert (door_rig.reactor.connections, door_rig.socket.accepts) == (2, 2)
    door_rig.knock()
    assert door_rig.socket.accepts == 3


def test_beyond_the_limit_of_connections_others_are_turned_away_and_it_is_said_once(door_rig: DoorRig) -> None:
    with structlog.testing.capture_logs() as logs:
        kept = [door_rig.knock() for _ in range(2)]
        turned_away = [door_rig.knock() for _ in range(3)]
    assert door_rig.reactor.connections == 2
    for client in turned_away:
        client.settimeout(ANSWER_S)
        assert client.recv(1) == b""
    assert [(entry["event"], entry["detail"]) for entry in logs] == [("connection refused", "2 connections are open")]
    kept[0].close()
    door_rig.settle()
    door_rig.knock()
    assert door_rig.reactor.connections == 2


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENETDOWN])
def test_accepting_pauses_when_the_system_has_no_room(door_rig: DoorRig, error: int) -> None:
    door_rig.socket.error = error
    with structlog.testing.capture_logs() as logs:
        door_rig.knock()
        assert door_rig.reactor.next_look() == door_rig.now + PAUSE_S  # and no turn before
        door_rig.now += PAUSE_S
        door_rig.settle()
    assert [entry["event"] for entry in logs] == ["accepting pauses"]
    door_rig.socket.error = 0
    door_rig.now += PAUSE_S
    door_rig.settle()
    assert door_rig.reactor.connections == 1


def test_accepting_pauses_while_too_many_have_not_logged_in(door_rig: DoorRig) -> None:
    door_rig.reactor.wiring.handshakes = HANDSHAKES_LIMIT
    with structlog.testing.capture_logs() as logs:
        door_rig.knock()
    assert door_rig.reactor.connections == 0
    assert [entry["event"] for entry in logs] == ["accepting pauses"]
    door_rig.reactor.wiring.handshakes = 0
    door_rig.now += PAUSE_S
    door_rig.settle()
    assert door_rig.reactor.connections == 1


def test_a_door_that_was_closed_during_a_pause_stays_closed(door_rig: DoorRig) -> None:
    door_rig.socket.error = errno.EMFILE
    with structlog.testing.capture_logs():
        door_rig.knock()
    door_rig.door.close()
    door_rig.now += PAUSE_S
    door_rig.settle()
    assert door_rig.reactor.connections == 0
