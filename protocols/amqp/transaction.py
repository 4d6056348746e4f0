"""The transaction of one channel: publishes and settlements that wait for tx.commit (AMQP 0-9-1 §1.9).

As in RabbitMQ, a rollback gives settled deliveries back to the client as unsettled ones; they are not redelivered.
"""

from core.client import Client
from core.model.message import Message
from core.queueing.entry import Entry
from protocols.amqp.errors import PRECONDITION_FAILED, PeerError
from protocols.amqp.publications import Publication
from protocols.unsettled import Unsettled


class ChannelTransaction:
    """What was done since the last commit or rollback."""

    def __init__(self, client: Client, unsettled: Unsettled) -> None:
        self._client = client
        self._unsettled = unsettled
        self._transaction = client.begin()
        self._taken: list[tuple[int, Entry]] = []
        self._mandatory: set[int] = set()  # ids of messages that the transaction holds

    def publish(self, publication: Publication, message: Message) -> None:
        """Add a publish."""
        self._transaction.publish(publication.exchange, message)
        if publication.mandatory:
            self._mandatory.add(id(message))

    def settle(self, tag: int, entry: Entry, outcome: int) -> None:
        """Add a settlement of an entry that was taken out of the unsettled ones."""
        self._taken.append((tag, entry))
        self._transaction.settle(entry, outcome)

    def commit(self) -> list[Message]:
        """Do it all and return the mandatory messages that nobody wanted. PeerError when a queue would refuse one.

        Then nothing is done, though RabbitMQ's words for it say otherwise: there every other queue has its messages.
        """
        transaction, mandatory = self._transaction, self._mandatory
        if not self._client.commit(transaction):
            self.roll_back()
            raise PeerError(PRECONDITION_FAILED, "partial tx completion")
        self._begin()
        return [message for message in transaction.unwanted if id(message) in mandatory]

    def roll_back(self) -> None:
        """Forget it all."""
        self._transaction.release()
        for tag, entry in self._taken:
            self._unsettled.restore(tag, entry)
        self._begin()

    def _begin(self) -> None:
        self._transaction = self._client.begin()
        self._taken = []
        self._mandatory = set()
