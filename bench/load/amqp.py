"""AMQP 0-9-1 publishers and consumers on channel 1 of a connection of their own.

The size of a delivery is measured on a first message during the handshake, since only the broker knows which
properties it adds.
"""

import socket
from typing import Final

from bench.load import amqp_frames as frames
from bench.load.body import STAMP_BYTES, stamp
from bench.load.link import RECEIVE_BYTES, Source, WorkError, dial, read_exactly
from bench.load.stride import StrideDrain

ACK_EVERY: Final = 64
BINDS_AT_ONCE: Final = 500
DEFINE_TIMEOUT_S: Final = 60.0  # for thousands of bindings; RabbitMQ takes seconds, on a machine with other work more


def read_frame(sock: socket.socket) -> bytes:
    """Read one whole frame from a blocking socket."""
    head = read_exactly(sock, 7)
    return head + read_exactly(sock, int.from_bytes(head[3:7], "big") + 1)


def expect(sock: socket.socket, class_id: int, method_id: int) -> bytes:
    """Read the next frame, which must be this method, and return its arguments."""
    data = read_frame(sock)
    found = (data[0], int.from_bytes(data[7:9], "big"), int.from_bytes(data[9:11], "big"))
    if found != (1, class_id, method_id):
        raise WorkError(f"expected method {class_id}.{method_id}, got {data[:120]!r}")
    return data[11:-1]


def connect(port: int) -> socket.socket:
    """Open a connection and channel 1, blocking."""
    sock = dial(port)
    sock.sendall(b"AMQP\x00\x00\x09\x01")
    expect(sock, 10, 10)
    sock.sendall(frames.start_ok())
    offer = expect(sock, 10, 30)
    sock.sendall(frames.tune_ok(offer) + frames.open_connection())
    expect(sock, 10, 41)
    sock.sendall(frames.open_channel())
    expect(sock, 20, 11)
    return sock


def declare(
    sock: socket.socket, queue: str, exchange: str = "", key: str = "", flags: int = frames.AUTO_DELETE
) -> None:
    """Declare a queue, and bind it if an exchange is named."""
    sock.sendall(frames.declare_queue(queue, flags))
    expect(sock, 50, 11)
    if exchange:
        bind(sock, queue, exchange, [key])


def bind(sock: socket.socket, queue: str, exchange: str, keys: list[str]) -> None:
    """Bind a queue with each of the keys, so many at a time that neither side waits for the other to read."""
    sock.settimeout(DEFINE_TIMEOUT_S)
    for start in range(0, len(keys), BINDS_AT_ONCE):
        some = keys[start : start + BINDS_AT_ONCE]
        sock.sendall(b"".join([frames.bind_queue(queue, exchange, key) for key in some]))
        for _ in some:
            expect(sock, 50, 21)


def declare_exchange(sock: socket.socket, name: str, kind: str) -> None:
    sock.sendall(frames.declare_exchange(name, kind))
    expect(sock, 40, 11)


def delete_exchange(port: int, name: str) -> None:
    """Wait until an exchange is gone with its bindings, so that none is taken away during the next run."""
    sock = connect(port)
    sock.settimeout(DEFINE_TIMEOUT_S)
    sock.sendall(frames.delete_exchange(name))
    expect(sock, 40, 21)
    sock.close()


def consume(sock: socket.socket, queue: str, prefetch: int) -> None:
    sock.sendall(frames.qos(prefetch))
    expect(sock, 60, 11)
    sock.sendall(frames.consume(queue))
    expect(sock, 60, 21)


def measure_delivery(sock: socket.socket, size_bytes: int) -> int:
    """Read the first delivery and return how many bytes its frames take."""
    data = read_frame(sock)
    if data[:1] != b"\x01" or data[7:11] != b"\x00\x3c\x00\x3c":
        raise WorkError(f"not a Basic.Deliver: {data[:120]!r}")
    header = read_frame(sock)
    content = read_frame(sock)
    if len(content) != size_bytes + 8:
        raise WorkError(f"the body came as a frame of {len(content)} bytes")
    return len(data) + len(header) + len(content)


class AmqpSource(Source):
    """Publishes one message, encoded in advance, over and over, with or without confirms."""

    def __init__(self, sock: socket.socket, publication: bytes, size_bytes: int, window: int, confirms: bool) -> None:
        if confirms:
            sock.sendall(frames.select_confirms())
            expect(sock, 85, 11)
        super().__init__(sock)
        self.frame_bytes: int = len(publication)
        self.head = publication[: -size_bytes - 1]
        self.tail = publication[STAMP_BYTES - size_bytes - 1 :]
        self.block = publication * window
        self.confirms = confirms
        self.carry: bytes = b""

    def publish(self, count: int) -> None:
        self.sent += count
        if not self.confirms:
            self.confirmed = self.sent
        self.send(self.block[: count * self.frame_bytes])

    def publish_stamped(self, stamps: list[int]) -> None:
        self.sent += len(stamps)
        if not self.confirms:
            self.confirmed = self.sent
        self.send(b"".join([self.head + stamp(time_ns) + self.tail for time_ns in stamps]))

    def readable(self) -> None:
        """Take confirms. The last one is enough: a broker confirms a queue's transient messages in order."""
        data = self.receive(RECEIVE_BYTES)
        if self.carry:
            data = self.carry + data
        count = len(data) // frames.ACK_BYTES
        whole = count * frames.ACK_BYTES
        self.carry = data[whole:]
        if not count:
            return
        if data[10 : whole : frames.ACK_BYTES].count(80) != count:
            raise WorkError(f"not a Basic.Ack: {data[:200]!r}")
        tag = int.from_bytes(data[whole - 10 : whole - 2], "big")
        self.confirmed = max(self.confirmed, tag)


class AmqpKeySource(AmqpSource):
    """Publishes as many different messages as there are, encoded in advance, in turn: all of one size, no window larger."""

    def __init__(self, sock: socket.socket, publications: list[bytes], size_bytes: int) -> None:
        super().__init__(sock, publications[0], size_bytes, 1, False)
        self.block = b"".join(publications) * 2  # twice over, so that any window is one slice
        self.count: int = len(publications)

    def publish(self, count: int) -> None:
        start = self.sent % self.count * self.frame_bytes
        self.sent += count
        self.confirmed = self.sent
        self.send(self.block[start : start + count * self.frame_bytes])


class AmqpDrain(StrideDrain):
    """Consumes, and acknowledges every 64th delivery, or as many as are said, with all before it."""

    def __init__(self, sock: socket.socket, delivery_bytes: int, size_bytes: int, ack_every: int = ACK_EVERY) -> None:
        """Take over a consumer to which one delivery, already read, has been made."""
        super().__init__(sock, delivery_bytes, delivery_bytes - size_bytes - 1)
        self.ack_every = ack_every
        self.tag: int = 1
        self.received = 1

    def regular(self, count: int, whole: int) -> bool:
        return self.buffer[self.size - 1 : whole : self.size].count(frames.END) == count

    def took(self, count: int, whole: int) -> None:
        before = self.tag
        self.tag += count
        acks: list[bytes] = []
        for boundary in range(before // self.ack_every + 1, self.tag // self.ack_every + 1):
            acks.append(frames.ack_up_to(boundary * self.ack_every))
        if acks:
            self.send(b"".join(acks))
