"""STOMP 1.2 publishers and subscribers."""

import socket
import time
from typing import Final

from bench.load.body import STAMP_BYTES, body, stamp
from bench.load.link import RECEIVE_BYTES, Drain, Source, WorkError, dial

ACK_EVERY: Final = 64


def connect(port: int) -> socket.socket:
    """Open a connection and log in, blocking."""
    sock = dial(port)
    sock.sendall(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:0,0\n\n\x00")
    answer = read_until_nul(sock)
    if not answer.startswith(b"CONNECTED\n"):
        raise WorkError(f"CONNECT was answered {answer!r}")
    return sock


def read_until_nul(sock: socket.socket) -> bytes:
    """Read one frame of a handshake; nothing may be following it."""
    data = b""
    while b"\x00" not in data:
        piece = sock.recv(4096)
        if not piece:
            raise WorkError(f"the broker closed the connection after {data!r}")
        data += piece
    return data.lstrip(b"\n")


def subscribe(sock: socket.socket, destination: str, prefetch: int, *, ack: str = "client", selector: str = "") -> None:
    """Subscribe and wait for the receipt."""
    head = f"SUBSCRIBE\nid:0\nack:{ack}\nprefetch-count:{prefetch}\nactivemq.prefetchSize:{prefetch}\nreceipt:s\n"
    if selector:
        head += f"selector:{selector}\n"
    sock.sendall(f"{head}destination:{destination}\n\n\0".encode())
    answer = read_until_nul(sock)
    if not answer.startswith(b"RECEIPT\n"):
        raise WorkError(f"SUBSCRIBE was answered {answer!r}")


class StompSource(Source):
    """Sends to one destination, without receipts. Message n has the n-th of `headers`, round and round, all as long."""

    def __init__(
        self, sock: socket.socket, destination: str, size_bytes: int, window: int, headers: list[str] | None = None
    ) -> None:
        super().__init__(sock)
        headers = headers if headers is not None else [""]
        self.head = f"SEND\ndestination:{destination}\ncontent-length:{size_bytes}\n{headers[0]}\n".encode()
        content = body(size_bytes)
        self.tail = content[STAMP_BYTES:] + b"\x00"
        self.frame_bytes: int = len(self.head) + size_bytes + 1
        self.round: int = len(headers)
        start = self.head[: len(self.head) - len(headers[0]) - 1]
        frames = [start + header.encode() + b"\n" + content + b"\x00" for header in headers]
        self.block = b"".join(frames) * (window // len(headers) + 1)

    def publish(self, count: int) -> None:
        start = self.sent % self.round * self.frame_bytes
        self.sent += count
        self.confirmed = self.sent
        self.send(self.block[start : start + count * self.frame_bytes])

    def publish_stamped(self, stamps: list[int]) -> None:
        self.sent += len(stamps)
        self.confirmed = self.sent
        self.send(b"".join([self.head + stamp(time_ns) + self.tail for time_ns in stamps]))

    def readable(self) -> None:
        data = self.receive(RECEIVE_BYTES)
        if data.strip(b"\n"):
            raise WorkError(f"the broker said {data[:300]!r}")


class StompReceiptSource(StompSource):
    """Asks for a receipt with each message."""

    def __init__(self, sock: socket.socket, destination: str, size_bytes: int, window: int, more: str = "") -> None:
        headers = [f"{more}receipt:{number:05}\n" for number in range(window)]
        super().__init__(sock, destination, size_bytes, window, headers)
        self.receipts = FrameCount(b"RECEIPT\n")

    def publish(self, count: int) -> None:
        confirmed = self.confirmed
        super().publish(count)
        self.confirmed = confirmed

    def readable(self) -> None:
        self.confirmed += self.receipts.count(self.receive(RECEIVE_BYTES))


class FrameCount:
    """Counts frames of one command in pieces of a stream whose bodies hold neither NUL nor the command."""

    def __init__(self, command: bytes) -> None:
        self.command = command
        self.begun: int = 0
        self.ended: int = 0
        self.carry: bytes = b""  # which may hold the begin of a command

    def count(self, data: bytes) -> int:
        """Return how many frames have ended with this piece."""
        ended = data.count(b"\x00")
        joined = self.carry + data
        self.carry = joined[max(0, len(joined) - len(self.command) + 1) :]
        self.begun += joined.count(self.command)
        self.ended += ended
        if not 0 <= self.begun - self.ended <= 1:
            raise WorkError(f"not only {self.command!r} frames: {data[:300]!r}")
        return ended


class StompTopicDrain(Drain):
    """Counts the messages of a topic, which nobody acknowledges."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.messages = FrameCount(b"MESSAGE\n")

    def readable(self) -> None:
        self.received += self.messages.count(self.receive(RECEIVE_BYTES))


class StompDrain(Drain):
    """Receives messages whose bodies hold no NUL, and acknowledges every 64th with all before it."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.carry: bytes = b""

    def readable(self) -> None:
        data = self.receive(RECEIVE_BYTES)
        if self.carry:
            data = self.carry + data
        acks: list[bytes] = []
        position = 0
        while True:
            end = data.find(b"\x00", position)
            if end < 0:
                break
            while data[position] == 10:  # end-of-line octets between frames
                position += 1
            if data[position] != 77:  # the M of MESSAGE
                raise WorkError(f"not a MESSAGE: {data[position : position + 300]!r}")
            self.received += 1
            if self.stamped:
                at = data.find(b"\n\n", position) + 2
                self.latencies.append(time.monotonic_ns() - int(data[at : at + STAMP_BYTES], 16))
            if not self.received % ACK_EVERY:
                acks.append(acknowledgement(data[position:end]))
            position = end + 1
        self.carry = data[position:]
        if acks:
            self.send(b"".join(acks))


def acknowledgement(message: bytes) -> bytes:
    """Encode the ACK of a MESSAGE frame, by its `ack` header (STOMP 1.2 "MESSAGE")."""
    at = message.find(b"\nack:")
    if at < 0:
        raise WorkError(f"a MESSAGE without an ack header: {message[:300]!r}")
    return b"ACK\nid:" + message[at + 5 : message.find(b"\n", at + 5)] + b"\n\n\x00"
