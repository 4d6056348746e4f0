"""MQTT and STOMP through WebSocket, as their clients do it: on a port of its own and on the one for everything."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import websocket

from interop.broker import Endpoint
from interop.clients import Connect, PahoDriver, PikaDriver, Queue, StompPyDriver, Topic
from interop.clients.driver import ANSWER_LIMIT_S, Driver
from interop.clients.websocket_clients import PahoWebSocketDriver, StompPyBinaryDriver, StompPyWebSocketDriver

DRIVERS: Final = (PahoWebSocketDriver, StompPyWebSocketDriver, StompPyBinaryDriver)
BIG: Final = b"0123456789abcdef" * 20_000  # in several frames, and several chunks of the broker
TEXT: Final = "grüße".encode()

MQTT_CONNECT: Final = bytes.fromhex("101000044d5154540402003c0004") + b"raw1"
MQTT_CONNACK: Final = bytes.fromhex("20020000")
MQTT_PINGREQ: Final = bytes.fromhex("c000")
MQTT_PINGRESP: Final = bytes.fromhex("d000")

each_driver = pytest.mark.parametrize("kind", DRIVERS, ids=lambda kind: kind.name)


@each_driver
@pytest.mark.parametrize("port", ["websocket", "auto"])
@pytest.mark.parametrize("body", [b"", TEXT, BIG], ids=["empty", "text", "big"])
def test_messages_go_both_ways(
    connect: Connect, endpoint: Endpoint, name: str, kind: type[Driver], port: str, body: bytes
) -> None:
    elsewhere = connect(PikaDriver)
    elsewhere.subscribe(Topic(f"{name}.there"))
    client = kind(endpoint if port == "websocket" else endpoint.at_auto_port())
    try:
        client.subscribe(Topic(f"{name}.back"))
        client.publish(Topic(f"{name}.there"), body)
        assert elsewhere.receive().body == body
        elsewhere.publish(Topic(f"{name}.back"), body)
        assert client.receive().body == body
    finally:
        client.close()


@each_driver
def test_a_burst_arrives_whole_and_in_order(connect: Connect, name: str, kind: type[Driver]) -> None:
    client, elsewhere = connect(kind), connect(PahoDriver)
    client.subscribe(Topic(name))
    bodies = [b"%d" % number * (number % 50 + 1) for number in range(500)]
    for body in bodies:
        elsewhere.publish_topic(name, body)
    assert [client.receive().body for _ in bodies] == bodies


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_qos_of_mqtt(connect: Connect, name: str, qos: int) -> None:
    sender, receiver = connect(PahoWebSocketDriver), connect(PahoWebSocketDriver)
    assert receiver.subscribe_filter(name, qos=qos) == qos
    for number in range(20):
        sender.publish_topic(name, b"%d" % number, qos=qos)
    received = [receiver.receive() for _ in range(20)]
    assert [message.body for message in received] == [b"%d" % number for number in range(20)]
    assert {message.properties["qos"] for message in received} == {qos}


def test_a_body_that_is_no_text_reaches_a_client_of_text(connect: Connect, name: str) -> None:
    client, elsewhere = connect(StompPyWebSocketDriver), connect(StompPyDriver)
    client.subscribe(Topic(name))
    elsewhere.publish(Topic(name), b"\xff\0\xfe")
    elsewhere.publish(Topic(name), TEXT)
    assert [client.receive().body, client.receive().body] == [b"\xff\0\xfe", TEXT]


@pytest.mark.parametrize("kind", [StompPyWebSocketDriver, StompPyBinaryDriver], ids=lambda kind: kind.name)
def test_stomp_settles_and_commits(connect: Connect, name: str, kind: type[StompPyWebSocketDriver]) -> None:
    client = connect(kind)
    client.in_transaction("BEGIN", "t")
    client.send_in("t", f"/queue/{name}", b"one")
    client.in_transaction("COMMIT", "t")
    client.subscribe_destination(f"/queue/{name}", "client-individual")
    client.settle(client.receive())
    other = connect(PikaDriver)
    other.publish(Queue(name), b"two")
    message = client.receive()
    assert message.body == b"two"
    client.settle(message)


# By hand


@pytest.fixture
def opened(endpoint: Endpoint) -> Iterator[Any]:
    """Open a WebSocket by hand: `opened("/stomp", ["v12.stomp"])`."""
    sockets: list[websocket.WebSocket] = []

    def open_one(path: str, subprotocols: list[str], **options: Any) -> websocket.WebSocket:
        url = f"ws://{endpoint.host}:{endpoint.ports['websocket']}{path}"
        sockets.append(websocket.create_connection(url, ANSWER_LIMIT_S, subprotocols=subprotocols, **options))
        return sockets[-1]

    yield open_one
    for one in sockets:
        one.close()


def login(endpoint: Endpoint, heart_beat: str = "0,0") -> str:
    lines = ["CONNECT", "accept-version:1.2", "host:/", f"login:{endpoint.user}", f"passcode:{endpoint.password}"]
    return "\n".join([*lines, f"heart-beat:{heart_beat}", "", "\0"])


@pytest.mark.parametrize("path", ["/stomp", "/ws"])
@pytest.mark.parametrize("version", ["v10.stomp", "v11.stomp", "v12.stomp"])
def test_the_subprotocol_is_agreed_on(opened: Any, path: str, version: str) -> None:
    assert opened(path, ["soap", version]).getsubprotocol() == version


def test_heart_beats_are_frames_with_a_line_break(opened: Any, endpoint: Endpoint) -> None:
    client = opened("/stomp", ["v12.stomp"])
    client.send(login(endpoint, "100,100"))
    assert client.recv().startswith("CONNECTED\n")
    for _ in range(10):
        client.send("\n")
        assert client.recv().strip("\n") == ""  # one a tenth of a second or so; without ours the broker would close


def test_packets_may_be_in_any_frames(opened: Any, endpoint: Endpoint) -> None:
    if endpoint.named:
        pytest.skip("the broker lets nobody in without a name")
    client = opened("/mqtt", ["mqtt"])
    for byte in MQTT_CONNECT:
        client.send_binary(bytes([byte]))
    assert client.recv() == MQTT_CONNACK
    client.send_frame(websocket.ABNF.create_frame(MQTT_PINGREQ[:1], websocket.ABNF.OPCODE_BINARY, 0))
    client.ping("between")
    client.send_frame(websocket.ABNF.create_frame(MQTT_PINGREQ[1:] + MQTT_PINGREQ, websocket.ABNF.OPCODE_CONT, 1))
    assert client.recv() == 2 * MQTT_PINGRESP


def test_text_is_refused_for_mqtt(opened: Any) -> None:
    """[MQTT-6.0.0-1]"""
    client = opened("/mqtt", ["mqtt"])
    client.send("hello")
    opcode, data = client.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(data[:2], "big") == 1003


@pytest.mark.parametrize(
    ("path", "subprotocols", "origin", "status"),
    [
        ("/", ["mqtt"], None, 404),
        ("/mqtt", ["soap"], None, 400),
        ("/mqtt", ["mqtt"], "https://evil.example", 403),
        ("/stomp", ["v12.stomp"], "null", 403),
    ],
)
def test_who_may_not_is_refused_before_the_upgrade(
    opened: Any, path: str, subprotocols: list[str], origin: str | None, status: int
) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        opened(path, subprotocols, **({"origin": origin} if origin else {}))
    assert refused.value.status_code == status
