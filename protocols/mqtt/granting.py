"""What a filter of a SUBSCRIBE asks for, and the subscription that it gets: a topic filter, a shared one, or a queue."""

from core.client import Client
from core.model.errors import Invalid
from core.vhost import VirtualHost
from protocols.mqtt.deliveries import Deliveries
from protocols.mqtt.destinations import QUEUE
from protocols.mqtt.packets5 import NO_LOCAL, QOS, RETAIN_AS_PUBLISHED
from protocols.mqtt.queues import QueueSubscription, parse_queue
from protocols.mqtt.shared import SHARE, SharedSubscription, parse_shared
from protocols.mqtt.subscription import OptionedSubscription, Subscription
from protocols.mqtt.topics import parse_filter


def grant(
    client: Client, deliveries: Deliveries, text: str, options: int, identifier: int, *, anew: bool
) -> Subscription:
    """Begin the subscription that a filter asks for; a BrokerError changes nothing.

    `options` are those of MQTT 5.0 (§3.8.3.1), of which 3.1.1 has the QoS only. `anew`: it does not replace another.
    """
    if anew and text.startswith((SHARE, QUEUE)):
        deliveries.check_feeds()
    subscription = _subscription(deliveries, text, options, identifier)
    subscription.start(client)
    return subscription


def grant_again(vhost: VirtualHost, deliveries: Deliveries, text: str, options: int, identifier: int) -> Subscription:
    """Begin a subscription of a session that is older than this process."""
    subscription = _subscription(deliveries, text, options, identifier)
    subscription.restore(vhost)
    return subscription


def _subscription(deliveries: Deliveries, text: str, options: int, identifier: int) -> Subscription:
    if text.startswith(SHARE):
        return _shared(deliveries, text, options, identifier)
    if text.startswith(QUEUE):
        return _queue(deliveries, text, options, identifier)
    topic_filter = parse_filter(text)
    qos = options & QOS
    no_local, as_published = bool(options & NO_LOCAL), bool(options & RETAIN_AS_PUBLISHED)
    if identifier or no_local or as_published:
        subscription: Subscription = OptionedSubscription(
            deliveries, topic_filter.text, qos, identifier, no_local=no_local, as_published=as_published
        )
    else:
        subscription = Subscription(deliveries, topic_filter.text, qos)
    subscription.pattern = topic_filter.pattern
    return subscription


def _shared(deliveries: Deliveries, text: str, options: int, identifier: int) -> Subscription:
    as_published = bool(options & RETAIN_AS_PUBLISHED)
    return SharedSubscription(
        deliveries, text, parse_shared(text), options & QOS, identifier, as_published=as_published
    )


def _queue(deliveries: Deliveries, text: str, options: int, identifier: int) -> Subscription:
    name = parse_queue(text)
    if options & NO_LOCAL:  # a queue does not know who published
        raise Invalid(f"topic filter '{text}' with No Local: a queue cannot leave out what this client has published")
    return QueueSubscription(deliveries, text, name, options & QOS, identifier)
