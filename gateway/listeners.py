"""Listening sockets: opened from the configuration, and the accepting of whoever comes.

One address is one socket of one family: `[::]` is every IPv6 address and no IPv4 address, `localhost` is what it
resolves to. What cannot be opened is an error that names the address; who cannot be taken in is turned away.
"""

import errno
import ipaddress
import socket
from typing import Any, Final

import structlog

from core.broker import Broker
from core.timers import NEVER, Timed
from gateway import config as configuration
from gateway.detecting import AUTO, Detecting
from gateway.filters import Filter
from gateway.machines import machines
from gateway.origins import Origins
from gateway.reactor import Acceptor, Machine, Reactor
from gateway.tls import Tls, server_context
from protocols.connection import Connection, Outlet, Peer

BACKLOG: Final = 4096  # connections that the kernel keeps until they are accepted
ACCEPTS_LIMIT: Final = 64  # in one turn
HANDSHAKES_LIMIT: Final = 16_384  # connections that have not logged in; others wait in the backlog
PAUSE_S: Final = 0.1  # of accepting, when that limit is reached or the system has no descriptors left
COMPLAINT_EVERY_S: Final = 10.0  # about being full, however many are turned away

log = structlog.get_logger("dragoman.listeners")


class ListenError(Exception):
    """A listener of the configuration cannot be opened; the text says which and why."""


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
        for _ in range(ACCEPTS_LIMIT):
            if self._reactor.handshakes >= HANDSHAKES_LIMIT:
                self._wait_a_moment("accepting pauses", f"{HANDSHAKES_LIMIT} connections have not logged in yet")
                return
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # it went away while it waited
            except OSError as error:
                # EMFILE and its kin, or a network that fails: the socket would be reported as ready all the time.
                self._wait_a_moment("accepting pauses", error.strerror or str(error))
                return
            self._take_in(sock, address)

    def _take_in(self, sock: socket.socket, address: tuple[str, int]) -> None:
        if self._reactor.connections >= self._connections_limit:
            sock.close()
            self._complain("connection refused", f"{self._connections_limit} connections are open")
            return
        filters: tuple[Filter, ...] = ()
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()  # reset already
            return
        peer = Peer(shown(address), loopback=is_loopback(address[0]), encrypted=False)
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
            log.warning(event, listener=shown((self.listening.host, self.listening.port)), detail=why)


class Pause(Timed):
    """Ends a pause of accepting."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def timeout(self) -> None:
        self.deadline = NEVER
        self._door.open()


def shown(address: tuple[str, int]) -> str:
    """Return an address as people write it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether an address of a socket is this machine's own, also when it is IPv4 inside IPv6."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def open_doors(config: configuration.Config, reactor: Reactor, connections_limit: int) -> list[Door]:
    """Open every listener of the configuration, or none: ListenError says which failed, and why."""
    doors: list[Door] = []
    try:
        for listener in config.listener:
            tls = _tls(listener)
            for sock in _open_sockets(listener):
                made = machines(config, Origins(listener.origins))
                doors.append(Door(reactor, sock, listener.protocol, made, connections_limit, tls))
                doors[-1].open()
    except ListenError:
        for door in doors:
            door.close()
        raise
    return doors


def _tls(listener: configuration.Listener) -> Tls | None:
    if listener.certificate is None:
        return None
    try:
        context = server_context(
            listener.certificate,
            listener.key,
            listener.client_ca,
            required=listener.client_certificate == configuration.REQUIRED,
        )
        return Tls(context, listener.certificate_user)
    except OSError as error:
        named = (listener.certificate, listener.key, listener.client_ca)
        files = " and ".join(dict.fromkeys(str(file) for file in named if file))
        raise ListenError(f"cannot use {files} for {listener.address}: {error.strerror or error}") from None


def _open_sockets(listener: configuration.Listener) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        places = socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in places:
            try:
                sockets.append(_open_socket(family, address))
            except OSError as error:
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise
                missing = error  # a name may stand for an address of a family that this machine does not have
        if missing is not None and not sockets:
            raise missing
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise ListenError(f"cannot listen on {listener.address}: {error.strerror or error}") from None
    return sockets


def _open_socket(family: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
