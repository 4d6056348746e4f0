"""The control socket: where commands of this machine ask a running broker for changes.

A Unix socket in the data directory, which only its owner may use. Its connections are served by the reactor as those of clients
are, so what a request changes is part of the turn's batch, and its answer is sent when that is on stable storage.
"""

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from core.broker import Broker
from core.timers import NEVER, Timed
from gateway.control_requests import Requests
from gateway.reactor import Acceptor, Reactor
from protocols.connection import Connection, Outlet, Peer

SOCKET: Final = "control"  # its name in the data directory
BACKLOG: Final = 16
CONNECTIONS_LIMIT: Final = 16  # people and scripts of one machine
LINE_LIMIT_BYTES: Final = 256 << 10  # five patterns of 4,096 characters, each as an escape of 12
LINES_IN_A_TURN: Final = 16  # a request costs up to a millisecond
IDLE_S: Final = 30.0  # between two requests
PAUSE_S: Final = 0.1  # of accepting, when the system has no descriptors left

log = structlog.get_logger("dragoman.control")


class ControlConnection(Connection):
    """One who asks. Bad input is answered, and a line that is too long ends the connection."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer, requests: Requests, door: "ControlDoor") -> None:
        super().__init__(broker, outlet, peer, "control")
        self._requests = requests
        self._door = door
        self._received = bytearray()
        self._looked = 0  # bytes of it that are known to have no line break
        self._wait()

    def _wait(self) -> None:
        self.deadline = self.broker.clock.now + IDLE_S

    def receive(self, data: bytes) -> None:
        if not data:
            self.closed = True
            return
        self._received += data
        self.go_on()

    def go_on(self) -> None:
        self._wait()
        self.behind = False
        for _ in range(LINES_IN_A_TURN):
            end = self._received.find(b"\n", self._looked)
            if (len(self._received) if end < 0 else end) > LINE_LIMIT_BYTES:
                self.write(b'{"error": "a line is longer than %d bytes", "mistaken": true}\n' % LINE_LIMIT_BYTES)
                self._received.clear()
                self.closed = True
                return
            if end < 0:
                self._looked = len(self._received)
                return
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._looked = 0
            self.write(self._requests.answer(line))
        self.behind = b"\n" in self._received

    def timeout(self) -> None:
        if self.output_bytes:
            self._wait()  # for a commit, which a full disk holds up; who takes nothing is the link's affair
        else:
            self.deadline = NEVER
            self.closed = True

    def ended(self) -> None:
        self._door.left()


class ControlDoor(Acceptor):
    """The listening socket. The data directory must be this process's own."""

    def __init__(self, reactor: Reactor, directory: Path, requests: Requests) -> None:
        self.path = directory / SOCKET
        self._reactor = reactor
        self._requests = requests
        self._connections = 0
        self._socket: socket.socket | None = None
        self._pause = Pause(self)

    def open(self) -> None:
        """Listen. Where that cannot be done the log says so: the broker can do without."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            _remove_stale(self.path)
            listening.bind(str(self.path))
            os.chmod(self.path, 0o600)  # nobody can have connected: it does not listen yet
            listening.listen(BACKLOG)
        except OSError as error:  # its text also says when the path is too long for a socket
            listening.close()
            log.warning(
                "no control socket: users and policies cannot be changed while the broker runs",
                path=str(self.path),
                error=error.strerror or str(error),
            )
            return
        self._socket = listening
        self.go_on()

    def go_on(self) -> None:
        """Accept, from now on or again."""
        if self._socket is not None:
            self._reactor.adopt(self, self._socket.fileno())

    def close(self) -> None:
        """Listen no more."""
        self._pause.deadline = NEVER
        if self._socket is not None:
            self._reactor.release(self._socket.fileno())
            self._socket.close()
            self._socket = None
            self.path.unlink(missing_ok=True)

    def ready(self) -> None:
        assert self._socket is not None
        try:
            sock, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no descriptors left: the socket would be reported as ready all the time
            log.warning("the control socket pauses", error=error.strerror)
            self._reactor.release(self._socket.fileno())
            self._pause.begin(self._reactor.broker)
            return
        if self._connections >= CONNECTIONS_LIMIT:
            with suppress(OSError):
                sock.send(b'{"error": "%d connections are open already", "mistaken": false}\n' % CONNECTIONS_LIMIT)
            sock.close()
            return
        sock.setblocking(False)
        self._connections += 1
        self._reactor.add(sock, Peer("control", loopback=True, encrypted=False), self._machine)

    def _machine(self, broker: Broker, outlet: Outlet, peer: Peer) -> Connection:
        return ControlConnection(broker, outlet, peer, self._requests, self)

    def left(self) -> None:
        """Learn that a connection is over."""
        self._connections -= 1


class Pause(Timed):
    """A moment without accepting."""

    def __init__(self, door: ControlDoor) -> None:
        super().__init__()
        self._door = door

    def begin(self, broker: Broker) -> None:
        self.deadline = broker.clock.now + PAUSE_S
        broker.timers.watch(self)

    def timeout(self) -> None:
        self.deadline = NEVER
        self._door.go_on()


def _remove_stale(path: Path) -> None:
    """Remove the socket of a broker that was killed. Nobody listens there: the directory is locked by this one."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(0, "something that is no socket is in its place")
    except FileNotFoundError:
        return
    path.unlink()
