"""The machine of a port that serves every protocol: it looks at the first bytes and gives way to the right machine."""

from typing import Final

from core.broker import Broker
from core.timers import NEVER
from gateway.link import Link
from gateway.reactor import Machine
from gateway.tls import Tls
from gateway.websocket_opening import WEBSOCKET
from protocols.connection import NOWHERE, Connection, Outlet, Peer
from protocols.detect import HTTP, TLS, UNDECIDED, detect

AUTO: Final = "auto"
SHOWN_BYTES: Final = 16  # of a start that is nobody's, in the log


class Detecting(Connection):
    """A connection that has not shown its protocol yet. It stays within the time for the handshake that follows."""

    def __init__(
        self, broker: Broker, outlet: Outlet, peer: Peer, machines: dict[str, Machine], tls: Tls | None
    ) -> None:
        super().__init__(broker, outlet, peer, AUTO)
        self._machines = machines
        self._tls = tls  # is understood beside the plain protocols where there is a certificate
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
        if self._certificate_missing and protocol != TLS:
            self._refuse("no TLS, on a port where clients must show a certificate")
        elif protocol in self._machines:
            self._give_way(self._machines[protocol], start)
        elif protocol == HTTP:
            self._give_way(self._machines[WEBSOCKET], start)
        elif protocol == TLS and self._tls is not None and not self.peer.encrypted:
            self.peer.encrypted = True
            self._link.add_filter(self._tls.filter_for(self.peer), start)
        elif protocol == TLS:
            self._refuse("TLS inside TLS" if self.peer.encrypted else "TLS, for which this port has no certificate")
        else:
            self._refuse(f"no protocol begins with {start[:SHOWN_BYTES]!r}")

    @property
    def _certificate_missing(self) -> bool:
        return self._tls is not None and self._tls.required and not self.peer.encrypted

    @property
    def _link(self) -> Link:
        assert isinstance(self.outlet, Link)
        return self.outlet

    def _give_way(self, made: Machine, start: bytes) -> None:
        link = self._link
        machine = made(self.broker, link, self.peer)
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
