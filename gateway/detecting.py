"""The machine of a port that serves every protocol: it looks at the first bytes and gives way to the right machine."""

import ssl
from typing import Final

from core.broker import Broker
from core.timers import NEVER
from gateway.filters import TlsFilter
from gateway.link import Link
from gateway.machines import MACHINES
from gateway.origins import Origins
from gateway.websocket_opening import WebSocketOpening
from protocols.connection import NOWHERE, Connection, Outlet, Peer
from protocols.detect import HTTP, TLS, UNDECIDED, detect

AUTO: Final = "auto"
SHOWN_BYTES: Final = 16  # of a start that is nobody's, in the log


class Detecting(Connection):
    """A connection that has not shown its protocol yet. It stays within the time for the handshake that follows."""

    def __init__(
        self, broker: Broker, outlet: Outlet, peer: Peer, context: ssl.SSLContext | None, origins: Origins
    ) -> None:
        super().__init__(broker, outlet, peer, AUTO)
        self._context = context  # for TLS, which is understood beside the plain protocols where there is a certificate
        self._origins = origins  # of web pages that may open a WebSocket
        self._start = b""

    def receive(self, data: bytes) -> None:
        if self.closed or not data:
            self.closed = True
            return
        start = self._start + data
        protocol = detect(start)
        self._start = start if protocol == UNDECIDED else b""
        if protocol == UNDECIDED:
            return
        if protocol in MACHINES:
            self._give_way(MACHINES[protocol](self.broker, self.outlet, self.peer), start)
        elif protocol == HTTP:
            self._give_way(WebSocketOpening(self.broker, self.outlet, self.peer, self._origins), start)
        elif protocol == TLS and self._context is not None and not self.peer.encrypted:
            self.peer.encrypted = True
            self._link.add_filter(TlsFilter(self._context), start)
        elif protocol == TLS:
            self._refuse("TLS inside TLS" if self.peer.encrypted else "TLS, for which this port has no certificate")
        else:
            self._refuse(f"no protocol begins with {start[:SHOWN_BYTES]!r}")

    @property
    def _link(self) -> Link:
        assert isinstance(self.outlet, Link)
        return self.outlet

    def _give_way(self, machine: Connection, start: bytes) -> None:
        link = self._link
        machine.deadline = min(machine.deadline, self.deadline)  # counted from the accept
        self.deadline = NEVER
        self.outlet = NOWHERE
        self.broker.timers.forget(self)
        link.attach(machine)
        machine.receive(start)

    def _refuse(self, why: str) -> None:
        self.closed = True
        self.outlet.note("connection refused", why)

    def timeout(self) -> None:
        self.deadline = NEVER
        self._refuse("nothing came that tells the protocol")
