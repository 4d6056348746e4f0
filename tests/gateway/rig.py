"""A reactor with machines made for tests, turned by hand: real sockets, and a clock that the test moves."""

import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from core.access import User
from core.broker import Broker
from core.timers import NEVER
from gateway.applicant import Applicant
from gateway.filters import Filter
from gateway.link import Link
from gateway.poller import open_poller
from gateway.reactor import Machine, Reactor
from gateway.wiring import Authenticator
from protocols.connection import Connection, Outlet, Peer

GIVE_UP_S: Final = 10.0  # of real time, for what a test says will happen
START: Final = 1000.0  # what the clock shows first


class Puppet(Connection):
    """A machine that echoes, until a test gives it something else to do. It writes down what happens to it."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer) -> None:
        super().__init__(broker, outlet, peer, "puppet")
        self.received: list[bytes] = []
        self.events: list[str] = []
        self.raises_in = ""  # the method that has a bug
        self.on_receive: Callable[[bytes], None] = self.write

    def write_all(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self.write(part)

    def _happens(self, event: str) -> None:
        self.events.append(event)
        if event == self.raises_in:
            raise ZeroDivisionError(event)

    def receive(self, data: bytes) -> None:
        self.received.append(data)
        self._happens("receive" if data else "end")
        if data:
            self.on_receive(data)

    def logged_in(self, user: User | None, reason: str) -> None:
        self._happens("logged_in")
        self.write(f"{user.name if user else 'nobody'} {reason}".encode())

    def alarm(self, reason: str) -> None:
        self.events.append(f"alarm:{reason}")
        self._happens("alarm")

    def shut_down(self) -> None:
        self._happens("shut_down")
        self.write(b"good-bye")
        self.closed = True

    def stalled(self) -> None:
        self._happens("stalled")

    def relieved(self) -> None:
        self._happens("relieved")

    def complete_output(self) -> None:
        self._happens("complete_output")

    def timeout(self) -> None:
        self.deadline = NEVER
        self._happens("timeout")
        self.closed = True

    def ended(self) -> None:
        self._happens("ended")


class Gatekeeper(Authenticator):
    """Keeps those who want to log in until the test decides."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Applicant, str, bytes | None]] = []

    def check(self, link: Applicant, username: str, password: bytes | None) -> None:
        self.waiting.append((link, username, password))


class CountingSocket(socket.socket):
    """Counts what is asked of the kernel."""

    sends = 0
    receives = 0

    def send(self, *arguments: object) -> int:
        self.sends += 1
        return super().send(*arguments)  # type: ignore[arg-type]

    def recv(self, *arguments: object) -> bytes:
        self.receives += 1
        return super().recv(*arguments)  # type: ignore[arg-type]


class Client:
    """The other end of a connection."""

    def __init__(self, rig: "Rig", sock: socket.socket, link: Link) -> None:
        self.rig = rig
        self.sock = sock
        self.link = link

    @property
    def machine(self) -> Puppet:
        machine = self.link.connection
        assert isinstance(machine, Puppet)
        return machine

    def has_ended(self) -> bool:
        return "ended" in self.machine.events

    def send(self, data: bytes) -> None:
        """Send, and turn until the reactor has nothing to do."""
        self.sock.sendall(data)
        self.rig.settle()

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes, turning the reactor as long as they do not come."""
        found = bytearray()
        for _ in self.rig.turns(f"{size} bytes"):
            found += self._available(size - len(found))
            if len(found) == size:
                break
        return bytes(found)

    def read_to_the_end(self) -> bytes:
        """Read until the server has closed its side."""
        found = bytearray()
        for _ in self.rig.turns("the end of the stream"):
            try:
                while chunk := self.sock.recv(1 << 20):
                    found += chunk
                break
            except BlockingIOError:
                continue
        return bytes(found)

    def _available(self, size: int) -> bytes:
        try:
            return self.sock.recv(size)
        except BlockingIOError:
            return b""

    def nothing_comes(self) -> bool:
        """Tell whether the reactor is idle and has sent nothing."""
        self.rig.settle()
        return self._available(1) == b""

    def reset(self) -> None:
        """Close so that the server's next call fails."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.rig.settle()


class Rig:
    """One reactor, its clock and its clients."""

    def __init__(self) -> None:
        self.poller = open_poller()
        self.broker = Broker(lambda: "unique")
        self.gatekeeper = Gatekeeper()
        self.reactor = Reactor(self.broker, self.poller, self.gatekeeper)
        self.now = START
        self.broker.clock.now = START
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    def connect(
        self,
        *,
        buffer_bytes: int = 0,
        filters: tuple[Filter, ...] = (),
        counting: bool = False,
        machine: Machine = Puppet,
    ) -> Client:
        """Connect a client to a new machine. `buffer_bytes` makes the kernel's buffers small."""
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent in pieces is there at once too
        if buffer_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        client.connect(self._listener.getsockname())
        client.setblocking(False)
        server, address = self._listener.accept()
        if counting:
            server = CountingSocket(fileno=server.detach())
        if buffer_bytes:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        server.setblocking(False)
        self._sockets += [client, server]
        peer = Peer(f"{address[0]}:{address[1]}", loopback=True, encrypted=bool(filters))
        return Client(self, client, self.reactor.add(server, peer, machine, filters))

    def turn(self) -> bool:
        events = self.poller.poll(0)
        return self.reactor.turn(events, self.now, 1_700_000_000.0) or bool(events)

    def settle(self) -> None:
        """Turn until there is nothing to do. On loopback what was sent is there when the send returns."""
        while self.turn():
            pass

    def turns(self, what: str) -> Iterator[None]:
        """Turn until the caller has seen `what`; it waits for sockets in real time and not by sleeping."""
        give_up = time.monotonic() + GIVE_UP_S
        while time.monotonic() < give_up:
            self.settle()
            yield
            select.select([self.poller.fileno()], [], [], 0.001)
        raise AssertionError(f"{what} did not come")

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping where something falls due."""
        end = self.now + seconds
        while self.reactor.next_look() <= end:
            self.now = max(self.now, self.reactor.next_look())
            self.settle()
        self.now = end
        self.settle()

    def close(self) -> None:
        self.reactor.close()
        for sock in (*self._sockets, self._listener):
            sock.close()


@contextmanager
def rig() -> Iterator[Rig]:
    """Make a rig and take it down."""
    made = Rig()
    try:
        yield made
    finally:
        made.close()


class TlsClient:
    """The client's side of TLS, pumped over a `Client`."""

    def __init__(self, client: Client, context: ssl.SSLContext, hostname: str) -> None:
        self.client = client
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=hostname)

    def do(self, step: Callable[[], object], *, piece_bytes: int = 1 << 20) -> object:
        """Do one thing of the TLS object, moving bytes both ways until it is done."""
        for _ in self.client.rig.turns("the next step of TLS"):
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._push(piece_bytes)
                try:
                    data = self.client.sock.recv(1 << 20)
                except BlockingIOError:
                    continue
                self.incoming.write(data)
                if not data:
                    self.incoming.write_eof()
            else:
                self._push(piece_bytes)
                return result
        raise AssertionError("unreachable")

    def _push(self, piece_bytes: int) -> None:
        data = memoryview(self.outgoing.read())
        while data:
            try:
                sent = self.client.sock.send(data[:piece_bytes])
            except BlockingIOError:
                sent = 0
            data = data[sent:]
            self.client.rig.settle()
