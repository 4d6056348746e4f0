"""MQTT.js that loses its connection in the middle of an exchange and comes back, over TCP and through WebSocket."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import pytest

from interop.broker import Endpoint
from interop.clients.returning import ReturningPaho, ReturningPaho5
from interop.cutter import Cutter
from interop.npm import installed

SCRIPT: Final = Path(__file__).parent / "clients" / "mqttjs_returning.cjs"
RUN_LIMIT_S: Final = 20.0  # of a client, from its start to its end
BODIES: Final = [f"message {number}" for number in range(60)] + ["end"]
BUDGETS: Final = {
    "tcp": (77, 140, 60, 201, 333),
    "ws": (333, 500, 250, 700, 450),
}  # the opening of a WebSocket is longer

both_ways = pytest.mark.parametrize("scheme", ["tcp", "ws"])
every_qos = pytest.mark.parametrize("qos", [1, 2])
every_version = pytest.mark.parametrize("version", [4, 5])


class Returning:
    """One client in a process of its own, behind a proxy that cuts it off."""

    def __init__(self, endpoint: Endpoint, scheme: str, **settings: Any) -> None:
        self.cutter = Cutter(endpoint.host, endpoint.ports["mqtt" if scheme == "tcp" else "websocket"])
        url = f"{'mqtt' if scheme == 'tcp' else 'ws'}://127.0.0.1:{self.cutter.port}/{'mqtt' if scheme == 'ws' else ''}"
        said = {"url": url, "user": endpoint.user, "password": endpoint.password, **settings}
        self._process = subprocess.Popen(
            ["node", str(SCRIPT), str(installed()), json.dumps(said)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._limit = threading.Timer(RUN_LIMIT_S, self._process.kill)
        self._limit.start()
        assert self._process.stdout is not None
        self.output: IO[str] = self._process.stdout

    def line(self) -> str:
        """Return the next line that it prints; AssertionError when it has ended."""
        line = self.output.readline()
        assert line, "the client ended"
        return line.rstrip("\n")

    def close(self) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()
        self.cutter.close()


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    found: list[Any] = []
    yield found
    for client in found:
        client.close()


@both_ways
@every_version
@every_qos
def test_a_receiver_that_is_cut_off_gets_everything(
    endpoint: Endpoint, clients: list[Any], name: str, scheme: str, version: int, qos: int
) -> None:
    """[MQTT-4.4.0-1], [MQTT-4.3.3-1]"""
    sender = ReturningPaho5(endpoint, endpoint.ports["mqtt"], f"{name}-sender")
    receiver = Returning(endpoint, scheme, version=version, clientId=name, topic=f"{name}/t", qos=qos)
    clients += [sender, receiver]
    assert receiver.line() == "subscribed"
    receiver.cutter.cut(BUDGETS[scheme])
    sender.publish(f"{name}/t", [body.encode() for body in BODIES], qos)
    got: list[str] = []
    while "end" not in got:
        got.append(receiver.line())
    assert (got if qos == 2 else list(dict.fromkeys(got))) == BODIES
    assert receiver.cutter.cuts == len(BUDGETS[scheme])


@both_ways
@every_version
@every_qos
def test_a_sender_that_is_cut_off_delivers_everything(
    endpoint: Endpoint, clients: list[Any], name: str, scheme: str, version: int, qos: int
) -> None:
    """[MQTT-4.3.3-2], [MQTT-4.3.2-2]"""
    receiver = ReturningPaho(endpoint, endpoint.ports["mqtt"], f"{name}-receiver")
    clients.append(receiver)
    receiver.subscribe(f"{name}/t", qos)
    settings = {"version": version, "clientId": name, "topic": f"{name}/t", "qos": qos}
    sender = Returning(endpoint, scheme, bodies=BODIES, **settings)
    sender.cutter.cut(BUDGETS[scheme])
    clients.append(sender)
    assert sender.line() == "end"
    got: list[str] = []
    while "end" not in got:
        got.append(receiver.bodies.get(timeout=RUN_LIMIT_S).decode())
    assert (got if qos == 2 else list(dict.fromkeys(got))) == BODIES
    assert sender.cutter.cuts == len(BUDGETS[scheme])
