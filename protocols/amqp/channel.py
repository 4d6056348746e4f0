"""One channel: an ordered line of methods and messages inside a connection (AMQP 0-9-1 §1.4, §1.8).

Its parts do the work: `publishing` takes messages, `settling` takes acknowledgements, both straight from the connection;
here the other methods find the part that knows what to do. After an error the channel is a shell that waits for
channel.close-ok and ignores everything else.
"""

from core.client import Client
from core.model.names import REPLY_QUEUE
from core.queueing.transaction import DISCARD, REQUEUE
from protocols.amqp import replies
from protocols.amqp.basic_methods import Cancel, ConfirmSelect, Consume, Get, Nack, Qos, Recover, Reject
from protocols.amqp.confirms import Confirms
from protocols.amqp.connection_methods import AccessRequest, Flow
from protocols.amqp.consumer import content_header, counted
from protocols.amqp.consumers import Consumers, Room
from protocols.amqp.definitions import Definitions
from protocols.amqp.direct_replies import DirectReplies
from protocols.amqp.errors import COMMAND_INVALID, NOT_IMPLEMENTED, PRECONDITION_FAILED, PeerError
from protocols.amqp.frames import Framing
from protocols.amqp.method import Method
from protocols.amqp.methods import BASIC_RECOVER, TX_COMMIT, TX_ROLLBACK, TX_SELECT
from protocols.amqp.publications import Publications
from protocols.amqp.publishing import NOTHING, Publishing
from protocols.amqp.settling import Settling
from protocols.amqp.transaction import ChannelTransaction
from protocols.amqp.translate import destination
from protocols.connection import Connection
from protocols.unsettled import Unsettled


class Channel:
    """One open channel, or, once `ended`, what is left of it."""

    def __init__(
        self,
        connection: Connection,
        client: Client,
        publications: Publications,
        framing: Framing,
        confirms_due: list[Publishing],
        room: Room,
        *,
        notify: bool,
    ) -> None:
        self.framing = framing
        self._connection = connection
        self._client = client
        self._unsettled = Unsettled()
        self._transaction: ChannelTransaction | None = None
        self._definitions = Definitions(client)
        self._direct_replies = DirectReplies(connection, client, framing, self._unsettled)
        self.consumers = Consumers(connection, client, framing, self._unsettled, room, notify=notify)
        self.publishing = Publishing(connection, client, framing, publications, self._direct_replies, confirms_due)
        self.settling = Settling(self._unsettled)

    @property
    def ended(self) -> bool:
        """Whether the channel only waits for channel.close-ok."""
        return self.publishing.expects == NOTHING

    def send(self, payload: bytes) -> None:
        """Write one method; an empty payload is no method."""
        if payload:
            self._connection.write(self.framing.method(payload))

    def handle(self, method: Method) -> None:
        """Do what a method asks and answer it."""
        self.consumers.be_silent()
        answer = self._definitions.answer(method)
        if answer is not None:
            self.send(answer)
        self.consumers.speak()
        if answer is not None:
            return
        match method:
            case Get():
                self._get(method)
            case Nack():
                self.settling.settle(method.tag, REQUEUE if method.requeue else DISCARD, multiple=method.multiple)
            case Reject():
                self.settling.settle(method.tag, REQUEUE if method.requeue else DISCARD)
            case Consume():
                tag = self._consume(method)
                self.send(b"" if method.nowait else replies.consume_ok(tag))
            case Cancel():
                if not self._direct_replies.cancel(method.tag):
                    self.consumers.cancel(method.tag)
                self.send(b"" if method.nowait else replies.cancel_ok(method.tag))
            case Qos():
                self.consumers.limit(method)
                self.send(replies.QOS_OK)
            case Recover():
                self._recover(method)
            case ConfirmSelect():
                self._select_confirms()
                self.send(b"" if method.nowait else replies.CONFIRM_SELECT_OK)
            case Flow():
                if not method.active:
                    raise PeerError(NOT_IMPLEMENTED, "active=false")
                self.send(replies.FLOW_OK_ACTIVE)
            case AccessRequest():
                self.send(replies.ACCESS_REQUEST_OK)
            case _:
                self._handle_transaction(method)

    # Consuming, fetching and recovering

    def _consume(self, method: Consume) -> str:
        tag = self.consumers.free_tag(method.tag)
        name = self._definitions.queue_name(method.queue)
        if name == REPLY_QUEUE:
            self._direct_replies.consume(tag, settles=method.settles)
        else:
            self.consumers.consume(tag, method, name)
        return tag

    def _get(self, method: Get) -> None:
        queue, entry = self._client.get(self._definitions.queue_name(method.queue))
        if entry is None:
            self.send(replies.GET_EMPTY)
            return
        if method.settles:
            tag = self._unsettled.lend(entry)
        else:
            tag = self._unsettled.skip()
            queue.accept(entry)
        message = entry.message
        counters = self._client.counters
        where = destination(message.address, counters)
        payload = replies.get_ok(tag, where, queue.ready_count, redelivered=entry.redelivered)
        header = content_header(message, self.framing, counters)
        if queue.counts_deliveries:
            header = counted(header, entry, self.framing)
        for piece in self.framing.content(payload, header, message.body):
            self._connection.write(piece)

    def _recover(self, method: Recover) -> None:
        if not method.requeue:
            raise PeerError(NOT_IMPLEMENTED, "requeue=false")
        self.settling.recover()
        if method.number == BASIC_RECOVER:
            self.send(replies.RECOVER_OK)

    # Confirms and transactions

    def _select_confirms(self) -> None:
        if self._transaction is not None:
            raise PeerError(PRECONDITION_FAILED, "cannot switch from tx to confirm mode")
        if self.publishing.confirms is None:
            self.publishing.confirms = Confirms()

    def _handle_transaction(self, method: Method) -> None:
        if method.number == TX_SELECT:
            self._select_transaction()
            self.send(replies.TX_SELECT_OK)
            return
        if method.number not in {TX_COMMIT, TX_ROLLBACK}:
            raise PeerError(COMMAND_INVALID, "unimplemented method")
        transaction = self._transaction
        if transaction is None:
            raise PeerError(PRECONDITION_FAILED, "channel is not transactional")
        if method.number == TX_ROLLBACK:
            transaction.roll_back()
            self.send(replies.TX_ROLLBACK_OK)
            return
        for message in transaction.commit():
            self.publishing.give_back(message)
        self.send(replies.TX_COMMIT_OK)

    def _select_transaction(self) -> None:
        if self.publishing.confirms is not None:
            raise PeerError(PRECONDITION_FAILED, "cannot switch from confirm to tx mode")
        if self._transaction is None:
            self._transaction = ChannelTransaction(self._client, self._unsettled)
            self.publishing.transaction = self._transaction
            self.settling.transaction = self._transaction

    # The end

    def end(self) -> None:
        """Give back to the core everything that the channel holds. May be called twice."""
        if self.ended:
            return
        self.publishing.end()
        self.consumers.cancel_all()
        self._direct_replies.end()
        if self._transaction is not None:
            self._transaction.roll_back()
        for _, entry in self._unsettled.take_all():
            entry.queue.requeue(entry)

    def fail(self, code: int, text: str, offender: int) -> None:
        """Close the channel because of an error, and wait for channel.close-ok."""
        self.end()
        self.send(replies.close(replies.CHANNEL_CLOSE, code, text, offender))
