"""A backlog in one durable queue of AMQP: persistent, numbered messages are put there under confirms, and taken out in order."""

import socket
import statistics
import time
from pathlib import Path
from typing import Final

from bench.load import amqp
from bench.load import amqp_frames as frames
from bench.load.amqp import AmqpDrain, AmqpSource
from bench.load.body import STAMP_BYTES
from bench.load.confirms import persistent
from bench.load.idle import resident_bytes
from bench.load.link import WorkError
from bench.load.loop import Loop, Standstill
from bench.load.order import Order

PATIENCE_S: Final = 30.0  # without a confirm or a delivery
SAMPLE_SHARE: Final = 20  # a twentieth of the messages is a sample
SAMPLES: Final = 5  # of the rate behind the backlog, and as many of that into an empty queue


class OrderedDrain(AmqpDrain):
    """A consumer of messages that are numbered in their stamps, the first of which it has had."""

    def __init__(self, sock: socket.socket, delivery_bytes: int, size_bytes: int) -> None:
        super().__init__(sock, delivery_bytes, size_bytes)
        self.stamped = True

    def clock(self, count: int) -> None:
        expected = self.received
        position = self.stamp_at
        for number in range(expected, expected + count):
            found = int(self.buffer[position : position + STAMP_BYTES], 16)
            if found != number:
                raise WorkError(f"message {found} came where {number} should have: order is lost")
            position += self.size


class Filled:
    """What filling a queue showed, in messages a second."""

    def __init__(self) -> None:
        self.rate: float = 0.0  # of those before the samples
        self.empty_rate: float = 0.0  # into empty queues, while the other has its backlog; of samples, the median
        self.deep_rate: float = 0.0  # behind the backlog, in alternation with those


def queue_of(order: Order) -> str:
    return f"bench-{order.run}"


def fill(order: Order) -> Filled:
    """Put the order's messages into a new queue, the last of them in samples beside samples into empty queues."""
    sample = max(1, order.messages // SAMPLE_SHARE)
    queue = queue_of(order)
    into_empty(order, f"{queue}-warm-up", sample)  # a broker just started is slower
    source = publisher(order, queue)
    loop = Loop([source])
    figures = Filled()
    figures.rate = put(loop, source, max(1, order.messages - SAMPLES * sample), order.window)
    empty: list[float] = []
    deep: list[float] = []
    while source.sent < order.messages:
        empty.append(into_empty(order, f"{queue}-{source.sent}", sample))
        deep.append(put(loop, source, min(source.sent + sample, order.messages), order.window))
    figures.empty_rate = statistics.median(empty)
    figures.deep_rate = statistics.median(deep)
    loop.close()
    return figures


def into_empty(order: Order, queue: str, count: int) -> float:
    """Put so many messages into a new queue, delete it, and return the rate without that."""
    source = publisher(order, queue)
    loop = Loop([source])
    rate = put(loop, source, count, order.window)
    loop.close()
    delete(order.ports["amqp"], queue)
    return rate


def publisher(order: Order, queue: str) -> AmqpSource:
    """Declare a durable queue and connect a publisher of persistent messages to it."""
    sock = amqp.connect(order.ports["amqp"])
    amqp.declare(sock, queue, flags=frames.DURABLE)
    return AmqpSource(sock, persistent(queue, order.size_bytes), order.size_bytes, 1, True)


def put(loop: Loop, source: AmqpSource, until: int, window: int) -> float:
    """Publish up to a number of messages, wait until all of them are confirmed, and return the rate."""
    count = until - source.sent
    started = time.monotonic()
    confirms = Standstill(PATIENCE_S)
    while source.confirmed < until:
        room = min(window - source.sent + source.confirmed, until - source.sent)
        if room >= min(window // 16 + 1, until - source.sent) and room > 0:
            source.publish_stamped(list(range(source.sent, source.sent + room)))
        loop.turn(0.1)
        if confirms.lasts(source.confirmed, time.monotonic()):
            raise WorkError(f"nothing was confirmed for {PATIENCE_S:.0f} s behind {source.confirmed} messages")
    return count / (time.monotonic() - started)


def take_out(order: Order) -> float:
    """Take all of them out in order; return how long it took, and leave no queue behind."""
    queue = queue_of(order)
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue, flags=frames.DURABLE)
    started = time.monotonic()
    amqp.consume(consumer, queue, order.window)
    drain = OrderedDrain(consumer, amqp.measure_delivery(consumer, order.size_bytes), order.size_bytes)
    loop = Loop([drain])
    deliveries = Standstill(PATIENCE_S)
    while drain.received < order.messages:
        loop.turn(0.1)
        if deliveries.lasts(drain.received, time.monotonic()):
            raise WorkError(f"nothing came for {PATIENCE_S:.0f} s after {drain.received} of {order.messages} messages")
    elapsed = time.monotonic() - started
    loop.close()
    delete(order.ports["amqp"], queue)
    return elapsed


def delete(port: int, queue: str) -> None:
    sock = amqp.connect(port)
    sock.settimeout(PATIENCE_S)
    sock.sendall(frames.delete_queue(queue))
    amqp.expect(sock, 50, 41)
    sock.close()


def peak_bytes(pid: int) -> int:
    """Return the most resident memory that a process has had, as far as the system knows it."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resident_bytes(pid)
