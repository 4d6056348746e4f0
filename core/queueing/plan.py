"""What the arguments of a declare make of a queue, and whether another declare means the same."""

from core.model.arguments import (
    CLASSIC,
    COMPARED,
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_ROUTING_KEY,
    DELIVERY_LIMIT,
    EXPIRES,
    MAX_LENGTH,
    MAX_LENGTH_BYTES,
    MAX_PRIORITY,
    MESSAGE_TTL,
    OVERFLOW,
    QUEUE_TYPE,
    QUORUM,
    REFUSE_WHEN_FULL,
    REFUSE_WHEN_FULL_DLX,
    SINGLE_ACTIVE_CONSUMER,
)
from core.model.equivalence import check_arguments, check_same
from core.model.errors import Locked
from core.model.properties import Headers
from core.queueing.credit import UNLIMITED
from core.queueing.dead_letters import DeadLettering
from core.queueing.home import Home
from core.queueing.lifetime import Lifetime
from core.queueing.priority_backlog import PriorityBacklog
from core.queueing.queue import Queue
from core.queueing.stock import DROP_HEAD, REJECT_PUBLISH, REJECT_PUBLISH_DLX
from core.queueing.surroundings import Surroundings
from core.timers import NEVER


def plan(queue: Queue, arguments: Headers, home: Home, surroundings: Surroundings) -> None:
    """Set up a new queue, which has neither entries nor consumers yet. The arguments were checked."""
    queue.arguments = arguments
    queue.single_active = arguments.get(SINGLE_ACTIVE_CONSUMER, False)
    queue.counts_deliveries = arguments.get(QUEUE_TYPE) == QUORUM
    highest = arguments.get(MAX_PRIORITY, 0)
    if highest:
        queue.backlog = PriorityBacklog(surroundings.usage, highest)
    settle(queue, arguments, home, surroundings)


def settle(queue: Queue, settings: Headers, home: Home, surroundings: Surroundings) -> int:
    """Have a queue be what settings say: its arguments, or what policies make of these. They may change at any time.

    Returns how many entries it has given up for that. Those that it has keep the time that they were given, as in RabbitMQ.
    """
    queue.limit_entries = settings.get(MAX_LENGTH, UNLIMITED)
    queue.limit_bytes = settings.get(MAX_LENGTH_BYTES, UNLIMITED)
    queue.overflow = _overflow(settings)
    queue.ttl_s = settings[MESSAGE_TTL] / 1000 if MESSAGE_TTL in settings else NEVER
    queue.delivery_limit = UNLIMITED
    limit = settings.get(DELIVERY_LIMIT)
    if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0:  # RabbitMQ checks nothing here
        queue.delivery_limit = limit
    exchange = settings.get(DEAD_LETTER_EXCHANGE)
    if exchange is None:
        queue.dead_lettering = None
    else:
        queue.dead_lettering = DeadLettering(home, queue.name, exchange, settings.get(DEAD_LETTER_ROUTING_KEY))
    _settle_lifetime(queue, settings.get(EXPIRES), home, surroundings)
    return queue.keep_limits()


def _settle_lifetime(queue: Queue, idle_ms: int | None, home: Home, surroundings: Surroundings) -> None:
    """Have a queue live as long as it is to. One that lives as long as before is not younger for it."""
    lifetime = queue.lifetime
    if lifetime is not None:
        if idle_ms is not None and lifetime.idle_s == idle_ms / 1000:
            return
        lifetime.end()
        queue.lifetime = None
    if idle_ms is not None:
        queue.lifetime = Lifetime(queue, home, surroundings.timers, idle_ms / 1000)
        queue.used()


def _overflow(arguments: Headers) -> int:
    overflow = arguments.get(OVERFLOW)
    if overflow == REFUSE_WHEN_FULL:
        return REJECT_PUBLISH
    return REJECT_PUBLISH_DLX if overflow == REFUSE_WHEN_FULL_DLX else DROP_HEAD


def check_same_queue(what: str, queue: Queue, durable: bool, auto_delete: bool, arguments: Headers) -> None:
    """Raise Mismatch unless the queue that exists is the one that a declare describes.

    Only arguments that mean something to its type are compared.
    """
    check_same("durable", what, durable, queue.durable)
    check_same("auto_delete", what, auto_delete, queue.auto_delete)
    check_arguments(COMPARED[queue.arguments.get(QUEUE_TYPE, CLASSIC)], what, arguments, queue.arguments)


def check_may_be_fetched_from(queue: Queue, vhost: str) -> None:
    """Refuse a single fetch where RabbitMQ does."""
    if queue.single_active and queue.counts_deliveries:
        raise Locked(
            f"cannot obtain access to locked queue '{queue.name}' in vhost '{vhost}'. "
            "basic.get operations are not supported by quorum queues with single active consumer"
        )


def is_taken(queue: Queue) -> bool:
    """Tell whether the queue's one consumer is exclusive."""
    return len(queue.consumers) == 1 and any(consumer.exclusive for consumer in queue.consumers)
