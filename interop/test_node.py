"""MQTT.js, stompjs and stompit, run by Node.js: over TCP and, those of web pages, through WebSocket.

They are installed from npm into a cache folder, once. Without Node.js, or without the registry, the tests are skipped.
"""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from interop.broker import Endpoint
from interop.clients import Connect, PahoDriver, PikaDriver, StompPyDriver, Topic
from interop.npm import installed

SCRIPT: Final = Path(__file__).parent / "clients" / "node_client.cjs"
RUN_LIMIT_S: Final = 20.0  # of a client, from its start to its end
BODIES: Final = [b"first", "grüße".encode(), b"0123456789" * 20_000, b"", b"end"]


@pytest.fixture(scope="module")
def folder() -> Path:
    """Return a folder with the libraries."""
    return installed()


class NodeClient:
    """One client in a process of its own."""

    def __init__(self, folder: Path, library: str, **settings: Any) -> None:
        self._process = subprocess.Popen(
            ["node", str(SCRIPT), str(folder), library, json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> list[dict[str, Any]]:
        """Wait until it ends by itself, and return what it has received."""
        try:
            output, errors = self._process.communicate(timeout=RUN_LIMIT_S)
        finally:
            self.kill()
        assert self._process.returncode == 0, errors
        return [json.loads(line) for line in output.splitlines()]

    def kill(self) -> None:
        """End the process, if it runs."""
        self._process.kill()
        self._process.wait()


def _said(endpoint: Endpoint, name: str, url: str, protocol: str) -> dict[str, Any]:
    user, password = (endpoint.user, endpoint.password)
    start, separator = ("/topic/", ".") if protocol == "stomp" else ("", "/")
    places = {word: f"{start}{name}{separator}{word}" for word in ("back", "there")}
    return {"url": url, "user": user, "password": password, **places}


def _run(client: NodeClient, there: PikaDriver, back: Any, topic: Topic) -> list[dict[str, Any]]:
    """Receive what the client publishes, which it does once it has subscribed; publish to it; return what it received."""
    try:
        arrived = [there.receive().body for _ in range(3)]
    except BaseException:
        client.kill()
        raise
    assert [body[-1:] for body in arrived] == [b"0", b"1", b"2"]
    for body in BODIES:
        back.publish(topic, body, durable=True)
    received = client.end()
    assert [base64.b64decode(message["body"]) for message in received] == BODIES
    return received


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize(("scheme", "port"), [("mqtt", "mqtt"), ("mqtt", "auto"), ("ws", "websocket"), ("ws", "auto")])
def test_mqttjs(
    connect: Connect, endpoint: Endpoint, folder: Path, name: str, scheme: str, port: str, version: int
) -> None:
    elsewhere, sender = connect(PikaDriver), connect(PahoDriver)
    elsewhere.subscribe(Topic(f"{name}.there"))
    path = "/mqtt" if scheme == "ws" else ""
    url = f"{scheme}://{endpoint.host}:{endpoint.ports[port]}{path}"
    client = NodeClient(folder, "mqttjs", version=version, **_said(endpoint, name, url, "mqtt"))
    received = _run(client, elsewhere, sender, Topic(f"{name}.back"))
    assert {message["qos"] for message in received} == {1}


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize(
    ("scheme", "port", "path"),
    [
        ("ws", "websocket", "/stomp"),
        ("ws", "websocket", "/ws"),
        ("ws", "auto", "/stomp"),
        ("tcp", "stomp", ""),
        ("tcp", "auto", ""),
    ],
)
def test_stompjs(
    connect: Connect,
    endpoint: Endpoint,
    folder: Path,
    name: str,
    scheme: str,
    port: str,
    path: str,
    version: str,
    binary: bool,
) -> None:
    elsewhere, sender = connect(PikaDriver), connect(StompPyDriver)
    elsewhere.subscribe(Topic(f"{name}.there"))
    url = f"{scheme}://{endpoint.host}:{endpoint.ports[port]}{path}"
    client = NodeClient(folder, "stompjs", version=version, binary=binary, **_said(endpoint, name, url, "stomp"))
    _run(client, elsewhere, sender, Topic(f"{name}.back"))


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("port", ["stomp", "auto"])
def test_stompit(connect: Connect, endpoint: Endpoint, folder: Path, name: str, port: str, version: str) -> None:
    elsewhere, sender = connect(PikaDriver), connect(StompPyDriver)
    elsewhere.subscribe(Topic(f"{name}.there"))
    url = f"tcp://{endpoint.host}:{endpoint.ports[port]}"
    client = NodeClient(folder, "stompit", version=version, **_said(endpoint, name, url, "stomp"))
    _run(client, elsewhere, sender, Topic(f"{name}.back"))
