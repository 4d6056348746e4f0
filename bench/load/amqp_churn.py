"""The work items that define and take away again, over AMQP: channels, and queues.

Sixteen connections each wait for the answers to what they have asked before they ask for more. That is enough to keep a
broker busy: with one connection the figure would be the machine's time to wake a process, for all brokers alike.

A queue is one request at a time. Of channels each connection opens eight and closes eight, as an application does whose
threads have one each: with one at a time the generator and the kernel took a whole core for what is half a core of the
broker's work, and were what was measured.
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
CHANNELS: Final = range(2, 10)  # those that come and go; 1 stays


class Step:
    """What is asked in one piece, and the answers to it: as many as there are requests, all of one size, in any order."""

    def __init__(self, requests: list[bytes], answers: list[bytes]) -> None:
        self.request: bytes = b"".join(requests)
        self.answer: bytes = b"".join(answers)
        self.answers: list[bytes] = sorted(answers)
        self.size: int = len(answers[0])

    def answered(self, data: bytes) -> bool:
        """Tell whether each request has the one answer that it must have."""
        if data == self.answer:
            return True
        return sorted([data[start : start + self.size] for start in range(0, len(data), self.size)]) == self.answers


class Churner(Link):
    """Takes steps in turn, each when the one before has been answered as it must be.

    `rounds` counts how often all of them were taken, times the requests of one.
    """

    def __init__(self, sock: socket.socket, steps: list[Step]) -> None:
        super().__init__(sock)
        self.steps = steps
        self.step: int = 0
        self.rounds: int = 0
        self.ending: bool = False
        self.idle: bool = True
        self.carry: bytes = b""

    def begin(self) -> None:
        self.idle = False
        self.send(self.steps[0].request)

    def readable(self) -> None:
        data = self.carry + self.receive(RECEIVE_BYTES)
        step = self.steps[self.step]
        self.carry = data
        if len(data) < len(step.answer):
            return
        if not step.answered(data):
            raise WorkError(f"request {self.step} was answered {data[:200]!r}")
        self.carry = b""
        self.step += 1
        if self.step == len(self.steps):
            self.step = 0
            self.rounds += len(step.answers)
            if self.ending:
                self.idle = True
                return
        self.send(self.steps[self.step].request)


def churn(churners: list[Churner], order: Order) -> dict[str, float]:
    """Let all of them go round until the time is over, and then finish what they have begun."""
    links: list[Link] = []
    links.extend(churners)
    loop = Loop(links)
    meter = Meter(order.timing())
    for churner in churners:
        churner.begin()
    turn_until(loop, churners, meter.begun + order.warmup_s)
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
    """Open channels beside the first and close them."""
    steps = [
        Step(
            [frames.open_channel(channel) for channel in CHANNELS],
            [frames.method(channel, 20, 11, b"\x00\x00\x00\x00") for channel in CHANNELS],
        ),
        Step(
            [frames.close_channel(channel) for channel in CHANNELS],
            [frames.method(channel, 20, 41) for channel in CHANNELS],
        ),
    ]
    port = order.ports["amqp"]
    return churn([Churner(amqp.connect(port), steps) for _ in range(CONNECTIONS)], order)


def queues(order: Order) -> dict[str, float]:
    """Declare a transient queue and delete it; each connection has a name of its own."""
    churners: list[Churner] = []
    none = b"\x00\x00\x00\x00"
    for number in range(CONNECTIONS):
        queue = f"bench-{order.run}-{number}"
        declared = frames.method(1, 50, 11, frames.shortstr(queue) + none + none)  # no messages, no consumers
        steps = [
            Step([frames.declare_queue(queue, 0)], [declared]),
            Step([frames.delete_queue(queue)], [frames.method(1, 50, 41, none)]),
        ]
        churners.append(Churner(amqp.connect(order.ports["amqp"]), steps))
    return churn(churners, order)


WORK: Final[dict[str, Work]] = {"amqp-channels": channels, "amqp-queues": queues}
