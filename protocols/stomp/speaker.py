"""What the parts of one connection share: who is at the other end, in which version, and how it is told an error."""

from typing import final

from core.broker import Broker
from core.model.errors import BrokerError
from protocols.connection import Connection, Outlet, Peer
from protocols.stomp.dialect import Dialect
from protocols.stomp.errors import PeerError, error_frame, translated
from protocols.stomp.frames import receipt_frames
from protocols.stomp.versions import V1_0


class Speaker(Connection):
    """A connection that speaks STOMP. `StompConnection` is the only kind there is; its parts know it as this."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer, dialect: Dialect) -> None:
        super().__init__(broker, outlet, peer, "stomp")
        self.dialect = dialect
        self.version = V1_0  # until CONNECT has been read
        self.client_id = ""  # what CONNECT says; names the client's durable subscriptions in ActiveMQ's way
        self.session_id = ""  # a word that no other connection has, once somebody is logged in
        self._done: list[
            bytes
        ] = []  # receipts to be said when this turn ends, or before anything that must stand behind

    def fail(self, error: PeerError, receipt: bytes | None) -> None:
        """Say ERROR, about the frame with that receipt if there is one, and close."""
        if self.closed:
            return
        self.outlet.note("error", f"{error.message}: {error.detail}")
        self.say_receipts()
        self.write(error_frame(error, receipt))
        self.close()

    def fail_for(self, error: BrokerError, receipt: bytes | None) -> None:
        """Say ERROR about a request that the broker cannot meet, and close."""
        self.fail(translated(error), receipt)

    @final
    def done(self, receipt: bytes) -> None:
        """Say RECEIPT, in one piece with others, at the end of this turn; `receipt` is escaped."""
        self._done.append(receipt)
        self.wake()

    @final
    def say_receipts(self) -> None:
        """Write the RECEIPT frames that wait for the end of this turn."""
        done = self._done
        if done:
            self._done = []
            self.traffic.sent_packets += len(done) - 1
            self.write(receipt_frames(done))

    def receipts_settled(self) -> None:
        """Learn that every receipt that was owed has been written."""

    def close(self) -> None:
        """Say nothing more and hear nothing more."""
        self.closed = True
        self.stalled()
