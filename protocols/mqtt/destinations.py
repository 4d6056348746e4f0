"""Where a PUBLISH goes: its topic is a place in the topic space, or, as `$queue/NAME`, a queue.

A queue that does not exist is declared, durable, by whoever publishes or subscribes to it first, as STOMP's `/queue/NAME`
is; one that exists is used as it is. Of the broker's own names only those are meant that exist: `$queue/` and the
`reply-to` of a request is where its answer goes.
"""

from typing import Final

from core.client import Client
from core.model.errors import Invalid
from core.model.names import DEFAULT_EXCHANGE, RESERVED_PREFIX, TOPIC_SPACE, check_name
from core.publisher import Target
from core.queueing.queue import Queue
from protocols.mqtt.errors import Malformed
from protocols.mqtt.topics import check_publishable, read_name, topic_field, topic_to_key

QUEUE: Final = "$queue/"
QUEUE_BYTES: Final = QUEUE.encode()
REMEMBERED: Final = 512  # queues that one connection remembers; beyond it they are forgotten


class QueueTarget:
    """A queue that a client was authorised to publish to."""

    def __init__(self, target: Target, queue: Queue | None) -> None:
        self.target = target
        self.queue = queue  # None: whoever waits for an answer

    @property
    def gone(self) -> bool:
        """Whether the queue was deleted since, so that it must be declared anew."""
        return self.queue is not None and self.queue.deleted


def check_destination(topic: bytes) -> None:
    """Check a topic that is published to later; a PeerError or BrokerError when it can never be."""
    if topic.startswith(QUEUE_BYTES):
        _queue_name(topic)
    else:
        topic_to_key(topic)


def find_target(client: Client, topic: bytes) -> Target:
    """Return where a topic leads; a BrokerError when the client may not publish there."""
    if topic.startswith(QUEUE_BYTES):
        return find_queue(client, topic).target
    key = topic_to_key(topic)
    check_publishable(key)
    target = client.target(TOPIC_SPACE, key)
    topic_field(target.address)
    return target


def find_queue(client: Client, topic: bytes) -> QueueTarget:
    """Return the queue that a topic names."""
    name = _queue_name(topic)
    target = client.target(DEFAULT_EXCHANGE, name)
    if name.startswith(RESERVED_PREFIX):
        return QueueTarget(target, client.vhost.queues.get(name))
    return QueueTarget(target, ensure_queue(client, name))


def ensure_queue(client: Client, name: str) -> Queue:
    """Return a queue, which is declared when there is none."""
    queue = client.vhost.queues.get(name)
    return queue if queue is not None else client.declare_queue(name, durable=True)


def _queue_name(topic: bytes) -> str:
    name = read_name("topic name", topic[len(QUEUE_BYTES) :])
    if "+" in name or "#" in name:
        raise Malformed("topic name contains a wildcard [MQTT-3.3.2-2]")
    if not name:
        raise Invalid(f"topic '{QUEUE}' has no name of a queue")
    check_name("queue", name)
    return name
