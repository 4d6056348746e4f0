"""Receipts: RECEIPT once the frame that asked for it is done with, in the order of the frames (STOMP 1.2 "RECEIPT").

For a SEND that is when the core has confirmed every copy of the message; receipts of later frames wait for it. Those of
SENDs are written together at the end of a turn; nothing that another frame causes comes before them.
"""

from collections import deque

from core.publisher import Publisher
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import receipt_frames
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
        # The last one that is expected, if it is for one copy and none was owed: as a rule it is confirmed before anything
        # else is expected, and nothing needs to be filed.
        self._next: bytes | None = None

    @property
    def settled(self) -> bool:
        """Whether none is owed."""
        return self._next is None and not self._owed

    def answer(self, receipt: bytes) -> None:
        """Say that a frame is done with; `receipt` is its header as it was escaped."""
        self._file_next()
        if self._owed:
            self._owed.append(Pending(receipt, 0))
        else:
            self._speaker.say_receipts()
            self._speaker.write(receipt_frames([receipt]))

    def expect(self, receipt: bytes, copies: int) -> int:
        """Owe a receipt for a message that goes to several places; return the tag to publish all of them with."""
        if self._next is not None:
            self._file_next()
        self._last_tag += 1
        if copies == 1 and not self._owed:
            self._next = receipt
        else:
            self._file(receipt, copies)
        return self._last_tag

    def _file(self, receipt: bytes, copies: int) -> None:
        pending = Pending(receipt, copies)
        self._by_tag[self._last_tag] = pending
        self._owed.append(pending)

    def _file_next(self) -> None:
        if self._next is not None:
            self._file(self._next, 1)
            self._next = None

    def confirmed(self, tag: int, *, routed: bool) -> None:
        speaker = self._speaker
        if tag == self._last_tag and self._next is not None:
            receipt = self._next
            self._next = None
            if not speaker.closed:
                speaker.done(receipt)
                speaker.receipts_settled()
            return
        pending = self._by_tag.get(tag)
        if pending is None or speaker.closed:
            return
        pending.missing -= 1
        if pending.missing:
            return
        del self._by_tag[tag]
        owed = self._owed
        while owed and not owed[0].missing:
            speaker.done(owed.popleft().receipt)
        if not owed:
            speaker.receipts_settled()

    def refused(self, tag: int) -> None:
        if tag == self._last_tag:
            self._file_next()
        pending = self._by_tag.pop(tag, None)
        if pending is not None:
            self._speaker.fail(PeerError("Message refused", "a queue is full"), pending.receipt)
