"""A client's non-blocking socket, as the generator's loop sees it.

The generator must cost far less than the broker it measures, so a link never looks at a message where counting bytes
is enough, sends one large buffer where it can, and keeps what the socket did not take until the loop says writable.
"""

import select
import socket
from typing import Final

RECEIVE_BYTES: Final = 256 << 10  # one read; larger reads gained nothing on loopback
CONNECT_TIMEOUT_S: Final = 10.0  # for the handshake, which is done blocking


class WorkError(Exception):
    """The broker closed a connection or said something the work does not allow for."""


class Link:
    """One connection: what it has to send, and what to do when it can be read."""

    def __init__(self, sock: socket.SocketType) -> None:
        self.sock = sock
        self.fd: int = sock.fileno()
        self.rest: bytes = b""
        self.poller: select.epoll | None = None
        sock.setblocking(False)

    def attach(self, poller: select.epoll) -> None:
        self.poller = poller
        poller.register(self.fd, select.EPOLLIN)

    def send(self, data: bytes) -> None:
        if self.rest:
            self.rest += data
            return
        try:
            taken = self.sock.send(data)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            raise WorkError(f"the broker reset the connection: {error}") from error
        if taken < len(data):
            self.rest = data[taken:]
            if self.poller is not None:
                self.poller.modify(self.fd, select.EPOLLIN | select.EPOLLOUT)

    def writable(self) -> None:
        data = self.rest
        self.rest = b""
        if self.poller is not None:
            self.poller.modify(self.fd, select.EPOLLIN)
        if data:
            self.send(data)

    def readable(self) -> None:
        """Take what has arrived. A machine of a protocol overrides this."""
        self.receive(RECEIVE_BYTES)

    def receive(self, limit_bytes: int) -> bytes:
        try:
            data = self.sock.recv(limit_bytes)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise WorkError(f"the broker reset the connection: {error}") from error
        if not data:
            raise WorkError("the broker closed the connection")
        return data

    def close(self) -> None:
        self.sock.close()


class Source(Link):
    """A publisher. `sent - confirmed` messages are unconfirmed; without confirms the two are equal."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.sent: int = 0
        self.confirmed: int = 0

    def publish(self, count: int) -> None:
        """Send the next `count` messages, at most a window, in one piece."""

    def publish_share(self) -> int:
        """Send what is this publisher's turn among many, and return how many messages that is."""
        return 0

    def publish_stamped(self, stamps: list[int]) -> None:
        """Send one message for each stamp, with the stamp (nanoseconds) as its body's first 16 digits."""


class Drain(Link):
    """A subscriber. `received` counts whole messages; with `stamped` their latencies are kept, in nanoseconds."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.received: int = 0
        self.stamped: bool = False
        self.latencies: list[int] = []


def dial(port: int, source: str = "") -> socket.socket:
    """Connect to a broker on loopback, blocking, from the loopback address `source` if one is given."""
    origin = (source, 0) if source else None
    sock = socket.create_connection(("127.0.0.1", port), CONNECT_TIMEOUT_S, source_address=origin)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """Read `count` bytes from a blocking socket during a handshake."""
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise WorkError("the broker closed the connection during the handshake")
        data += piece
    return data
