"""Retained messages: stored once, then delivered to one new subscriber of a wildcard after the other.

What counts is the time from SUBSCRIBE to the last of them; connecting and closing lie between. Every delivery has one
size, and the end of the last is found by counting bytes.
"""

import socket
import time
from typing import Final

from bench.load import mqtt, mqtt_frames
from bench.load.body import body
from bench.load.link import RECEIVE_BYTES, WorkError, read_exactly
from bench.load.loop import Figures, Meter, Timing

BRANCHES: Final = 100  # of the tree of topics; each has as many leaves as are needed
STORE_AT_ONCE: Final = 1_000  # publications under way while the messages are stored
RETAINED: Final = 0x01  # the flag, in the first byte of a PUBLISH
SUBACK_BYTES: Final = 5


def store(sock: socket.socket, prefix: str, count: int, size_bytes: int) -> int:
    """Publish `count` retained messages at QoS 1, each to a topic of its own; return what one takes as QoS 0."""
    content = body(size_bytes)
    delivery_bytes = 0
    for begin in range(0, count, STORE_AT_ONCE):
        end = min(begin + STORE_AT_ONCE, count)
        block = bytearray()
        for number in range(begin, end):
            topic = f"{prefix}/{number % BRANCHES:02}/{number // BRANCHES:04}"
            packet = bytearray(mqtt_frames.publish(topic, 1, number - begin + 1, content))
            packet[0] |= RETAINED
            block += packet
            delivery_bytes = len(packet) - 2  # without the packet identifier
        sock.sendall(block)
        answers = read_exactly(sock, 4 * (end - begin))
        if answers[::4].count(mqtt_frames.PUBACK) != end - begin:
            raise WorkError(f"not a PUBACK: {answers[:80]!r}")
    return delivery_bytes


def greet(sock: socket.socket, topic_filter: str, count: int, delivery_bytes: int) -> float:
    """Subscribe at QoS 0 and take `count` retained messages; return the seconds to the last."""
    wanted = SUBACK_BYTES + count * delivery_bytes
    data = bytearray(wanted + RECEIVE_BYTES)
    view = memoryview(data)
    request = mqtt_frames.subscribe(topic_filter, 0)
    taken = 0
    started = time.monotonic()
    sock.sendall(request)
    while taken < wanted:
        more = sock.recv_into(view[taken:])
        if not more:
            raise WorkError("the broker closed the connection")
        taken += more
    elapsed = time.monotonic() - started
    first = 0x30 | RETAINED
    at = SUBACK_BYTES if data[0] == mqtt_frames.SUBACK else 0  # it may also come last (§3.8.4)
    if taken != wanted or data[at : at + count * delivery_bytes : delivery_bytes].count(first) != count:
        raise WorkError(f"not the retained messages: {bytes(data[:80])!r}")
    return elapsed


def greet_in_turn(port: int, run: str, count: int, size_bytes: int, timing: Timing) -> Figures:
    """Have new subscribers greeted one after the other; `seconds` is the sum of the times that they waited."""
    prefix = f"bench/{run}"
    publisher = mqtt.connect(port, f"{run}-pub")
    delivery_bytes = store(publisher, prefix, count, size_bytes)
    meter = Meter(timing)
    greeted = 0
    waited_s = 0.0
    while not meter.over(greeted * count, time.monotonic()):
        sock = mqtt.connect(port, f"{run}-sub-{greeted}")
        waiting_s = greet(sock, f"{prefix}/#", count, delivery_bytes)
        sock.close()
        greeted += 1
        if meter.running:
            waited_s += waiting_s
    figures = meter.stop(greeted * count)
    figures.seconds = waited_s
    clear(publisher, prefix, count)
    return figures


def clear(sock: socket.socket, prefix: str, count: int) -> None:
    """Delete what `store` has stored."""
    for number in range(count):
        topic = f"{prefix}/{number % BRANCHES:02}/{number // BRANCHES:04}"
        packet = bytearray(mqtt_frames.publish(topic, 0, 0, b""))
        packet[0] |= RETAINED
        sock.sendall(packet)
    sock.sendall(b"\xc0\x00")  # PINGREQ: its answer says that all are done
    read_exactly(sock, 2)
    sock.close()
