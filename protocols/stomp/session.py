"""A client that is logged in: what its frames do.

SEND and the plain ACK come here already read; every other frame comes as a `Frame`.
"""

from typing import Final

from core.client import Client
from core.model.errors import BrokerError
from core.model.message import Message
from core.queueing.deferred import REQUEUE_DELAY_LIMIT_S
from core.queueing.entry import Entry
from core.queueing.transaction import ACCEPT, DISCARD, REQUEUE, settle
from protocols.stomp.acknowledgement import split_id, unknown_message
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import Frame
from protocols.stomp.headers import escaped, number
from protocols.stomp.receipts import Receipts
from protocols.stomp.send import Plan, Sends
from protocols.stomp.speaker import Speaker
from protocols.stomp.subscription import Subscription
from protocols.stomp.subscriptions import Subscriptions
from protocols.stomp.transactions import Transactions
from protocols.stomp.versions import V1_2

DELAY_LIMIT_MS: Final = int(REQUEUE_DELAY_LIMIT_S * 1000)


class Session:
    """The state of one connection from login to its end."""

    def __init__(self, speaker: Speaker, client: Client) -> None:
        self.client = client
        self.receipts = Receipts(speaker)
        self.subscriptions = Subscriptions(speaker, client)
        self.transactions = Transactions(client)
        self.sends = Sends(speaker, client, self.subscriptions)
        self._speaker = speaker

    def handle(self, frame: Frame) -> None:
        """Do what a frame asks. Its receipt is for the connection to answer."""
        match frame.command:
            case "ACK":
                self._acknowledge(frame, ACCEPT, 0.0)
            case "NACK":
                delay_s = _delay_s(frame)
                requeues = frame.flag("requeue", default=delay_s > 0 or self._speaker.dialect.nack == REQUEUE)
                self._acknowledge(frame, REQUEUE if requeues else DISCARD, delay_s if requeues else 0.0)
            case "SUBSCRIBE":
                self.subscriptions.subscribe(frame)
            case "UNSUBSCRIBE":
                self.subscriptions.unsubscribe(frame)
            case "BEGIN":
                self.transactions.begin(frame.required("transaction"))
            case "COMMIT":
                if not self.transactions.commit(frame.required("transaction")):
                    raise PeerError("Message refused", "a queue is full")
            case "ABORT":
                self.transactions.abort(frame.required("transaction"))
            case "SEND":
                raise PeerError("Missing destination", "\"SEND\" must include the 'destination' header")
            case "CONNECT" | "STOMP":
                raise PeerError("Bad CONNECT", "the connection is logged in already")
            case _:
                raise PeerError("Bad command", f'Could not interpret command "{frame.command}"')

    def publish(self, plan: Plan, body: bytes, receipt: bytes | None, transaction: str | None) -> None:
        """Publish to every place of the plan, now or when its transaction commits."""
        expires_at = 0.0
        if plan.expiration_ms >= 0:
            expires_at = self._speaker.broker.clock.now + plan.expiration_ms / 1000
        if transaction is not None:
            self._publish_later(transaction, plan, body, expires_at)
            if receipt is not None:
                self.receipts.answer(receipt)
            return
        publisher: Receipts | None = None
        tag = 0
        if receipt is not None:
            publisher = self.receipts
            tag = publisher.expect(receipt, len(plan.places))
        for place in plan.places:
            message = Message(place.address, body, plan.qos, plan.native)
            message.expires_at = expires_at
            self.client.publish(place.exchange, message, publisher, tag)

    def _publish_later(self, transaction: str, plan: Plan, body: bytes, expires_at: float) -> None:
        for place in plan.places:
            message = Message(place.address, body, plan.qos, plan.native)
            message.expires_at = expires_at
            self.transactions.publish(transaction, place.exchange, message)

    # Acknowledgement

    def accept(self, message_id: bytes) -> None:
        """Settle a message and, with cumulative acknowledgement, those before it: an ACK that says only its id."""
        name, number = split_id(message_id)
        subscription = self.subscriptions.of_message(name, message_id)
        numbered = subscription.take(number)
        if numbered is None:
            raise unknown_message(message_id)
        for _, entry in numbered:
            entry.queue.accept(entry)

    def _acknowledge(self, frame: Frame, outcome: int, delay_s: float) -> None:
        message_id = self._message_id(frame)
        name, number = split_id(message_id)
        subscription = self.subscriptions.of_message(name, message_id)
        self._check_named(frame, subscription, message_id)
        transaction = frame.headers.get("transaction")
        if transaction is not None:
            self.transactions.check(transaction)
        numbered = subscription.take(number)
        if numbered is None:
            raise unknown_message(message_id)
        if outcome == DISCARD:
            try:
                self._open_grave(numbered)
            except BrokerError:
                subscription.put_back(numbered)  # nobody else knows of them now
                raise
        if transaction is not None:
            self.transactions.settle(transaction, subscription, numbered, outcome, delay_s)
            return
        for _, entry in numbered:
            if delay_s:
                entry.queue.requeue_later(entry, delay_s)
            else:
                settle(entry, outcome)

    def _open_grave(self, numbered: list[tuple[int, Entry]]) -> None:
        """Have the dialect's queue for dead letters there, if one of these will need it."""
        name = self._speaker.dialect.dead_letter_queue
        vhost = self.client.vhost
        if not name or name in vhost.queues:
            return
        for _, entry in numbered:
            queue = vhost.queues.get(entry.queue.name)
            if queue is not None and queue.dead_lettering is None:
                grave = vhost.add_queue(name, durable=True)
                vhost.watchers.appeared(grave)
                return

    def _message_id(self, frame: Frame) -> bytes:
        """Return what an ACK or NACK is about: `id` in 1.2, `message-id` before."""
        headers = frame.headers
        name = "id" if self._speaker.version == V1_2 else "message-id"
        found = headers.get(name, headers.get("message-id"))
        if found is None:
            raise PeerError("Missing header", f"\"{frame.command}\" must include the '{name}' header")
        said = escaped(found, self._speaker.version)
        return (said if said is not None else found).encode()

    def _check_named(self, frame: Frame, subscription: Subscription, message_id: bytes) -> None:
        """Refuse a `subscription` header that names another one than the message's id (STOMP 1.1 "ACK")."""
        said = frame.headers.get("subscription")
        if said is not None and self._speaker.version != V1_2 and subscription.key != f"T_{said}":
            raise unknown_message(message_id)

    def end(self) -> None:
        """Release everything that the client holds in the core."""
        self.transactions.end()
        self.subscriptions.end()
        self.client.close()


def _delay_s(frame: Frame) -> float:
    """Return how long a requeued message is held back: `delay` says milliseconds."""
    text = frame.headers.get("delay")
    return number("delay", text, DELAY_LIMIT_MS) / 1000 if text is not None else 0.0
