"""Receipts: RECEIPT once the frame that asked for it is done with, in the order of the frames (STOMP 1.2 "RECEIPT").

For a SEND that is when the core has confirmed every copy of the message; receipts of later frames wait for it.
"""

from collections import deque

from core.publisher import Publisher
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import receipt_frame
from protocols.stomp.speaker import Speaker


class Pending:
    """A receipt that is owed."""

    def __init__(self, receipt: bytes, missing: int) -> None:
        self.receipt = receipt
        self.missing = missing  # confirms still to come


class Receipts(Publisher):
    """The receipts of one connection. The publisher's tags count its SENDs with a receipt."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._owed: deque[Pending] = deque()
        self._by_tag: dict[int, Pending] = {}
        self._last_tag = 0

    @property
    def settled(self) -> bool:
        """Whether none is owed."""
        return not self._owed

    def answer(self, receipt: bytes) -> None:
        """Say that a frame is done with; `receipt` is its header as it was escaped."""
        if self._owed:
            self._owed.append(Pending(receipt, 0))
        else:
            self._speaker.write(receipt_frame(receipt))

    def expect(self, receipt: bytes, copies: int) -> int:
        """Owe a receipt for a message that goes to several places; return the tag to publish all of them with."""
        self._last_tag += 1
        pending = Pending(receipt, copies)
        self._by_tag[self._last_tag] = pending
        self._owed.append(pending)
        return self._last_tag

    def confirmed(self, tag: int, *, routed: bool) -> None:
        pending = self._by_tag.get(tag)
        if pending is None or self._speaker.closed:
            return
        pending.missing -= 1
        if pending.missing:
            return
        del self._by_tag[tag]
        owed = self._owed
        while owed and not owed[0].missing:
            self._speaker.write(receipt_frame(owed.popleft().receipt))
        if not owed:
            self._speaker.receipts_settled()

    def refused(self, tag: int) -> None:
        pending = self._by_tag.pop(tag, None)
        if pending is not None:
            self._speaker.fail(PeerError("Message refused", "a queue is full"), pending.receipt)
