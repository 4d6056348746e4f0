"""One listening socket and the accepting of whoever comes: who cannot be taken in is turned away."""

import ipaddress
import socket
import sys
from typing import Final

import structlog

from core.broker import Broker
from core.timers import NEVER, Timed
from gateway.detecting import AUTO, Detecting
from gateway.filters import Filter
from gateway.reactor import Acceptor, Machine, Reactor
from gateway.tls import Tls
from protocols.connection import Connection, Outlet, Peer

ACCEPTS_LIMIT: Final = 64  # in one turn
HANDSHAKES_LIMIT: Final = 16_384  # connections that have not logged in; others wait in the backlog
UNACKED_AT: Final = 24  # bytes into Linux's struct tcp_info (linux/tcp.h)
TCP_INFO_BYTES: Final = 28  # of it, to the end of that field
PAUSE_S: Final = 0.1  # of accepting, when that limit is reached or the system has no descriptors left
COMPLAINT_EVERY_S: Final = 10.0  # about being full, however many are turned away

log = structlog.get_logger("dragoman.listeners")


class Listening:
    """What listens where, for people."""

    def __init__(self, protocol: str, host: str, port: int, *, encrypted: bool) -> None:
        self.protocol = protocol
        self.host = host
        self.port = port
        self.encrypted = encrypted


class Door(Acceptor):
    """One listening socket and what is spoken behind it."""

    def __init__(
        self,
        reactor: Reactor,
        sock: socket.socket,
        protocol: str,
        made: dict[str, Machine],
        connections_limit: int,
        tls: Tls | None = None,
    ) -> None:
        host, port = sock.getsockname()[:2]
        self.listening = Listening(protocol, host, port, encrypted=tls is not None)
        self._reactor = reactor
        self._socket = sock
        self._family = int(sock.family)  # asked for once: in Python it is a property that makes a member of an Enum
        self._machines = made
        self._tls = tls
        self._machine: Machine = self._detecting if protocol == AUTO else made[protocol]
        self._connections_limit = connections_limit
        self._complained_at = -COMPLAINT_EVERY_S
        self._pause = Pause(self)

    def open(self) -> None:
        """Begin, or begin again, to accept."""
        self._reactor.adopt(self, self._socket.fileno())

    def close(self) -> None:
        """Accept nobody any more."""
        self._pause.deadline = NEVER
        if self._socket.fileno() >= 0:
            self._reactor.release(self._socket.fileno())
            self._socket.close()

    def ready(self) -> None:
        for _ in range(min(_waiting(self._socket), ACCEPTS_LIMIT)):
            if self._reactor.handshakes >= HANDSHAKES_LIMIT:
                self._wait_a_moment("accepting pauses", f"{HANDSHAKES_LIMIT} connections have not logged in yet")
                return
            try:
                # As socket.accept does, but without an object of its class in Python, which costs 4 µs.
                fd, address = self._socket._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # it went away while it waited
            except OSError as error:
                # EMFILE and its kin, or a network that fails: the socket would be reported as ready all the time.
                self._wait_a_moment("accepting pauses", error.strerror or str(error))
                return
            sock = socket.SocketType(self._family, socket.SOCK_STREAM, 0, fd)
            self._take_in(sock, address[0], address[1])

    def _take_in(self, sock: socket.SocketType, host: str, port: int) -> None:
        if self._reactor.connections >= self._connections_limit:
            sock.close()
            self._complain("connection refused", f"{self._connections_limit} connections are open")
            return
        filters: tuple[Filter, ...] = ()
        try:
            sock.setblocking(False)
        except OSError:
            sock.close()  # reset already
            return
        peer = Peer(shown(host, port), loopback=is_loopback(host), encrypted=False)
        if self._tls is not None and self.listening.protocol != AUTO:
            peer.encrypted = True
            filters = (self._tls.filter_for(peer),)
        self._reactor.add(sock, peer, self._machine, filters)

    def _detecting(self, broker: Broker, outlet: Outlet, peer: Peer) -> Connection:
        return Detecting(broker, outlet, peer, self._machines, self._tls)

    def _wait_a_moment(self, event: str, why: str) -> None:
        self._complain(event, why)
        self._reactor.release(self._socket.fileno())
        timers = self._reactor.broker.timers
        self._pause.deadline = timers.clock.now + PAUSE_S
        timers.watch(self._pause)

    def _complain(self, event: str, why: str) -> None:
        now = self._reactor.broker.clock.now
        if now - self._complained_at >= COMPLAINT_EVERY_S:
            self._complained_at = now
            log.warning(event, listener=shown(self.listening.host, self.listening.port), detail=why)


class Pause(Timed):
    """Ends a pause of accepting."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def timeout(self) -> None:
        self.deadline = NEVER
        self._door.open()


def _waiting(sock: socket.socket) -> int:
    """Return how many connections wait at a listening socket, or at least 1; where the system does not tell, any number.

    To find it out by accepting until nobody is left costs 8 µs for the exception.
    """
    if sys.platform == "linux":  # which gives it as the field `unacked`, as `ss -l` shows it in Recv-Q
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        return max(1, int.from_bytes(told[UNACKED_AT:TCP_INFO_BYTES], sys.byteorder))
    else:  # noqa: RET505 - only as a branch does the type checker see that one platform runs one of the two
        return ACCEPTS_LIMIT


def shown(host: str, port: int) -> str:
    """Return an address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether an address of a socket is this machine's own, also when it is IPv4 inside IPv6."""
    if ":" not in host:
        return host.startswith("127.")  # RFC 1122 §3.2.1.3
    if host == "::1":
        return True
    try:
        mapped = ipaddress.IPv6Address(host.partition("%")[0]).ipv4_mapped
    except ValueError:
        return False
    return mapped is not None and mapped.is_loopback
