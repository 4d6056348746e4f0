"""`dragoman ping`: ask a running broker whether it answers, in a protocol it serves; for health checks.

A port that accepts proves nothing: the kernel accepts for a process that hangs. So the broker itself must answer, and
AMQP is preferred because its first answer comes before any login.
"""

import socket
import ssl
from collections.abc import Sequence
from typing import Final

from gateway.config import REQUIRED, Listener
from gateway.values import reached_at

PING_LIMIT_S: Final = 3.0
ANSWER_LIMIT_BYTES: Final = 64

AMQP_HEADER: Final = b"AMQP\x00\x00\x09\x01"
AMQP_START: Final = b"\x01\x00\x00"  # a method frame on channel 0: Connection.Start (AMQP 0-9-1 §4.2.2)
MQTT_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"  # clean session, no client id, no credentials
MQTT_CONNACK: Final = b"\x20\x02"  # with whatever return code
STOMP_CONNECT: Final = b"CONNECT\naccept-version:1.2\nhost:/\n\n\x00"
# How OpenSSL names the alert, in TLS 1.3 (RFC 8446 §6.2) and in TLS 1.2.
CERTIFICATE_MISSED: Final = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"})
STOMP_ANSWERS: Final = (b"CONNECTED", b"ERROR")
WEBSOCKET_REQUEST: Final = (
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZHJhZ29tYW4gcGluZyAhIQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
WEBSOCKET_ANSWER: Final = b"HTTP/1.1 101 "

# What to say, and how an answer begins.
PROBES: Final[dict[str, tuple[bytes, tuple[bytes, ...]]]] = {
    "amqp": (AMQP_HEADER, (AMQP_START,)),
    "auto": (AMQP_HEADER, (AMQP_START,)),
    "mqtt": (MQTT_CONNECT, (MQTT_CONNACK,)),
    "stomp": (STOMP_CONNECT, STOMP_ANSWERS),
    "websocket": (WEBSOCKET_REQUEST, (WEBSOCKET_ANSWER,)),
}


def most_telling(listeners: Sequence[Listener]) -> Listener:
    """Return the listener to ask: all of them are served by one loop, so one answer speaks for all."""
    return min(listeners, key=lambda listener: list(PROBES).index(listener.protocol))


def ping(listener: Listener, limit_s: float = PING_LIMIT_S) -> None:
    """Return if the broker answers there; OSError says why not."""
    try:
        _ask(listener, limit_s)
    except ssl.SSLError as error:
        # Only a broker that lives can miss a certificate.
        if listener.client_certificate != REQUIRED or error.reason not in CERTIFICATE_MISSED:
            raise


def _ask(listener: Listener, limit_s: float) -> None:
    said, expected = PROBES[listener.protocol]
    host = reached_at(listener.host)
    with socket.create_connection((host, listener.port), timeout=limit_s) as plain:
        connection = _encrypted(plain) if listener.encrypted else plain
        with connection:
            connection.sendall(said)
            answer = b""
            while not answer.startswith(expected):
                if len(answer) > ANSWER_LIMIT_BYTES:
                    raise OSError(f"the answer is not {listener.protocol}: {answer[:ANSWER_LIMIT_BYTES]!r}")
                chunk = connection.recv(ANSWER_LIMIT_BYTES)
                if not chunk:
                    raise OSError("the connection was closed without an answer")
                answer += chunk


def _encrypted(plain: socket.socket) -> ssl.SSLSocket:
    # Whether the broker lives is the question, not who it is: no credentials are sent.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)
