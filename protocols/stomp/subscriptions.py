"""SUBSCRIBE and UNSUBSCRIBE: what a subscription to each kind of destination is made of, as in RabbitMQ.

`/queue/` declares a durable queue and shares it. `/topic/` and `/exchange/` get what is published from now on: by a
direct subscription where that will do, else by an exclusive queue, or by a durable queue that outlives the connection.
"""

from functools import partial
from typing import Final

from core.client import Client
from core.model.errors import Unsupported
from core.queueing.queue import Queue
from core.routing.selector import Selector, parse_selector
from core.routing.selector.parser import PARSE_STEPS
from protocols.stomp.acknowledgement import AUTO, MODES, unknown_message
from protocols.stomp.destinations import TEMPORARY_QUEUE, Kind, StompDestination, destination_of, parse_all
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import Frame
from protocols.stomp.headers import header_line, number
from protocols.stomp.messages import MessageWriter
from protocols.stomp.no_local import from_others, wants_no_local
from protocols.stomp.retroactive import Retroactive
from protocols.stomp.speaker import Speaker
from protocols.stomp.subscription import Count, Subscription, Terms
from protocols.stomp.subscription_queues import (
    Place,
    bound,
    declared,
    durable_name,
    entrance_of,
    is_durable,
    is_topic,
    kept,
    named_by_client,
    subscription_name,
    wants_queue,
)
from protocols.stomp.temporaries import Temporaries
from protocols.stomp.versions import V1_0
from protocols.stomp.wildcards import queue_pattern

PREFETCH_LIMIT: Final = 1 << 31
PRIORITY_MOST: Final = (1 << 31) - 1
TEXT_AS_NUMBERS: Final = "convert_string_expressions:"  # before a selector: headers of STOMP are always text


class Subscriptions:
    """The subscriptions of one connection."""

    def __init__(self, speaker: Speaker, client: Client) -> None:
        self.temporaries = Temporaries(client, speaker.dialect)
        self.retroactive = Retroactive(speaker, client)
        self._speaker = speaker
        self._client = client
        self._by_key: dict[str, Subscription] = {}  # T_ and the id, or Q_ and the destination
        self._by_name: dict[bytes, Subscription] = {}  # as their messages' ids name them
        self._last_number = 0
        self._count = Count()

    # From frames

    def subscribe(self, frame: Frame) -> None:
        """Do what a SUBSCRIBE asks."""
        text = destination_of(frame.headers)
        if text is None:
            raise PeerError("Missing destination", "\"SUBSCRIBE\" must include the 'destination' header")
        key = self._key(frame, frame.headers["destination"])
        self._check_free(key)
        terms = self._terms(frame)
        destinations = parse_all(text, self._speaker.dialect)
        subscription = self._added(key, terms)
        subscription.several = (
            len(destinations) > 1 or queue_pattern(destinations[0], self._speaker.dialect) is not None
        )
        if frame.flag("browser"):
            self._browse(frame, subscription, destinations)
            return
        name = subscription_name(frame)
        if name:
            self._subscribe_durably(frame, subscription, terms, destinations, name)
            return
        for destination in destinations:
            self._join(frame, subscription, terms, destination)

    def unsubscribe(self, frame: Frame) -> None:
        """Do what an UNSUBSCRIBE asks."""
        name = subscription_name(frame)
        if "id" not in frame.headers and "destination" not in frame.headers and not name:
            raise PeerError("Missing destination or id", "\"UNSUBSCRIBE\" must include the 'id' header")
        if not name or "id" in frame.headers:
            key = self._key(frame, frame.headers.get("destination", ""))
            subscription = self._by_key.get(key)
            if subscription is not None:
                self._drop(subscription)
                if is_durable(frame):
                    for queue_name in subscription.durable_queues:
                        self._client.delete_queue(queue_name)
            elif not name:
                raise PeerError("No subscription found", f"there is no subscription '{key[2:]}'")
        if name:
            self._forget_durable(name)

    def _forget_durable(self, name: str) -> None:
        """End a durable subscription in ActiveMQ's way, whether or not this connection has it."""
        queue_name = named_by_client(self._speaker.client_id, name)
        if queue_name not in self._client.vhost.queues:
            raise PeerError("No subscription found", f"there is no durable subscription '{name}'")
        self._client.delete_queue(queue_name, if_unused=True)

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

    def _terms(self, frame: Frame) -> Terms:
        headers = frame.headers
        mode = MODES.get(headers.get("ack", "auto"))
        if mode is None:
            raise PeerError("Invalid header", f"ack must be one of {', '.join(MODES)}, not '{headers['ack']}'")
        prefetch = self._speaker.dialect.prefetch_default
        for name in self._speaker.dialect.prefetch_headers:
            if name in headers:
                prefetch = number(name, headers[name], PREFETCH_LIMIT)
                break
        text = headers.get("selector", "")
        self._client.counters.work += PARSE_STEPS * len(text)
        selector = selector_of(text)
        if wants_no_local(frame):
            if is_durable(frame) or subscription_name(frame):
                raise Unsupported("a durable subscription that passes over what its own connection sends")
            selector = from_others(self._speaker.session_id, selector)
        terms = Terms(mode, prefetch, selector)
        terms.alone = frame.flag("activemq.exclusive")
        for name in ("x-priority", "activemq.priority"):
            if name in headers:
                digits = headers[name].removeprefix("-")
                priority = number(name, digits, PRIORITY_MOST)
                terms.arguments["x-priority"] = priority if digits == headers[name] else -priority
                break
        return terms

    # Starting

    def _added(self, key: str, terms: Terms) -> Subscription:
        writer = self._writer(key, terms.mode)
        subscription = Subscription(key, self._speaker, self._client, writer, terms, self._count)
        self._by_key[key] = subscription
        self._by_name[subscription.name] = subscription
        return subscription

    def _writer(self, key: str, mode: int) -> MessageWriter:
        self._last_number += 1
        speaker = self._speaker
        name = speaker.dialect.id_start(self._last_number, speaker.session_id, speaker.version)
        line = header_line("subscription", key[2:], speaker.version) if key.startswith("T_") else b""
        if line is None:
            raise PeerError("Invalid header", "the id of the subscription cannot be repeated")
        return MessageWriter(speaker, name, line, acknowledged=mode != AUTO)

    def _join(self, frame: Frame, subscription: Subscription, terms: Terms, destination: StompDestination) -> None:
        """Add one destination to a subscription."""
        match destination.kind:
            case Kind.QUEUE:
                pattern = queue_pattern(destination, self._speaker.dialect)
                if pattern is not None:
                    subscription.consume_matching(pattern)
                else:
                    subscription.consume(declared(self._client, frame, destination))
            case Kind.EXISTING | Kind.REPLY:
                subscription.consume(destination.key)
            case Kind.TEMPORARY_QUEUE:
                self._show(subscription, destination)
                subscription.consume(self.temporaries.queue(destination.key).name)
            case Kind.TEMPORARY_TOPIC:
                self._show(subscription, destination)
                self._join_temporary_topic(subscription, terms, self.temporaries.topic(destination.key))
            case Kind.TOPIC | Kind.EXCHANGE:
                self._join_exchange(frame, subscription, terms, destination)

    def _join_exchange(
        self, frame: Frame, subscription: Subscription, terms: Terms, destination: StompDestination
    ) -> None:
        client = self._client
        place = Place(destination, self._speaker.dialect)
        if is_durable(frame):
            name = kept(client, frame, place, terms.selector, durable_name(frame, destination))
            subscription.durable_queues.append(name)
            subscription.consume(name, selected=True)
            return
        if terms.mode == AUTO and is_topic(destination) and not wants_queue(frame):
            sink = subscription.listen(partial(place.bind, client))
        else:
            queue = client.vhost.queue(bound(client, frame, place, terms.selector))
            subscription.consume(queue.name, selected=True)
            sink = queue.entrance or queue
        if place.pattern is not None and frame.flag("activemq.retroactive"):
            self.retroactive.add(subscription, sink, place.pattern)

    def _join_temporary_topic(self, subscription: Subscription, terms: Terms, key: str) -> None:
        client = self._client
        if terms.mode == AUTO:
            subscription.listen(partial(client.join_replies, key))
            return
        queue = client.declare_queue("", exclusive=True, auto_delete=True)
        client.join_replies(key, entrance_of(client, queue, terms.selector))
        subscription.consume(queue.name, selected=True)

    def _show(self, subscription: Subscription, destination: StompDestination) -> None:
        """Have messages say the client's own name for what is temporary; RabbitMQ's show where it really is."""
        told = destination.kind is Kind.TEMPORARY_TOPIC or self._speaker.dialect.shows_temporary
        if told and not subscription.several:
            line = header_line("destination", destination.text, self._speaker.version)
            subscription.writer.where = line or b""

    def _subscribe_durably(
        self, frame: Frame, subscription: Subscription, terms: Terms, destinations: list[StompDestination], name: str
    ) -> None:
        """Begin or take up a durable subscription in ActiveMQ's way."""
        destination = destinations[0]
        if len(destinations) > 1 or destination.kind not in {Kind.TOPIC, Kind.EXCHANGE}:
            raise PeerError("Invalid destination", f"the durable subscription '{name}' must be to one topic")
        queue_name = named_by_client(self._speaker.client_id, name)
        place = Place(destination, self._speaker.dialect)
        name = kept(self._client, frame, place, terms.selector, queue_name)
        subscription.consume(name, selected=True, exclusive=True)

    def _browse(self, frame: Frame, subscription: Subscription, destinations: list[StompDestination]) -> None:
        destination = destinations[0]
        if subscription.several or destination.kind not in {Kind.QUEUE, Kind.EXISTING}:
            raise PeerError("Invalid destination", f"'{destination.text}' cannot be browsed: only one queue can")
        if destination.kind is Kind.QUEUE and destination.key not in self._client.vhost.queues:
            declared(self._client, frame, destination)
        subscription.browse(destination.key)

    def answered_at(self, name: str) -> Queue:
        """Return the queue that is `/temp-queue/NAME`, with a subscription to it where the dialect gives one unasked.

        Then answers come under its destination as the subscription's id (RabbitMQ).
        """
        queue = self.temporaries.queue(name)
        if not queue.consumers and self._speaker.dialect.answers_unasked:
            key = f"T_{TEMPORARY_QUEUE}{name}"
            self._check_free(key)
            self._added(key, Terms(AUTO, 0, None)).consume(queue.name)
        return queue

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
        self.retroactive.go_on()

    def end(self) -> None:
        """End all subscriptions, with the connection."""
        self.retroactive.end()
        for subscription in list(self._by_key.values()):
            self._drop(subscription)

    def _drop(self, subscription: Subscription) -> None:
        del self._by_key[subscription.key]
        del self._by_name[subscription.name]
        subscription.end()


def selector_of(text: str) -> Selector | None:
    """Return the selector of a header, or None when it selects everything.

    Numbers in headers of STOMP are text, so text is compared as the number that it spells, as in ActiveMQ; where only
    text is asked for there is nothing to convert.
    """
    if not text.strip():
        return None
    selector = parse_selector(text)  # as it is, so that the column of a mistake is the client's
    return selector if selector.is_pin else parse_selector(TEXT_AS_NUMBERS + text)
