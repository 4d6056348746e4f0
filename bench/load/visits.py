"""Short MQTT visits: connect, subscribe to one filter, disconnect, and the next client takes the place.

`AT_ONCE` visits are under way, each in a place of its own, so that the broker always finds somebody else to serve while
one client waits for an answer: with one visit at a time two processes would only wait for each other. It is half of
what the backlog of Mosquitto's listener holds (100), so that nobody waits for a second SYN. Clients close right after
DISCONNECT [MQTT-3.14.4-1], as libraries do. A place has an address of 127.0.0.0/8 of its own, or the ports of one
address would be used up by connections in TIME-WAIT.
"""

import socket
import time
from typing import Final

from bench.load import mqtt_frames as frames
from bench.load.link import Link, WorkError
from bench.load.loop import STALL_S, Figures, Loop, Meter, Standstill, Timing

AT_ONCE: Final = 50
FIRST_PLACE: Final = 2  # 127.0.0.2
ANSWER_BYTES: Final = 256  # more than both answers have
CONNACK: Final = b"\x20\x02\x00\x00"
SUBACK: Final = b"\x90\x03\x00\x01\x00"
DISCONNECT: Final = b"\xe0\x00"


class Visit(Link):
    """One client, from its connection to its end. `over` is set when it has closed."""

    def __init__(self, sock: socket.SocketType, subscribe: bytes) -> None:
        super().__init__(sock)
        self.subscribe = subscribe
        self.welcome: bool = False
        self.over: bool = False
        self.carry: bytes = b""

    def readable(self) -> None:
        data = self.carry + self.receive(ANSWER_BYTES)
        wanted = SUBACK if self.welcome else CONNACK
        if len(data) < len(wanted):
            self.carry = data
            return
        if data != wanted:
            raise WorkError(f"a visitor was answered {data!r} and not {wanted!r}")
        self.carry = b""
        if self.welcome:
            self.send(DISCONNECT)
            self.over = True
        else:
            self.welcome = True
            self.send(self.subscribe)


class Visitors:
    """The clients of one run, who come round and round, and their packets, encoded in advance."""

    def __init__(self, port: int, run: str, clients: int) -> None:
        self.port = port
        self.connects = [frames.connect(f"{run}-{number:05}") for number in range(clients)]
        self.subscribes = [frames.subscribe(f"bench/{run}/{number:05}", 0) for number in range(clients)]
        self.begun: int = 0
        self.ended: int = 0

    def enter(self, place: int) -> Visit:
        """Connect the next client, from the address of a place, and say CONNECT."""
        number = self.begun % len(self.connects)
        self.begun += 1
        sock = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM)  # without Python's class over it: 3 µs less
        sock.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((f"127.0.0.{FIRST_PLACE + place}", 0))
        sock.connect(("127.0.0.1", self.port))
        visit = Visit(sock, self.subscribes[number])
        visit.send(self.connects[number])
        return visit


IP_BIND_ADDRESS_NO_PORT: Final = 24  # of Linux's socket options, which Python 3.11 has no name for


def visit_in_turn(visitors: Visitors, timing: Timing) -> Figures:
    """Keep `AT_ONCE` visits under way until the time is over; `messages` counts those that have ended."""
    loop = Loop([])
    places: dict[int, int] = {}  # by file descriptor
    meter = Meter(timing)
    ends = Standstill()
    for place in range(AT_ONCE):
        enter(visitors, loop, places, place)
    while True:
        for fd, _ in loop.poller.poll(0.1, AT_ONCE):
            visit = loop.links[fd]
            visit.readable()
            assert isinstance(visit, Visit)
            if visit.over:
                del loop.links[fd]
                visit.close()
                visitors.ended += 1
                enter(visitors, loop, places, places.pop(fd))
        now = time.monotonic()
        if ends.lasts(visitors.ended, now):
            raise WorkError(f"no visit ended for {STALL_S:g} s")
        if meter.over(visitors.ended, now):
            break
    figures = meter.stop(visitors.ended)
    loop.close()
    return figures


def enter(visitors: Visitors, loop: Loop, places: dict[int, int], place: int) -> None:
    visit = visitors.enter(place)
    places[visit.fd] = place
    loop.links[visit.fd] = visit
    visit.attach(loop.poller)
