"""One basic.consume: entries of a queue become basic.deliver frames (AMQP 0-9-1 §1.8.3.3, §1.8.3.9).

A delivery is put together from pieces that stay the same from one message to the next: the start of the method up to
the consumer tag, the destination, the content header as it was published. Only the delivery tag is new each time.
"""

from typing import TYPE_CHECKING, Final

from core.counters import Counters
from core.model.message import Address, Message
from core.model.widths import Long
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from protocols.amqp import replies
from protocols.amqp.frames import END, Framing
from protocols.amqp.header_fields import DELIVERY_COUNT, with_field
from protocols.amqp.table_encoding import encode_value
from protocols.amqp.translate import destination, from_core, without_headers
from protocols.connection import COPY_LIMIT_BYTES, Connection
from protocols.unsettled import Unsettled

if TYPE_CHECKING:
    from protocols.amqp.consumers import Consumers

_FIRST: Final = b"\x00"
_REDELIVERED: Final = b"\x01"
_TAG_AND_FLAG_BYTES: Final = 9
NOWHERE: Final = Address("", "")


def content_header(message: Message, framing: Framing, counters: Counters) -> bytes:
    """Return the content header frame of a message, as large as the peer's frames allow."""
    header = from_core(message, counters)
    if not _fits(header, framing):
        header = without_headers(message, counters)
    return header


def counted(header: bytes, entry: Entry, framing: Framing) -> bytes:
    """Return a content header frame that also tells how often the entry was delivered before (RabbitMQ "Quorum Queues").

    It stays as it is where the peer's frames have no room for that.
    """
    longer = with_field(header, DELIVERY_COUNT, encode_value(Long(entry.attempts - 1)))
    return longer if _fits(longer, framing) else header


def _fits(header: bytes, framing: Framing) -> bool:
    return len(header) - 5 <= framing.payload_limit  # what is not payload in it: size and end octet


class AmqpConsumer(Consumer):
    """Writes what a queue lends to it."""

    def __init__(self, owner: "Consumers", connection: Connection, tag: str, *, settles: bool) -> None:
        super().__init__(settles=settles)
        self.tag = tag
        self.queue: Queue | None = None  # once the queue lends to it
        self._owner = owner
        self._connection = connection
        self._framing: Framing = owner.framing
        self._unsettled: Unsettled = owner.unsettled
        self._counters = connection.broker.counters
        self._prefix = replies.DELIVER + replies.shortstr(tag)
        self._address = NOWHERE  # of the last message, which the next is likely to share
        self._start = b""  # of the method frame to the consumer tag
        self._middle = b""  # from the destination to where the content header frame differs
        self._body_size = -1
        self._body_start = b""
        self._copy_limit = min(COPY_LIMIT_BYTES, owner.framing.payload_limit)

    def deliver(self, entry: Entry) -> None:
        message = entry.message
        if message.address is not self._address:
            self._aim(message.address)
        tag = self._unsettled.lend(entry) if self.settles else self._unsettled.skip()
        body = message.body
        size = len(body)
        pieces = [
            self._start,
            tag.to_bytes(8, "big"),
            _REDELIVERED if entry.redelivered else _FIRST,
            self._middle,
            content_header(message, self._framing, self._counters),
        ]
        if entry.attempts > 1 and entry.queue.counts_deliveries:
            pieces[-1] = counted(pieces[-1], entry, self._framing)
        if size > self._copy_limit:
            self._connection.write(b"".join(pieces))
            for piece in self._framing.body(body):
                self._connection.write(piece)
            return
        if size:
            if size != self._body_size:
                self._body_size = size
                self._body_start = self._framing.body_start + size.to_bytes(4, "big")
            pieces.append(self._body_start)
            pieces.append(body)
            pieces.append(END)
        self._connection.write(b"".join(pieces))

    def _aim(self, address: Address) -> None:
        framing = self._framing
        where = destination(address, self._counters)
        size = len(self._prefix) + _TAG_AND_FLAG_BYTES + len(where)
        self._start = b"".join([framing.method_start, size.to_bytes(4, "big"), self._prefix])
        self._middle = b"".join([where, END, framing.header_start])
        self._address = address

    def failed(self, error: Exception) -> None:
        self._connection.outlet.failed(error)

    def cancelled(self) -> None:
        self._owner.lost(self)
