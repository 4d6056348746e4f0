"""The work items that define and take away again, over AMQP: channels, and queues.

Sixteen connections each have one request under way, as a client has that waits for its answers. That is enough to keep a
broker busy: with one connection the figure would be the machine's time to wake a process, for all brokers alike.
"""

import socket
import time
from typing import Final

from bench.load import amqp
from bench.load import amqp_frames as frames
from bench.load.link import RECEIVE_BYTES, Link, WorkError
from bench.load.loop import STALL_S, Loop, Meter
from bench.load.order import Order, Work, rates

CONNECTIONS: Final = 16
CHANNEL: Final = 2  # the one that comes and goes; 1 stays


class Churner(Link):
    """Sends requests in turn, each when the one before has been answered as it must be; `rounds` counts whole turns."""

    def __init__(self, sock: socket.socket, requests: list[bytes], answers: list[bytes]) -> None:
        super().__init__(sock)
        self.requests = requests
        self.answers = answers
        self.step: int = 0
        self.rounds: int = 0
        self.ending: bool = False
        self.idle: bool = True
        self.carry: bytes = b""

    def begin(self) -> None:
        self.idle = False
        self.send(self.requests[0])

    def readable(self) -> None:
        data = self.carry + self.receive(RECEIVE_BYTES)
        answer = self.answers[self.step]
        self.carry = data
        if len(data) < len(answer):
            return
        if data != answer:
            raise WorkError(f"request {self.step} was answered {data[:200]!r}")
        self.carry = b""
        self.step += 1
        if self.step == len(self.requests):
            self.step = 0
            self.rounds += 1
            if self.ending:
                self.idle = True
                return
        self.send(self.requests[self.step])


def churn(churners: list[Churner], order: Order) -> dict[str, float]:
    """Let all of them go round until the time is over, and then finish what they have begun."""
    links: list[Link] = []
    links.extend(churners)
    loop = Loop(links)
    meter = Meter(order.broker_pid)
    for churner in churners:
        churner.begin()
    begun = time.monotonic()
    turn_until(loop, churners, begun + order.warmup_s)
    meter.start(rounds(churners))
    turn_until(loop, churners, meter.started + order.seconds)
    figures = meter.stop(rounds(churners))
    for churner in churners:
        churner.ending = True
    turn_until(loop, churners, time.monotonic() + STALL_S)
    loop.close()
    return rates(figures)


def turn_until(loop: Loop, churners: list[Churner], deadline: float) -> None:
    """Serve the sockets until `deadline`, or until everybody is idle; an error if nothing happens for too long."""
    moved = time.monotonic()
    while True:
        count = loop.turn(0.1)
        now = time.monotonic()
        if count:
            moved = now
        elif now - moved > STALL_S:
            raise WorkError(f"{sum([not churner.idle for churner in churners])} requests were never answered")
        if now >= deadline or all(churner.idle for churner in churners):
            break


def rounds(churners: list[Churner]) -> int:
    return sum([churner.rounds for churner in churners])


def channels(order: Order) -> dict[str, float]:
    """Open a second channel and close it."""
    requests = [frames.open_channel(CHANNEL), frames.close_channel(CHANNEL)]
    answers = [frames.method(CHANNEL, 20, 11, b"\x00\x00\x00\x00"), frames.method(CHANNEL, 20, 41)]
    port = order.ports["amqp"]
    return churn([Churner(amqp.connect(port), requests, answers) for _ in range(CONNECTIONS)], order)


def queues(order: Order) -> dict[str, float]:
    """Declare a transient queue and delete it; each connection has a name of its own."""
    churners: list[Churner] = []
    for number in range(CONNECTIONS):
        queue = f"bench-{order.run}-{number}"
        requests = [frames.declare_queue(queue, 0), frames.delete_queue(queue)]
        none = b"\x00\x00\x00\x00"
        answers = [
            frames.method(1, 50, 11, frames.shortstr(queue) + none + none),  # no messages, no consumers
            frames.method(1, 50, 41, none),
        ]
        churners.append(Churner(amqp.connect(order.ports["amqp"]), requests, answers))
    return churn(churners, order)


WORK: Final[dict[str, Work]] = {"amqp-channels": channels, "amqp-queues": queues}
