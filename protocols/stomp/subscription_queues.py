"""The queues that subscriptions declare: shared ones, those behind an acknowledged topic, and durable subscriptions.

A durable subscription is a queue that outlives its connection. Its name says whose it is: in RabbitMQ's way the
destination and the `id`; in ActiveMQ's the `client-id` of the connection and the name of the subscription. Who comes
again with another destination or selector gets a new queue, as JMS has it.
"""

import base64
import hashlib
from typing import Final

from core.access import WRITE
from core.client import Client
from core.model.errors import Mismatch
from core.model.names import DEFAULT_EXCHANGE, TOPIC_SPACE
from core.model.properties import Headers
from core.queueing.entrance import Entrance
from core.queueing.queue import Queue
from core.routing.pattern import Pattern, parse_binding_key
from core.routing.selector import Selector
from core.routing.sink import Sink
from protocols.stomp.destinations import Kind, StompDestination
from protocols.stomp.dialect import Dialect
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import Frame
from protocols.stomp.headers import number
from protocols.stomp.wildcards import SUBSCRIPTION_QUEUE, binding_key, topic_pattern

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
# ActiveMQ's header, its misspelling of before 5.7, and Artemis' name for it.
SUBSCRIPTION_NAMES: Final = (
    "activemq.subscriptionName",
    "activemq.subcriptionName",
    "durable-subscription-name",
)
NUMBER_MOST: Final = (1 << 63) - 1


class Place:
    """Where a subscription to an exchange is bound: a pattern where the key alone would not say it."""

    def __init__(self, destination: StompDestination, dialect: Dialect) -> None:
        self.exchange = destination.exchange
        self.key = destination.key
        self.pattern: Pattern | None = None
        if destination.kind is Kind.TOPIC:
            self.pattern = topic_pattern(destination, dialect)
            if dialect.wildcard_of_rest != "#":
                self.key = binding_key(self.pattern)

    def bind(self, client: Client, sink: Sink) -> None:
        """Bind what is the client's own."""
        client.bind_sink(sink, self.exchange, self.key, self.pattern)


def declared(client: Client, frame: Frame, destination: StompDestination) -> str:
    """Declare the queue of a `/queue/` destination as the headers say, and return its name."""
    client.declare_queue(
        destination.key,
        durable=frame.flag("durable", default=frame.flag("persistent", default=True)),
        exclusive=frame.flag("exclusive"),
        auto_delete=frame.flag("auto-delete"),
        arguments=queue_arguments(frame.headers),
    )
    return destination.key


def bound(client: Client, frame: Frame, place: Place, selector: Selector | None) -> str:
    """Return the name of a new queue for one connection, bound to where a subscription is."""
    name = frame.headers.get("x-queue-name", "")
    arguments = queue_arguments(frame.headers)
    queue = client.declare_queue(name, exclusive=True, auto_delete=True, arguments=arguments)
    _bind(client, queue, place, selector)
    return queue.name


def kept(client: Client, frame: Frame, place: Place, selector: Selector | None, name: str) -> str:
    """Return the name of the queue of a durable subscription, made or found, bound to where the subscription is."""
    queue = client.vhost.queues.get(name)
    if queue is not None and name.startswith(SUBSCRIPTION_QUEUE) and not _is_the_same(client, queue, place, selector):
        client.delete_queue(name, if_unused=True)
    queue = client.declare_queue(name, durable=True, arguments=queue_arguments(frame.headers))
    _bind(client, queue, place, selector)
    return name


def entrance_of(client: Client, queue: Queue, selector: Selector | None) -> Sink:
    """Return what is bound to get messages into a queue: itself, or with a selector its entrance."""
    if _selector_text(queue) != _text(selector):
        if queue.had_consumer:
            raise Mismatch(f"queue '{queue.name}' in vhost '{client.vhost.name}' has another selector")
        usage = client.vhost.surroundings.usage
        if selector is not None:
            usage.define(selector.cost_bytes)
            queue.cost_bytes += selector.cost_bytes
        if isinstance(queue.entrance, Entrance):
            client.unsubscribe(queue.entrance)  # nothing leads through the old one any more
            usage.undefine(queue.entrance.selector.cost_bytes)
            queue.cost_bytes -= queue.entrance.selector.cost_bytes
        queue.entrance = Entrance(queue, selector) if selector is not None else None
    return queue.entrance or queue


def _bind(client: Client, queue: Queue, place: Place, selector: Selector | None) -> None:
    client.authorize(WRITE, "queue", queue.name)  # whatever is bound in its stead, the messages are for the queue
    entrance = entrance_of(client, queue, selector)
    if entrance is queue and (place.pattern is None or place.pattern == parse_binding_key(place.key)):
        client.bind_queue(queue.name, place.exchange, place.key, {})
    else:
        place.bind(client, entrance)


def _is_the_same(client: Client, queue: Queue, place: Place, selector: Selector | None) -> bool:
    if _selector_text(queue) != _text(selector):
        return False
    bindings = client.vhost.bindings_to(queue.entrance or queue)
    places = {(source.name, binding.key) for source, binding in bindings if source.name != DEFAULT_EXCHANGE}
    return places == {(place.exchange, place.key)}


def _selector_text(queue: Queue) -> str:
    entrance = queue.entrance
    return _text(entrance.selector) if isinstance(entrance, Entrance) else ""


def _text(selector: Selector | None) -> str:
    return selector.text if selector is not None else ""


def queue_arguments(headers: dict[str, str]) -> Headers:
    """Return the arguments that the headers of a frame give to a queue that it declares."""
    arguments: Headers = {}
    for name in NUMBER_ARGUMENTS:
        if name in headers:
            arguments[name] = number(name, headers[name], NUMBER_MOST)
    for name in WORD_ARGUMENTS:
        if name in headers:
            arguments[name] = headers[name]
    return arguments


def is_durable(frame: Frame) -> bool:
    """Tell whether a subscription is to outlive its connection in RabbitMQ's way."""
    return frame.flag("durable", default=frame.flag("persistent")) and not frame.flag("auto-delete", default=True)


def subscription_name(frame: Frame) -> str:
    """Return the name of a durable subscription in ActiveMQ's way, or nothing."""
    for name in SUBSCRIPTION_NAMES:
        if frame.headers.get(name):
            return frame.headers[name]
    return ""


def wants_queue(frame: Frame) -> bool:
    """Tell whether a topic subscription says something that only a queue can do."""
    return "x-queue-name" in frame.headers or bool(queue_arguments(frame.headers))


def durable_name(frame: Frame, destination: StompDestination) -> str:
    """Return the queue name of a durable subscription in RabbitMQ's way: the same for the same destination and id."""
    said = frame.headers.get("x-queue-name")
    if said:
        return said
    subscription_id = frame.headers.get("id")
    if not subscription_id:
        raise PeerError("Missing header", "a durable subscription must include the 'id' header")
    return _digest(f"{destination.text}\n{subscription_id}")


def named_by_client(client_id: str, name: str) -> str:
    """Return the queue name of a durable subscription in ActiveMQ's way."""
    if not client_id:
        raise PeerError("Missing header", f"the durable subscription '{name}' needs the 'client-id' header of CONNECT")
    return _digest(f"client-id\n{client_id}\n{name}")


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()[:16]
    return SUBSCRIPTION_QUEUE + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_topic(destination: StompDestination) -> bool:
    """Tell whether a destination is a part of the topic space."""
    return destination.exchange == TOPIC_SPACE
