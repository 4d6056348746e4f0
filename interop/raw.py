"""Bytes over a plain socket, for what no client library would send."""

import socket
from typing import Any, Final

import pika.frame
import pika.spec

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

AMQP_HEADER: Final = b"AMQP\0\0\x09\x01"
MQTT_CONNACK: Final = b"\x20\x02\x00\x00"


class RawSocket:
    """A socket whose peer may close at any time: sending into a closed connection is no error here."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=ANSWER_LIMIT_S)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def send_what_is_taken(self, data: bytes, patience_s: float = 0.5) -> bool:
        """Send until the peer reads no more for a while, or closes; False when not all was taken."""
        left = memoryview(data)
        self._socket.settimeout(patience_s)
        try:
            while left:
                left = left[self._socket.send(left) :]
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return False
        finally:
            self._socket.settimeout(ANSWER_LIMIT_S)
        return True

    def read(self, count: int) -> bytes:
        """Return exactly that many bytes; AssertionError when the stream ends before."""
        taken = self.read_or_end(count)
        assert len(taken) == count, f"the stream ends after {taken!r}"
        return taken

    def read_or_end(self, count: int) -> bytes:
        """Return that many bytes, or what there is when the stream ends before."""
        while len(self._buffer) < count and (data := self._receive()):
            self._buffer += data
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def read_to_the_end(self) -> bytes:
        """Return everything that comes until the peer closes; TimeoutError when it does not close."""
        while data := self._receive():
            self._buffer += data
        self._socket.close()
        taken, self._buffer = self._buffer, b""
        return taken

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except ConnectionResetError:
            return b""


def mqtt_connection(endpoint: Endpoint, client_id: bytes = b"raw-1") -> RawSocket:
    """Return a socket after CONNECT and CONNACK of a client without credentials."""
    client = RawSocket(endpoint.host, endpoint.ports["mqtt"])
    client.send(mqtt_connect(endpoint, client_id))
    assert client.read(4) == MQTT_CONNACK
    return client


def mqtt_connect(endpoint: Endpoint, client_id: bytes = b"raw-1") -> bytes:
    """Return a CONNECT of a clean session, with credentials where the broker wants some."""
    flags, payload = 0x02, len(client_id).to_bytes(2, "big") + client_id
    if endpoint.named:
        flags |= 0xC0
        for word in (endpoint.user, endpoint.password):
            payload += len(word).to_bytes(2, "big") + word.encode()
    body = b"\x00\x04MQTT\x04" + bytes([flags]) + b"\x00\x3c" + payload
    return bytes([0x10, len(body)]) + body


def stomp_connection(endpoint: Endpoint) -> RawSocket:
    """Return a socket after CONNECT and CONNECTED."""
    client = RawSocket(endpoint.host, endpoint.ports["stomp"])
    client.send(stomp_connect(endpoint))
    answer = b""
    while not answer.endswith(b"\0"):
        answer += client.read(1)
    assert answer.startswith(b"CONNECTED\n"), answer
    return client


def stomp_connect(endpoint: Endpoint) -> bytes:
    """Return a CONNECT of STOMP 1.2."""
    text = f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{endpoint.user}\npasscode:{endpoint.password}\n\n\0"
    return text.encode()


def amqp_method(client: RawSocket) -> Any:
    """Return the next frame's method, decoded by pika."""
    start = client.read(7)
    rest = client.read(int.from_bytes(start[3:7], "big") + 1)
    _, frame = pika.frame.decode_frame(start + rest)
    return frame.method


def amqp_greeted(endpoint: Endpoint) -> RawSocket:
    """Return a socket after the protocol header and connection.start."""
    client = RawSocket(endpoint.host, endpoint.ports["amqp"])
    client.send(AMQP_HEADER)
    assert isinstance(amqp_method(client), pika.spec.Connection.Start)
    return client


def amqp_connection(endpoint: Endpoint) -> RawSocket:
    """Return a socket on which a connection is open, without a channel."""
    client = amqp_greeted(endpoint)
    response = f"\0{endpoint.user}\0{endpoint.password}"
    client.send(amqp_frame(0, pika.spec.Connection.StartOk({}, "PLAIN", response, "en_US")))
    tune = amqp_method(client)
    assert isinstance(tune, pika.spec.Connection.Tune)
    client.send(
        amqp_frame(0, pika.spec.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
        + amqp_frame(0, pika.spec.Connection.Open("/"))
    )
    assert isinstance(amqp_method(client), pika.spec.Connection.OpenOk)
    return client


def amqp_frame(channel: int, method: Any) -> bytes:
    """Return a method frame, encoded by pika."""
    data: bytes = pika.frame.Method(channel, method).marshal()
    return data


def amqp_closing_code(client: RawSocket) -> int:
    """Return the code of the connection.close that the broker sends, and answer it."""
    method = amqp_method(client)
    assert isinstance(method, pika.spec.Connection.Close), method
    client.send(amqp_frame(0, pika.spec.Connection.CloseOk()))
    client.read_to_the_end()
    return int(method.reply_code)
