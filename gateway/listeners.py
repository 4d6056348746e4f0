"""Listening sockets, opened from the configuration.

One address is one socket of one family: `[::]` is every IPv6 address and no IPv4 address, `localhost` is what it
resolves to. What cannot be opened is an error that names the address.
"""

import errno
import socket
from typing import Any, Final

from gateway import config as configuration
from gateway.door import Door
from gateway.machines import machines
from gateway.origins import Origins
from gateway.reactor import Reactor
from gateway.tls import Tls, server_context

BACKLOG: Final = 4096  # connections that the kernel keeps until they are accepted


class ListenError(Exception):
    """A listener of the configuration cannot be opened; the text says which and why."""


def open_doors(config: configuration.Config, reactor: Reactor, connections_limit: int) -> list[Door]:
    """Open every listener of the configuration, or none: ListenError says which failed, and why."""
    doors: list[Door] = []
    try:
        for listener in config.listener:
            tls = _tls(listener)
            for sock in _open_sockets(listener):
                made = machines(config, Origins(listener.origins), listener.dialect)
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
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # those that are accepted inherit it
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
