"""Transactions: SEND, ACK and NACK between BEGIN and COMMIT happen together or not at all (STOMP 1.2 "BEGIN").

What a transaction acknowledges is taken from the subscription at once, so that nothing is settled twice; ABORT and the
end of the connection give it back.
"""

from typing import Final

from core.client import Client
from core.model.errors import Limit
from core.model.message import Message
from core.queueing.entry import Entry
from core.queueing.transaction import BYTES_LIMIT, OPERATIONS_LIMIT, Transaction
from core.routing.exchange import Exchange
from protocols.stomp.errors import PeerError
from protocols.stomp.subscription import Subscription

TRANSACTIONS_LIMIT: Final = 16  # open at once on one connection; RabbitMQ's limit


class Claim:
    """What one ACK or NACK in a transaction will settle."""

    def __init__(self, subscription: Subscription, numbered: list[tuple[int, Entry]]) -> None:
        self.subscription = subscription
        self.numbered = numbered


class OpenTransaction:
    """A transaction that has begun."""

    def __init__(self, operations: Transaction) -> None:
        self.operations = operations
        self.claims: list[Claim] = []
        self.later: list[tuple[Entry, float]] = []  # to be requeued after so many seconds


class Transactions:
    """The open transactions of one connection, by the client's names."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open: dict[str, OpenTransaction] = {}

    def begin(self, name: str) -> None:
        """Begin a transaction under a name that is free."""
        if name in self._open:
            raise PeerError("Bad transaction", f"transaction '{name}' has begun already")
        if len(self._open) >= TRANSACTIONS_LIMIT:
            raise PeerError("Bad transaction", f"more than {TRANSACTIONS_LIMIT} transactions are open")
        self._open[name] = OpenTransaction(self._client.begin())

    def publish(self, name: str, exchange: Exchange, message: Message) -> None:
        """Add a message that the client was authorised to publish."""
        found = self._find(name)
        held_bytes = sum([other.operations.bytes for other in self._open.values()])
        if held_bytes + len(message.body) > BYTES_LIMIT:
            raise PeerError("resource_error", f"transactions of more than {BYTES_LIMIT} bytes are open")
        found.operations.publish(exchange, message)

    def settle(
        self,
        name: str,
        subscription: Subscription,
        numbered: list[tuple[int, Entry]],
        outcome: int,
        delay_s: float = 0.0,
    ) -> None:
        """Add settlements of what was taken from a subscription. `delay_s`: what is requeued is held back so long."""
        found = self._find(name)
        found.claims.append(Claim(subscription, numbered))
        for _, entry in numbered:
            if not delay_s:
                found.operations.settle(entry, outcome)
            elif len(found.later) >= OPERATIONS_LIMIT:
                raise Limit(f"transaction of more than {OPERATIONS_LIMIT} operations")
            else:
                found.later.append((entry, delay_s))

    def check(self, name: str) -> None:
        """Refuse a name that no transaction has begun under."""
        self._find(name)

    def commit(self, name: str) -> bool:
        """Do everything, or nothing: False when a queue would refuse a message."""
        found = self._take(name)
        if self._client.commit(found.operations):
            for entry, delay_s in found.later:
                entry.queue.requeue_later(entry, delay_s)
            return True
        for claim in found.claims:
            claim.subscription.put_back(claim.numbered)
        return False

    def abort(self, name: str) -> None:
        """Do nothing of it; what it would have acknowledged waits for an acknowledgement again."""
        found = self._take(name)
        found.operations.release()
        for claim in found.claims:
            claim.subscription.put_back(claim.numbered)

    def end(self) -> None:
        """Abort all, with the connection. The subscriptions end after this."""
        for name in list(self._open):
            self.abort(name)

    def _find(self, name: str) -> OpenTransaction:
        found = self._open.get(name)
        if found is None:
            raise PeerError("Bad transaction", f"no transaction '{name}' has begun")
        return found

    def _take(self, name: str) -> OpenTransaction:
        found = self._find(name)
        del self._open[name]
        return found
