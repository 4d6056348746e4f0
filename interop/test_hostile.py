"""Broken and hostile input: the protocol's own error and a closed connection for the peer, nothing for anybody else.

After each, a canary client that was connected before still publishes and receives.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pika.spec
import pytest

from interop.broker import Endpoint
from interop.clients import Connect, PahoDriver, PikaDriver, StomperDriver, Topic
from interop.raw import (
    AMQP_HEADER,
    RawSocket,
    amqp_closing_code,
    amqp_connection,
    amqp_frame,
    amqp_greeted,
    amqp_method,
    mqtt_connect,
    mqtt_connection,
    stomp_connect,
    stomp_connection,
)

BAD_UTF8: Final = b"\xc3\x28"
FRAME_END_AT: Final = -1


@pytest.fixture(autouse=True)
def canary(connect: Connect, name: str) -> Iterator[None]:
    """Three clients, connected before the test, that must reach each other after it."""
    clients = [connect(PikaDriver), connect(PahoDriver), connect(StomperDriver)]
    for client in clients:
        client.subscribe(Topic(f"{name}.canary"))
    yield
    for sender in clients:
        sender.publish(Topic(f"{name}.canary"), sender.name.encode())
        assert [client.receive().body.decode() for client in clients] == [sender.name] * 3


def amqp_socket(endpoint: Endpoint) -> RawSocket:
    return RawSocket(endpoint.host, endpoint.ports["amqp"])


def mqtt_socket(endpoint: Endpoint) -> RawSocket:
    return RawSocket(endpoint.host, endpoint.ports["mqtt"])


def stomp_socket(endpoint: Endpoint) -> RawSocket:
    return RawSocket(endpoint.host, endpoint.ports["stomp"])


HALVES: Final[dict[str, tuple[Callable[[Endpoint], RawSocket], bytes]]] = {
    "amqp header": (amqp_socket, AMQP_HEADER[:5]),
    "amqp start-ok": (amqp_greeted, b"\x01\x00\x00\x00\x00\x00\x30\x00\x0a\x00"),
    "amqp publish": (amqp_connection, b"\x01\x00\x01\x00\x00\x00\x10\x00\x3c\x00\x28"),
    "mqtt connect": (mqtt_socket, b"\x10\x11\x00\x04MQ"),
    "mqtt publish": (mqtt_connection, b"\x30\x20\x00\x01a"),
    "stomp connect": (stomp_socket, b"CONNECT\naccept-ver"),
    "stomp send": (stomp_connection, b"SEND\ndestination:/topic/x\ncontent-length:10\n\nabc"),
}


@pytest.mark.parametrize(("open_socket", "half"), HALVES.values(), ids=HALVES.keys())
def test_half_a_frame_and_a_closed_socket_disturb_nobody(
    endpoint: Endpoint, open_socket: Callable[[Endpoint], RawSocket], half: bytes
) -> None:
    client = open_socket(endpoint)
    client.send(half)
    client.close()


@pytest.mark.parametrize("start", [b"AMQP\x00\x00\x08\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 8])
def test_a_wrong_amqp_header_is_answered_with_the_right_one(endpoint: Endpoint, start: bytes) -> None:
    """AMQP 0-9-1 §4.2.2"""
    client = amqp_socket(endpoint)
    client.send(start)
    assert client.read_to_the_end() == AMQP_HEADER


@pytest.mark.parametrize("start", [b"\xc0\x00", b"\x30\x05\x00\x01aXX", b"\x00\x00", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_first_packet_other_than_connect_closes_the_connection(endpoint: Endpoint, start: bytes) -> None:
    """[MQTT-3.1.0-1]"""
    client = mqtt_socket(endpoint)
    client.send(start)
    assert client.read_to_the_end() == b""


@pytest.mark.parametrize("start", [b"HELO\n\n\0", b"SEND\ndestination:/queue/a\n\nx\0", b"\xff\xfe\n\n\0"])
def test_a_first_frame_other_than_connect_is_answered_with_an_error(endpoint: Endpoint, start: bytes) -> None:
    client = stomp_socket(endpoint)
    client.send(start)
    assert client.read_to_the_end().startswith(b"ERROR\n")


def test_an_oversized_amqp_frame_before_login_closes_the_connection(endpoint: Endpoint) -> None:
    client = amqp_greeted(endpoint)
    client.send(b"\x01\x00\x00\xff\xff\xff\xff" + bytes(64))
    assert amqp_closing_code(client) == 501


def test_an_oversized_mqtt_packet_before_login_closes_the_connection(endpoint: Endpoint) -> None:
    client = mqtt_socket(endpoint)
    client.send(b"\x10\xff\xff\xff\x7f" + b"\x00\x04MQTT\x04\x02" + bytes(64))
    assert client.read_to_the_end() == b""


def test_a_remaining_length_of_five_bytes_closes_the_connection(endpoint: Endpoint) -> None:
    client = mqtt_socket(endpoint)
    client.send(b"\x10\xff\xff\xff\xff\x7f")
    assert client.read_to_the_end() == b""


@pytest.mark.parametrize(
    "frame",
    [
        b"CONNECT\nlogin:" + b"x" * (1 << 20),
        b"CONNECT\n" + b"".join(b"h%d:v\n" % number for number in range(20_000)),
        b"CONNECT\ncontent-length:1000000000\n\n",
        b"C" * (1 << 20),
    ],
    ids=["header line", "number of headers", "announced body", "command"],
)
def test_an_oversized_stomp_frame_before_login_is_answered_with_an_error(endpoint: Endpoint, frame: bytes) -> None:
    client = stomp_socket(endpoint)
    client.send(frame)
    answer = client.read_to_the_end()
    # The broker closes with bytes of the frame unread, so the kernel may reset the connection before ERROR is read.
    assert answer == b"" or answer.startswith(b"ERROR\n")


def test_a_wrong_frame_end_is_a_frame_error(endpoint: Endpoint) -> None:
    """AMQP 0-9-1 §4.2.3"""
    client = amqp_connection(endpoint)
    frame = bytearray(amqp_frame(1, pika.spec.Channel.Open()))
    frame[FRAME_END_AT] = 0
    client.send(bytes(frame))
    assert amqp_closing_code(client) == 501


def test_an_unknown_frame_type_is_a_frame_error(endpoint: Endpoint) -> None:
    client = amqp_connection(endpoint)
    client.send(b"\x05\x00\x00\x00\x00\x00\x00\xce")
    assert amqp_closing_code(client) == 501


def test_a_body_without_a_method_is_an_unexpected_frame(endpoint: Endpoint) -> None:
    client = amqp_connection(endpoint)
    client.send(amqp_frame(1, pika.spec.Channel.Open()))
    assert isinstance(amqp_method(client), pika.spec.Channel.OpenOk)
    client.send(b"\x03\x00\x01\x00\x00\x00\x01x\xce")
    assert amqp_closing_code(client) == 505


def test_a_channel_that_was_not_opened_is_a_channel_error(endpoint: Endpoint) -> None:
    client = amqp_connection(endpoint)
    client.send(amqp_frame(7, pika.spec.Basic.Qos(prefetch_count=1)))
    assert amqp_closing_code(client) == 504


def test_opening_a_channel_twice_is_a_channel_error(endpoint: Endpoint) -> None:
    client = amqp_connection(endpoint)
    client.send(amqp_frame(1, pika.spec.Channel.Open()) * 2)
    assert isinstance(amqp_method(client), pika.spec.Channel.OpenOk)
    assert amqp_closing_code(client) == 504


@pytest.mark.parametrize(
    "packet",
    [
        b"\x30\x05\x00\x02" + BAD_UTF8 + b"x",
        b"\x82\x07\x00\x01\x00\x02" + BAD_UTF8 + b"\x00",
        b"\x30\x05\x00\x03a\x00b",
        b"\x30\x05\x00\x03a/+",
        b"\x36\x05\x00\x01a\x00\x01",
        b"\x80\x02\x00\x01",
        b"\x82\x02\x00\x01",
        b"\xf0\x00",
    ],
    ids=[
        "PUBLISH with invalid UTF-8",
        "SUBSCRIBE with invalid UTF-8",
        "PUBLISH with NUL",
        "PUBLISH with a wildcard",
        "PUBLISH with QoS 3",
        "SUBSCRIBE with wrong flags",
        "SUBSCRIBE without filters",
        "reserved packet type",
    ],
)
def test_a_malformed_mqtt_packet_closes_the_connection(endpoint: Endpoint, packet: bytes) -> None:
    client = mqtt_connection(endpoint)
    client.send(packet)
    assert client.read_to_the_end() == b""


def test_a_second_mqtt_connect_closes_the_connection(endpoint: Endpoint) -> None:
    """[MQTT-3.1.0-2]"""
    client = mqtt_connection(endpoint)
    client.send(mqtt_connect(endpoint))
    assert client.read_to_the_end() == b""


def test_a_second_stomp_connect_is_answered_with_an_error(endpoint: Endpoint) -> None:
    client = stomp_connection(endpoint)
    client.send(stomp_connect(endpoint))
    assert client.read_to_the_end().lstrip(b"\n").startswith(b"ERROR\n")


@pytest.mark.parametrize(
    "frame",
    [
        b"SEND\ndestination:/topic/" + BAD_UTF8 + b"\n\nx\0",
        b"SEND\ndestination:/topic/a\nbad:\\t\n\nx\0",
        b"SEND\ndestination:/topic/a\ncontent-length:-1\n\nx\0",
        b"SEND\ndestination:/topic/a\ncontent-length:1\n\nxyz\0",
        b"SEND\nno colon\n\nx\0",
        b"SEND\n\nx\0",
        b"NONSENSE\n\n\0",
        b"SUBSCRIBE\ndestination:/topic/a\n\n\0",
        b"ACK\nid:never-given\n\n\0",
        b"COMMIT\ntransaction:never-begun\n\n\0",
        b"SEND\ndestination:/nowhere/a\n\nx\0",
        b"SEND\ndestination:/exchange/no-such-exchange/a\n\nx\0",
    ],
    ids=[
        "invalid UTF-8",
        "unknown escape",
        "negative content-length",
        "content-length before the end",
        "header without a colon",
        "SEND without a destination",
        "unknown command",
        "SUBSCRIBE without an id",
        "ACK of nothing",
        "COMMIT of nothing",
        "unknown destination",
        "unknown exchange",
    ],
)
def test_a_bad_stomp_frame_is_answered_with_an_error(endpoint: Endpoint, frame: bytes) -> None:
    client = stomp_connection(endpoint)
    client.send(frame)
    answer = client.read_to_the_end()
    assert answer.lstrip(b"\n").startswith(b"ERROR\n")
    assert b"Traceback" not in answer
