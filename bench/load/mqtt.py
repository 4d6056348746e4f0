"""MQTT 3.1.1 publishers and subscribers.

Packet identifiers of the publisher go round a window's worth of packets encoded in advance, twice over, so that any
window is one slice. A broker acknowledges in the order of publication [MQTT-4.6.0-2], which makes that safe.
"""

import socket

from bench.load import mqtt_frames as frames
from bench.load.body import STAMP_BYTES, body, stamp
from bench.load.link import RECEIVE_BYTES, Drain, Source, WorkError, dial, read_exactly
from bench.load.stride import StrideDrain


def connect(port: int, client_id: str, source: str = "", *, clean: bool = True) -> socket.socket:
    """Open a connection and log in, blocking; there is no session yet, and without `clean` one stays."""
    sock = dial(port, source)
    sock.sendall(frames.connect(client_id, clean=clean))
    answer = read_exactly(sock, 4)
    if answer != b"\x20\x02\x00\x00":
        raise WorkError(f"CONNECT was answered {answer!r}")
    return sock


def subscribe(sock: socket.socket, topic_filter: str, qos: int) -> None:
    sock.sendall(frames.subscribe(topic_filter, qos))
    answer = read_exactly(sock, 5)
    if answer != b"\x90\x03\x00\x01" + bytes((qos,)):
        raise WorkError(f"SUBSCRIBE was answered {answer!r}")


class MqttSource(Source):
    """Publishes to one topic at QoS 0, 1 or 2."""

    def __init__(self, sock: socket.socket, topic: str, qos: int, size_bytes: int, window: int) -> None:
        super().__init__(sock)
        self.topic = topic
        self.qos = qos
        self.window = window
        content = body(size_bytes)
        self.tail = content[STAMP_BYTES:]
        block = b"".join(frames.publish(topic, qos, number + 1, content) for number in range(window))
        self.block = block + block
        self.frame_bytes: int = len(block) // window
        self.carry: bytes = b""

    def publish(self, count: int) -> None:
        start = self.sent % self.window * self.frame_bytes
        self.sent += count
        if not self.qos:
            self.confirmed = self.sent
        self.send(self.block[start : start + count * self.frame_bytes])

    def publish_stamped(self, stamps: list[int]) -> None:
        pieces: list[bytes] = []
        for time_ns in stamps:
            content = stamp(time_ns) + self.tail
            pieces.append(frames.publish(self.topic, self.qos, self.sent % 65_535 + 1, content))
            self.sent += 1
        if not self.qos:
            self.confirmed = self.sent
        self.send(b"".join(pieces))

    def readable(self) -> None:
        data = self.receive(RECEIVE_BYTES)
        if self.carry:
            data = self.carry + data
        whole = len(data) & ~3  # PUBACK, PUBREC and PUBCOMP take four bytes each
        self.carry = data[whole:]
        if self.qos == 1:
            if data[:whole:4].count(frames.PUBACK) != whole >> 2:
                raise WorkError(f"not a PUBACK: {data[:80]!r}")
            self.confirmed += whole >> 2
        else:
            self.answer(data, whole)

    def answer(self, data: bytes, whole: int) -> None:
        """Release what QoS 2 publications have reached the broker, and count those that are complete."""
        completed = data[:whole:4].count(frames.PUBCOMP)
        self.confirmed += completed
        received = (whole >> 2) - completed
        if not received:
            return
        if completed:
            pieces = [data[at : at + 4] for at in range(0, whole, 4) if data[at] == frames.PUBREC]
            data = b"".join(pieces)
        if data[: received * 4 : 4].count(frames.PUBREC) != received:
            raise WorkError(f"not a PUBREC: {data[:80]!r}")
        self.send(settle(frames.PUBREL, data[2 : received * 4 : 4], data[3 : received * 4 : 4]))


def settle(first: int, high: bytes, low: bytes) -> bytes:
    """Encode one acknowledgement for each packet identifier, given as their high and their low bytes."""
    answers = bytearray(bytes((first, 2, 0, 0)) * len(high))
    answers[2::4] = high
    answers[3::4] = low
    return bytes(answers)


class MqttDrain(StrideDrain):
    """Receives deliveries of one size at QoS 0 or 1, and acknowledges those of QoS 1 once per read."""

    def __init__(
        self, sock: socket.socket, topic: str, qos: int, size_bytes: int, limit_bytes: int = RECEIVE_BYTES
    ) -> None:
        sample = frames.publish(topic, qos, 1, body(size_bytes))
        super().__init__(sock, len(sample), len(sample) - size_bytes, limit_bytes)
        self.first: int = sample[0]
        self.qos = qos

    def regular(self, count: int, whole: int) -> bool:
        return self.buffer[: whole : self.size].count(self.first) == count

    def took(self, count: int, whole: int) -> None:
        if self.qos:
            at = self.stamp_at - 2
            high = self.buffer[at : whole : self.size]
            low = self.buffer[at + 1 : whole : self.size]
            self.send(settle(frames.PUBACK, bytes(high), bytes(low)))


class MqttExactDrain(Drain):
    """Receives at QoS 2. A message counts when the broker has released it."""

    def __init__(self, sock: socket.socket, topic: str, size_bytes: int) -> None:
        super().__init__(sock)
        sample = frames.publish(topic, 2, 1, body(size_bytes))
        self.size: int = len(sample)
        self.identifier_at: int = self.size - size_bytes - 2
        self.carry: bytes = b""

    def readable(self) -> None:
        data = self.receive(RECEIVE_BYTES)
        if self.carry:
            data = self.carry + data
        answers = bytearray()
        position = 0
        end = len(data)
        while position < end:
            first = data[position]
            if first == 0x34:
                after = position + self.size
                if after > end:
                    break
                at = position + self.identifier_at
                answers += b"\x50\x02"
                answers += data[at : at + 2]
            elif first == frames.PUBREL:
                after = position + 4
                if after > end:
                    break
                answers += b"\x70\x02"
                answers += data[position + 2 : after]
                self.received += 1
            else:
                raise WorkError(f"not a PUBLISH or PUBREL: {data[position : position + 80]!r}")
            position = after
        self.carry = data[position:]
        if answers:
            self.send(bytes(answers))
