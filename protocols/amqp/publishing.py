"""Messages that come in on one channel: method, content header, body frames (AMQP 0-9-1 §4.2.6), and what they get back.

`expects` says which frame may come next. A message that nobody wants and that is mandatory goes back before its
confirm, since confirms are said at the end of the batch.
"""

from typing import Final

from core.client import Client
from core.model.message import Message
from core.publisher import Publisher
from protocols.amqp import replies
from protocols.amqp.confirms import Confirms
from protocols.amqp.consumer import content_header
from protocols.amqp.direct_replies import DirectReplies
from protocols.amqp.errors import (
    FRAME_ERROR,
    NAMES,
    NO_ROUTE,
    PRECONDITION_FAILED,
    RESOURCE_ERROR,
    UNEXPECTED_FRAME,
    PeerError,
)
from protocols.amqp.frames import Framing
from protocols.amqp.methods import BASIC_PUBLISH
from protocols.amqp.properties import AmqpNative
from protocols.amqp.publications import Publication, Publications
from protocols.amqp.transaction import ChannelTransaction
from protocols.amqp.translate import destination, to_core
from protocols.connection import Connection

# What may come next on the channel.
A_METHOD: Final = 0
A_HEADER: Final = 1
A_BODY: Final = 2
NOTHING: Final = 3  # the channel has ended: what still comes is ignored

PARTIAL_LIMIT_FACTOR: Final = 2  # messages of the largest size that may be coming in at a time, on all channels


class Publishing(Publisher):
    """Puts messages together, publishes them and keeps track of their confirms."""

    def __init__(
        self,
        connection: Connection,
        client: Client,
        framing: Framing,
        publications: Publications,
        direct_replies: DirectReplies,
        confirms_due: "list[Publishing]",
    ) -> None:
        self.expects = A_METHOD
        self.confirms: Confirms | None = None
        self.transaction: ChannelTransaction | None = None
        self._connection = connection
        self._client = client
        self._framing = framing
        self._publications = publications
        self._direct_replies = direct_replies
        self._confirms_due = confirms_due  # the channels of the connection that have confirms to say
        self._due = False
        self._clock = connection.broker.clock
        self._usage = connection.broker.surroundings.usage
        self._limit_bytes = connection.broker.message_limit_bytes
        self._publication: Publication | None = None
        self._native: AmqpNative | None = None
        self._parts: list[bytes] = []
        self._missing_bytes = 0  # of the body

    def begin(self, arguments: bytes) -> None:
        """Take the arguments of a basic.publish."""
        self._publication = self._publications.find(arguments)
        self.expects = A_HEADER

    def header(self, frame: bytes) -> None:
        """Take a content header frame, from its size to its end octet."""
        if self.expects != A_HEADER:
            if self.expects != NOTHING:
                raise self.unexpected()
            return
        native = self._publications.native(frame)
        if native.reply_to_at:
            native = native.answered_at(self._direct_replies.key)
        self._native = native
        size = native.body_size
        if size == 0:
            self._finish(b"")
            return
        if size > self._limit_bytes:
            raise PeerError(
                PRECONDITION_FAILED, f"message size {size} is larger than configured max size {self._limit_bytes}"
            )
        self._missing_bytes = size
        self.expects = A_BODY

    def body(self, piece: bytes) -> None:
        """Take the payload of a body frame."""
        if self.expects != A_BODY:
            if self.expects != NOTHING:
                raise self.unexpected()
            return
        size = len(piece)
        if size == self._missing_bytes and not self._parts:
            self._finish(piece)
            return
        if size > self._missing_bytes:
            raise PeerError(FRAME_ERROR, f"body goes on {size - self._missing_bytes} bytes behind its announced size")
        self._count_partial(size)
        self._missing_bytes -= size
        self._parts.append(piece)
        if not self._missing_bytes:
            body = b"".join(self._parts)
            self._forget_parts(len(body))
            self._finish(body)

    def _count_partial(self, size: int) -> None:
        publications = self._publications
        limit = PARTIAL_LIMIT_FACTOR * self._limit_bytes
        if publications.partial_bytes + size > limit:
            raise PeerError(RESOURCE_ERROR, f"more than {limit} bytes of unfinished messages on one connection")
        self._usage.hold_unfinished(size)
        publications.partial_bytes += size

    def _forget_parts(self, size: int) -> None:
        self._parts = []
        self._publications.partial_bytes -= size
        self._usage.release_unfinished(size)

    def unexpected(self) -> PeerError:
        """Return the error of a frame that cannot come now."""
        if self.expects == A_HEADER:
            text = "expected content header for class 60, got non content header frame instead"
        elif self.expects == A_BODY:
            text = "expected content body, got non content body frame instead"
        else:
            return PeerError(UNEXPECTED_FRAME, "expected method frame, got non method frame instead", offender=0)
        return PeerError(UNEXPECTED_FRAME, text, offender=BASIC_PUBLISH)

    def _finish(self, body: bytes) -> None:
        publication, native = self._publication, self._native
        assert publication is not None
        assert native is not None
        self.expects = A_METHOD
        message = to_core(publication.address, native, body, self._clock.now)
        confirms = self.confirms
        if confirms is not None:
            tag = confirms.last_tag = confirms.last_tag + 1
            wanted = self._client.publish(publication.exchange, message, self, tag)
        elif self.transaction is not None:
            self.transaction.publish(publication, message)
            return
        else:
            wanted = self._client.publish(publication.exchange, message, None, 0)
        if publication.mandatory and not wanted:
            self.give_back(message)

    def give_back(self, message: Message) -> None:
        """Return a mandatory message that nobody wanted (AMQP 0-9-1 §1.8.3.8)."""
        counters = self._client.counters
        payload = replies.returned(NO_ROUTE, NAMES[NO_ROUTE], destination(message.address, counters))
        header = content_header(message, self._framing, counters)
        for piece in self._framing.content(payload, header, message.body):
            self._connection.write(piece)

    # Confirms

    def confirmed(self, tag: int, *, routed: bool) -> None:
        self._settle(tag, accepted=True)

    def refused(self, tag: int) -> None:
        self._settle(tag, accepted=False)

    def _settle(self, tag: int, *, accepted: bool) -> None:
        confirms = self.confirms
        if confirms is None or self.expects == NOTHING:
            return
        confirms.settle(tag, accepted=accepted)
        if not self._due:
            self._due = True
            self._confirms_due.append(self)
            self._connection.wake()

    def say_confirms(self) -> None:
        """Write the confirms that have come in since the last call."""
        self._due = False
        if self.confirms is not None:
            for payload in self.confirms.take():
                self._connection.write(self._framing.method(payload))

    def end(self) -> None:
        """Say what is left to say, and take nothing more."""
        self.say_confirms()
        self._forget_parts(sum([len(part) for part in self._parts]))
        self.expects = NOTHING
