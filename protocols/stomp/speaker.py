"""What the parts of one connection share: who is at the other end, in which version, and how it is told an error."""

from core.broker import Broker
from core.model.errors import BrokerError
from protocols.connection import Connection, Outlet, Peer
from protocols.stomp.dialect import Dialect
from protocols.stomp.errors import PeerError, error_frame, translated
from protocols.stomp.versions import V1_0


class Speaker(Connection):
    """A connection that speaks STOMP. `StompConnection` is the only kind there is; its parts know it as this."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer, dialect: Dialect) -> None:
        super().__init__(broker, outlet, peer, "stomp")
        self.dialect = dialect
        self.version = V1_0  # until CONNECT has been read
        self.client_id = ""  # what CONNECT says; names the client's durable subscriptions in ActiveMQ's way
        self.session_id = ""  # a word that no other connection has, once somebody is logged in

    def fail(self, error: PeerError, receipt: bytes | None) -> None:
        """Say ERROR, about the frame with that receipt if there is one, and close."""
        if self.closed:
            return
        self.outlet.note("error", f"{error.message}: {error.detail}")
        self.write(error_frame(error, receipt))
        self.close()

    def fail_for(self, error: BrokerError, receipt: bytes | None) -> None:
        """Say ERROR about a request that the broker cannot meet, and close."""
        self.fail(translated(error), receipt)

    def receipts_settled(self) -> None:
        """Learn that every receipt that was owed has been written."""

    def close(self) -> None:
        """Say nothing more and hear nothing more."""
        self.closed = True
        self.stalled()
