"""Settlements by the client: ack, nack, reject and recover become accept, requeue and discard (AMQP 0-9-1 §1.8.3.13 ff.)."""

from core.queueing.entry import Entry
from core.queueing.transaction import ACCEPT, settle
from protocols.amqp.errors import PRECONDITION_FAILED, PeerError
from protocols.amqp.transaction import ChannelTransaction
from protocols.unsettled import Unsettled


class Settling:
    """The settlements of one channel."""

    def __init__(self, unsettled: Unsettled) -> None:
        self.transaction: ChannelTransaction | None = None
        self._unsettled = unsettled

    def accept(self, tag: int, *, multiple: bool) -> None:
        """Settle what a basic.ack names: the one frequent way to settle."""
        if multiple or self.transaction is not None:
            self.settle(tag, ACCEPT, multiple=multiple)
            return
        entry = self._unsettled.take(tag)
        if entry is None:
            raise unknown(tag)
        entry.queue.accept(entry)

    def settle(self, tag: int, outcome: int, *, multiple: bool = False) -> None:
        """Settle one delivery, or all up to it; PeerError, and nothing is settled, when there is none with this tag."""
        taken = self._take(tag, multiple=multiple)
        if self.transaction is not None:
            for number, entry in taken:
                self.transaction.settle(number, entry, outcome)
        else:
            for _, entry in taken:
                settle(entry, outcome)

    def _take(self, tag: int, *, multiple: bool) -> list[tuple[int, Entry]]:
        if multiple:
            # "If the multiple field is 1, and the delivery tag is zero, this indicates acknowledgement of all
            # outstanding messages" (AMQP 0-9-1 §1.8.3.13).
            taken = self._unsettled.take_through(tag) if tag else self._unsettled.take_all()
            if taken is not None:
                return taken
        else:
            entry = self._unsettled.take(tag)
            if entry is not None:
                return [(tag, entry)]
        raise unknown(tag)

    def recover(self) -> None:
        """Requeue everything that is unsettled (AMQP 0-9-1 §1.8.3.16)."""
        for _, entry in self._unsettled.take_all():
            entry.queue.requeue(entry)


def unknown(tag: int) -> PeerError:
    """Return the error of a delivery tag that stands for nothing."""
    return PeerError(PRECONDITION_FAILED, f"unknown delivery tag {tag}")
