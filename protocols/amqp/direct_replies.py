"""Direct reply-to: answers that come straight to the channel that asked, past any queue (RabbitMQ "Direct Reply-to").

A channel consumes from a pseudo queue, and its requests name that queue in `reply_to`. They leave with a routing key of
the channel's own in its place, bound to the default exchange, so that an answer may come by any protocol. Answers are
never kept: what the client is too slow to take is dropped and counted.
"""

from core.client import Client
from core.model.message import Message
from core.routing.sink import Sink
from protocols.amqp import replies
from protocols.amqp.consumer import content_header
from protocols.amqp.errors import PRECONDITION_FAILED, PeerError
from protocols.amqp.frames import Framing
from protocols.amqp.translate import destination
from protocols.connection import Connection
from protocols.unsettled import Unsettled


class DirectReplies(Sink):
    """The reply consumer of one channel, once there is one."""

    def __init__(self, connection: Connection, client: Client, framing: Framing, unsettled: Unsettled) -> None:
        super().__init__()
        self._connection = connection
        self._client = client
        self._framing = framing
        self._unsettled = unsettled
        self._key = ""  # where answers arrive; empty while nobody consumes them
        self._tag = ""

    @property
    def key(self) -> str:
        """The routing key of answers; PeerError when nobody consumes them."""
        if not self._key:
            raise PeerError(PRECONDITION_FAILED, "fast reply consumer does not exist")
        return self._key

    def consume(self, tag: str, *, settles: bool) -> None:
        """Start to deliver answers. There can be one such consumer, and it cannot acknowledge."""
        if settles:
            raise PeerError(PRECONDITION_FAILED, "reply consumer cannot acknowledge")
        if self._key:
            raise PeerError(PRECONDITION_FAILED, "reply consumer already set")
        self._key = self._client.open_replies(self)
        self._tag = tag

    def cancel(self, tag: str) -> bool:
        """Stop; False when the tag is not that of the reply consumer."""
        if not self._key or tag != self._tag:
            return False
        self.end()
        return True

    def end(self) -> None:
        """Stop, if there is anything to stop. Answers that still come are unroutable."""
        if self._key:
            self._key = ""
            self._client.close_replies(self)

    def take(self, message: Message) -> bool:
        counters = self._client.counters
        if self._connection.overrun():
            counters.drop("slow_subscriber")
            return True
        counters.delivered += 1
        payload = replies.deliver(self._tag, self._unsettled.skip(), destination(message.address, counters))
        header = content_header(message, self._framing, counters)
        for piece in self._framing.content(payload, header, message.body):
            self._connection.write(piece)
        return True

    def failed(self, error: Exception) -> None:
        self._connection.outlet.failed(error)
