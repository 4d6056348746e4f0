"""What stands between a socket and its machine: a stack of filters, empty for plain TCP.

Outermost first: TLS, and inside it what else changes bytes on their way (WebSocket). A filter never touches the socket.
It may have something to say of its own, as in a handshake: `sending` is asked after whatever was received.
"""

import ssl
from contextlib import suppress
from typing import Final

from mypy_extensions import mypyc_attr

from gateway.certificates import COMMON_NAME, user_named
from protocols.connection import Peer

READ_BYTES: Final = 65_536  # asked of TLS at a time; it gives at most one record


class FilterError(Exception):
    """The peer broke the filter's rules, or could not agree: the connection ends. The text is for the log."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Filter:
    """One layer over the byte stream."""

    finished: bool = False  # the peer has ended the stream inside the filter
    failed: bool = False  # a bug ends the connection: the good-bye may say so
    behind: bool = False  # has received more than it could handle in its turn: to be given b"" in the next one

    def received(self, data: bytes) -> bytes:
        """Return what `data` from the outside says to the inside; FilterError when it makes no sense."""
        raise AssertionError(f"{type(self).__name__} does not say what it makes of what it receives")

    def sending(self, data: bytes) -> bytes:
        """Return what goes to the outside for `data` from the inside (which may be empty) and for the filter itself."""
        raise AssertionError(f"{type(self).__name__} does not say what it makes of what it sends")

    def closing(self) -> bytes:
        """Return the filter's good-bye; nothing is sent after it."""
        return b""


class FilterStack:
    """The filters of one connection, outermost first."""

    def __init__(self, layers: tuple[Filter, ...]) -> None:
        self._layers = layers
        self.finished = False  # the peer has ended the stream inside one of them
        self.failed = False

    def add(self, layer: Filter, data: bytes) -> bytes:
        """Put a filter inside the others and return what the inside receives of `data`, which was meant for it."""
        self._layers = (*self._layers, layer)
        return self._through(layer, data)

    def received(self, data: bytes) -> bytes:
        """Return what the inside receives."""
        for layer in self._layers:
            data = self._through(layer, data)
        return data

    def _through(self, layer: Filter, data: bytes) -> bytes:
        data = layer.received(data)
        self.finished = self.finished or layer.finished
        return data

    def sending(self, parts: list[bytes]) -> list[bytes]:
        """Return what the outside is sent for output of the inside, and for the filters themselves."""
        data = b"".join(parts)
        for layer in reversed(self._layers):
            data = layer.sending(data)
        return [data] if data else []

    @property
    def behind(self) -> bool:
        """Whether one of them has left something for the next turn."""
        return any(layer.behind for layer in self._layers)

    def fail(self) -> None:
        """Learn that a bug ends the connection."""
        self.failed = True
        for layer in self._layers:
            layer.failed = True

    def farewell(self) -> bytes:
        """Return the good-byes of all filters, the inner ones inside the outer ones."""
        data = b""
        for layer in reversed(self._layers):
            data = (layer.sending(data) if data else b"") + layer.closing()
        return data


class TlsFilter(Filter):
    """The server's side of TLS, without the socket. `peer` learns which user its certificate names."""

    def __init__(self, context: ssl.SSLContext, peer: Peer | None = None, user_from: str = COMMON_NAME) -> None:
        self._peer = peer
        self._user_from = user_from
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._agreed = False
        self._early: list[bytes] = []  # to send as soon as the handshake is done

    def received(self, data: bytes) -> bytes:
        self._incoming.write(data)
        try:
            if not self._agreed:
                self._tls.do_handshake()
                self._agreed = True
                self._learn()
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise _failure(error) from None

    def _learn(self) -> None:
        certificate = self._tls.getpeercert()  # empty unless it was asked for and verified
        if self._peer is not None and certificate:
            self._peer.certificate_user = user_named(certificate, self._user_from)

    def _read(self) -> bytes:
        plain: list[bytes] = []
        try:
            while chunk := self._tls.read(READ_BYTES):
                plain.append(chunk)
            self.finished = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.finished = True  # close_notify
        return b"".join(plain)

    def sending(self, data: bytes) -> bytes:
        if data:
            self._early.append(data)
        if self._agreed and self._early:
            try:
                self._tls.write(b"".join(self._early))
            except ssl.SSLError as error:
                raise _failure(error) from None
            self._early = []
        return self._outgoing.read()

    def closing(self) -> bytes:
        if self._agreed:
            with suppress(ssl.SSLError):  # the peer's own close_notify is not waited for
                self._tls.unwrap()
        return self._outgoing.read()


def _failure(error: ssl.SSLError) -> FilterError:
    return FilterError(f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}")
