"""SUBSCRIBE and UNSUBSCRIBE: what a subscription to each kind of destination is made of, as in RabbitMQ.

`/queue/` declares a durable queue and shares it. `/topic/` and `/exchange/` get what is published from now on: by a
direct subscription where that will do, else by an exclusive queue, or, with `durable:true`, `auto-delete:false` and an
`id`, by a durable queue that outlives the connection.
"""

import base64
import hashlib
from typing import Final

from core.client import Client
from core.model.destination import SEPARATOR
from core.model.names import TOPIC_SPACE
from core.model.properties import Headers
from core.queueing.queue import Queue
from core.routing.pattern import parse_binding_key
from protocols.stomp.acknowledgement import AUTO, MODES, unknown_message
from protocols.stomp.destinations import TEMPORARY, Kind, StompDestination, parse
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import Frame
from protocols.stomp.headers import header_line, number
from protocols.stomp.messages import MessageWriter
from protocols.stomp.speaker import Speaker
from protocols.stomp.subscription import DirectSubscription, QueueConsumer, Subscription
from protocols.stomp.versions import V1_0

SUBSCRIPTIONS_LIMIT: Final = 10_000  # of one connection
TEMPORARY_LIMIT: Final = 1_000  # temporary queues of one connection
PREFETCH_LIMIT: Final = 1 << 31

# Headers that become arguments of a queue that is declared (RabbitMQ's list): numbers and words.
NUMBER_ARGUMENTS: Final = (
    "x-expires",
    "x-message-ttl",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
)
WORD_ARGUMENTS: Final = (
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-overflow",
    "x-queue-type",
)
# Headers that select or hold back messages: to ignore them would deliver the wrong ones.
NOT_SUPPORTED: Final = ("selector", "browser", "activemq.subscriptionName", "activemq.subcriptionName")


class Subscriptions:
    """The subscriptions and temporary queues of one connection."""

    def __init__(self, speaker: Speaker, client: Client) -> None:
        self._speaker = speaker
        self._client = client
        self._by_key: dict[str, Subscription] = {}  # T_ and the id, or Q_ and the destination
        self._by_name: dict[bytes, Subscription] = {}  # as their messages' ids name them
        self._temporary: dict[str, Queue] = {}  # by the client's name
        self._last_number = 0

    # From frames

    def subscribe(self, frame: Frame) -> None:
        """Do what a SUBSCRIBE asks."""
        text = frame.headers.get("destination")
        if text is None:
            raise PeerError("Missing destination", "\"SUBSCRIBE\" must include the 'destination' header")
        if SEPARATOR in text:
            raise PeerError(
                "Invalid destination",
                f"'{text}' is a list, which cannot be subscribed to at once: a comma inside a name is written %2C",
            )
        key = self._key(frame, text)
        self._check_free(key)
        for name in NOT_SUPPORTED:
            if name in frame.headers:
                raise PeerError("Invalid header", f"'{name}' on SUBSCRIBE is not supported")
        mode = MODES.get(frame.headers.get("ack", "auto"))
        if mode is None:
            raise PeerError("Invalid header", f"ack must be one of {', '.join(MODES)}, not '{frame.headers['ack']}'")
        self._start(frame, key, mode, parse(text))

    def unsubscribe(self, frame: Frame) -> None:
        """Do what an UNSUBSCRIBE asks."""
        if "id" not in frame.headers and "destination" not in frame.headers:
            raise PeerError("Missing destination or id", "\"UNSUBSCRIBE\" must include the 'id' header")
        key = self._key(frame, frame.headers.get("destination", ""))
        subscription = self._by_key.get(key)
        if subscription is None:
            raise PeerError("No subscription found", f"there is no subscription '{key[2:]}'")
        self._drop(subscription)
        queue = subscription.queue
        if subscription.outlives and queue is not None and _durable(frame):
            self._client.delete_queue(queue.name)

    def _key(self, frame: Frame, destination: str) -> str:
        subscription_id = frame.headers.get("id")
        if subscription_id is not None:
            return f"T_{subscription_id}"
        if self._speaker.version != V1_0:
            raise PeerError("Missing header", f"\"{frame.command}\" must include the 'id' header")
        return f"Q_{destination}"

    def _check_free(self, key: str) -> None:
        if key in self._by_key:
            raise PeerError("Duplicated subscription identifier", f"a subscription '{key[2:]}' exists already")
        if len(self._by_key) >= SUBSCRIPTIONS_LIMIT:
            raise PeerError("resource_error", f"more than {SUBSCRIPTIONS_LIMIT} subscriptions of one connection")

    # Starting

    def _start(self, frame: Frame, key: str, mode: int, destination: StompDestination) -> None:
        prefetch = frame.headers.get("prefetch-count", frame.headers.get("activemq.prefetchSize"))
        credit = number("prefetch-count", prefetch, PREFETCH_LIMIT) if prefetch is not None else 0
        match destination.kind:
            case Kind.QUEUE:
                self._consume(key, self._declared(frame, destination), mode, credit)
            case Kind.TEMPORARY:
                self._consume(key, self.temporary(destination.key).name, mode, credit)
            case Kind.EXISTING | Kind.REPLY:
                self._consume(key, destination.key, mode, credit)
            case Kind.EXCHANGE:
                if mode == AUTO and destination.exchange == TOPIC_SPACE and not _wants_queue(frame):
                    self._subscribe_directly(key, destination)
                else:
                    self._consume(key, self._bound(frame, destination), mode, credit).outlives = _durable(frame)

    def _subscribe_directly(self, key: str, destination: StompDestination) -> None:
        writer = self._writer(key, AUTO)
        direct = DirectSubscription(self._speaker, writer)
        self._client.subscribe(parse_binding_key(destination.key), destination.key, direct)
        self._add(Subscription(key, writer.name, None, None, direct))

    def _consume(self, key: str, queue_name: str, mode: int, prefetch: int) -> Subscription:
        writer = self._writer(key, mode)
        consumer = QueueConsumer(self._speaker, writer, mode, prefetch)
        queue = self._client.consume(queue_name, consumer)
        return self._add(Subscription(key, writer.name, queue, consumer, None))

    def _writer(self, key: str, mode: int) -> MessageWriter:
        self._last_number += 1
        name = f"T_{self._last_number}@@{self._speaker.session_id}@@".encode()
        line = header_line("subscription", key[2:], self._speaker.version) if key.startswith("T_") else b""
        if line is None:
            raise PeerError("Invalid header", "the id of the subscription cannot be repeated")
        return MessageWriter(self._speaker, name, line, acknowledged=mode != AUTO)

    def _add(self, subscription: Subscription) -> Subscription:
        self._by_key[subscription.key] = subscription
        self._by_name[subscription.name] = subscription
        return subscription

    def _declared(self, frame: Frame, destination: StompDestination) -> str:
        self._client.declare_queue(
            destination.key,
            durable=frame.flag("durable", default=frame.flag("persistent", default=True)),
            exclusive=frame.flag("exclusive"),
            auto_delete=frame.flag("auto-delete"),
            arguments=queue_arguments(frame.headers),
        )
        return destination.key

    def _bound(self, frame: Frame, destination: StompDestination) -> str:
        """Return the name of a queue that is bound to an exchange for this subscription."""
        client = self._client
        arguments = queue_arguments(frame.headers)
        if _durable(frame):
            name = frame.headers.get("x-queue-name") or _durable_name(frame, destination)
            queue = client.declare_queue(name, durable=True, arguments=arguments)
        else:
            name = frame.headers.get("x-queue-name", "")
            queue = client.declare_queue(name, exclusive=True, auto_delete=True, arguments=arguments)
        client.bind_queue(queue.name, destination.exchange, destination.key, {})
        return queue.name

    # Temporary queues

    def temporary(self, name: str) -> Queue:
        """Return the queue that is `/temp-queue/NAME` to this connection; it ends with it."""
        queue = self._temporary.get(name)
        if queue is None or queue.deleted:
            if queue is None and len(self._temporary) >= TEMPORARY_LIMIT:
                raise PeerError("resource_error", f"more than {TEMPORARY_LIMIT} temporary queues of one connection")
            queue = self._client.declare_queue("", exclusive=True, auto_delete=True)
            self._temporary[name] = queue
        return queue

    def answered_at(self, name: str) -> str:
        """Return the name of the queue that is `/temp-queue/NAME`, with a subscription to it.

        Without one by the client, answers come under its destination as the subscription's id (RabbitMQ).
        """
        queue = self.temporary(name)
        if not queue.consumers:
            key = f"T_{TEMPORARY}{name}"
            self._check_free(key)
            self._consume(key, queue.name, AUTO, 0)
        return queue.name

    # From the connection

    def of_message(self, name: bytes, message_id: bytes) -> Subscription:
        """Return the subscription that a message id names."""
        subscription = self._by_name.get(name)
        if subscription is None:
            raise unknown_message(message_id)
        return subscription

    def suspend(self) -> None:
        """Deliver nothing from queues for now: the output is full."""
        for subscription in self._by_key.values():
            subscription.suspend()

    def resume(self) -> None:
        """Deliver again."""
        for subscription in self._by_key.values():
            subscription.resume()

    def end(self) -> None:
        """End all subscriptions, with the connection."""
        for subscription in list(self._by_key.values()):
            self._drop(subscription)

    def _drop(self, subscription: Subscription) -> None:
        del self._by_key[subscription.key]
        del self._by_name[subscription.name]
        subscription.end(self._client)


def queue_arguments(headers: dict[str, str]) -> Headers:
    """Return the arguments that the headers of a frame give to a queue that it declares."""
    arguments: Headers = {}
    for name in NUMBER_ARGUMENTS:
        if name in headers:
            arguments[name] = number(name, headers[name], (1 << 63) - 1)
    for name in WORD_ARGUMENTS:
        if name in headers:
            arguments[name] = headers[name]
    return arguments


def _durable(frame: Frame) -> bool:
    """Whether a subscription is to outlive its connection (RabbitMQ's convention)."""
    return frame.flag("durable", default=frame.flag("persistent")) and not frame.flag("auto-delete", default=True)


def _wants_queue(frame: Frame) -> bool:
    """Whether a topic subscription says something that only a queue can do."""
    return _durable(frame) or "x-queue-name" in frame.headers or bool(queue_arguments(frame.headers))


def _durable_name(frame: Frame, destination: StompDestination) -> str:
    """Return the queue name of a durable subscription: the same again for the same destination and id."""
    subscription_id = frame.headers.get("id")
    if not subscription_id:
        raise PeerError("Missing header", "a durable subscription must include the 'id' header")
    digest = hashlib.sha256(f"{destination.text}\n{subscription_id}".encode()).digest()[:16]
    return f"stomp-subscription-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
