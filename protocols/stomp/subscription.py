"""One subscription: consumers of queues, and direct subscriptions to the topic space, that write one line of messages.

Most have one of these. A list of destinations has several, and with ActiveMQ's wildcards there is one for each queue
that is there or comes. A direct subscription keeps nothing: a message goes into the output at once, or, when the client
is too slow, is dropped and counted. Where messages are acknowledged there is always a queue.
"""

from collections.abc import Callable
from typing import Final

from core.client import Client
from core.model.errors import BrokerError
from core.model.message import Message
from core.model.names import DEFAULT_EXCHANGE
from core.model.properties import Headers
from core.queueing.browser import Browser
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED, Credit
from core.queueing.dead_letters import DeadLettering
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.watchers import QueueWatcher, matching
from core.routing.binding import COST_BYTES, LEVEL_COST_BYTES
from core.routing.pattern import Pattern
from core.routing.selector import Selector
from core.routing.sink import Sink
from protocols.stomp.acknowledgement import AUTO, CLIENT
from protocols.stomp.errors import PeerError
from protocols.stomp.messages import MessageWriter
from protocols.stomp.speaker import Speaker
from protocols.stomp.wildcards import is_private
from protocols.unsettled import Unsettled

SUBSCRIPTIONS_LIMIT: Final = 10_000  # of one connection; a wildcard counts, and each queue or topic of it or of a list
CONSUME_WORK: Final = 10  # steps, for one queue more of a wildcard, whoever has declared it


class Count:
    """How many queues and topics one connection is subscribed to."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self) -> None:
        """Count one more, or refuse it."""
        if self.taken >= SUBSCRIPTIONS_LIMIT:
            raise PeerError("resource_error", f"more than {SUBSCRIPTIONS_LIMIT} subscriptions of one connection")
        self.taken += 1


class Terms:
    """What a SUBSCRIBE asks for beside a destination."""

    def __init__(self, mode: int, prefetch: int, selector: Selector | None) -> None:
        self.mode = mode
        self.prefetch = prefetch  # messages that wait for their ACK; 0 for no limit
        self.selector = selector
        self.arguments: Headers = {}  # of the consumer
        self.alone = False  # whether other consumers of its queues wait while it is there


class QueueConsumer(Consumer):
    """Takes the entries of a queue for one subscription."""

    def __init__(self, subscription: "Subscription", credit: int, shared: Credit | None) -> None:
        super().__init__(credit=credit, settles=subscription.mode != AUTO, shared=shared)
        self.subscription = subscription
        self.by_wildcard = False  # whether its queue was not named, but matched
        self.suspended = subscription.speaker.congested
        self._unsettled = subscription.unsettled
        self._writer = subscription.writer

    def deliver(self, entry: Entry) -> None:
        if self.settles:
            self._unsettled.lend(entry)
        self._writer.write(entry.message, redelivered=entry.redelivered, attempts=entry.attempts)

    def failed(self, error: Exception) -> None:
        self.subscription.failed(error)

    def cancelled(self) -> None:
        self.subscription.lost(self)

    def browsed(self) -> None:
        self.subscription.browsed(self)


class DirectSubscription(Sink):
    """Takes what is published to a part of the topic space for one subscription."""

    def __init__(self, speaker: Speaker, writer: MessageWriter, selector: Selector | None) -> None:
        super().__init__()
        self._speaker = speaker
        self._writer = writer
        self._selector = selector

    def take(self, message: Message) -> bool:
        speaker = self._speaker
        if speaker.closed:
            return True
        counters = speaker.broker.counters
        selector = self._selector
        if selector is not None:
            counters.work += selector.steps
            if not selector.matches(message):
                return True
        if speaker.overrun():
            counters.drop("slow_subscriber")
            return True
        counters.delivered += 1
        self._writer.write(message, redelivered=False, attempts=1)
        return True

    def failed(self, error: Exception) -> None:
        self._speaker.outlet.failed(error)


class Subscription:
    """What SUBSCRIBE made and UNSUBSCRIBE ends."""

    def __init__(
        self, key: str, speaker: Speaker, client: Client, writer: MessageWriter, terms: Terms, count: Count
    ) -> None:
        self.key = key  # as the client names it
        self.name = writer.name  # as the ids of its messages begin
        self.speaker = speaker
        self.writer = writer
        self.mode = terms.mode
        self.unsettled = Unsettled()  # numbered as the writer numbers what it writes
        self.durable_queues: list[str] = []  # that stay when the connection is gone
        self.several = False  # whether there may be several queues, which share the prefetch
        self._client = client
        self._terms = terms
        self._count = count
        self._counted = 0
        self.ended = False
        self._cumulative = terms.mode == CLIENT
        self._shared: Credit | None = None
        self._consumers: dict[QueueConsumer, Queue] = {}
        self._browsers: dict[QueueConsumer, Browser] = {}
        self._directs: list[Sink] = []
        self._watches: list[QueueWatch] = []  # one for each wildcard

    # Beginning

    def consume(
        self, queue_name: str, *, selected: bool = False, exclusive: bool = False, by_wildcard: bool = False
    ) -> None:
        """Take the entries of a queue; all of them where only those that are wanted get in (`selected`)."""
        self._take_count()
        consumer = self._consumer()
        consumer.by_wildcard = by_wildcard
        consumer.alone = self._terms.alone
        if not selected:
            consumer.selector = self._terms.selector
        queue = self._client.consume(queue_name, consumer, exclusive=exclusive, arguments=self._terms.arguments)
        self._consumers[consumer] = queue
        where = self.speaker.dialect.dead_letter_queue
        if where and queue.name != where:
            consumer.dead_lettering = DeadLettering(self._client.vhost, queue.name, DEFAULT_EXCHANGE, where)

    def consume_matching(self, pattern: Pattern) -> None:
        """Take the entries of all queues whose names match, from now on."""
        self._take_count()
        vhost = self._client.vhost
        watch = QueueWatch(self, pattern)
        vhost.surroundings.usage.define(watch.cost_bytes)
        self._watches.append(watch)
        vhost.watchers.add(pattern, watch)
        vhost.surroundings.counters.work += len(vhost.queues)
        for queue in matching(pattern, vhost.queues.values()):
            self.consume_another(queue)

    def consume_another(self, queue: Queue) -> None:
        """Take the entries of one queue more, if this client may."""
        if is_private(queue):
            return
        self._client.counters.work += CONSUME_WORK
        try:
            self.consume(queue.name, by_wildcard=True)
        except BrokerError:
            self._give_count()  # not this client's to read, or somebody has it for himself

    def browse(self, queue_name: str) -> None:
        """Look at the entries of a queue, which stay in it."""
        self._take_count()
        consumer = self._consumer()
        self._browsers[consumer] = self._client.browse(queue_name, consumer, self._terms.selector)

    def listen(self, bind: Callable[[Sink], None]) -> Sink:
        """Pass on what is published where `bind` binds a sink to; return that sink."""
        self._take_count()
        selector = self._terms.selector
        if selector is not None:
            self._client.vhost.surroundings.usage.define(selector.cost_bytes)
        direct = DirectSubscription(self.speaker, self.writer, selector)
        self._directs.append(direct)
        bind(direct)
        return direct

    def _consumer(self) -> QueueConsumer:
        prefetch = self._terms.prefetch
        if self.several and prefetch:
            if self._shared is None:
                self._shared = Credit(prefetch)
            return QueueConsumer(self, UNLIMITED, self._shared)
        return QueueConsumer(self, prefetch or UNLIMITED, None)

    def _take_count(self) -> None:
        self._count.take()
        self._counted += 1

    def _give_count(self) -> None:
        self._count.taken -= 1
        self._counted -= 1

    # Settling

    def take(self, number: int) -> list[tuple[int, Entry]] | None:
        """Give out what an acknowledgement of `number` covers, oldest first; None when that number is not held."""
        if self._cumulative:
            return self.unsettled.take_through(number)
        entry = self.unsettled.take(number)
        return [(number, entry)] if entry is not None else None

    def put_back(self, numbered: list[tuple[int, Entry]]) -> None:
        """Wait for an acknowledgement of entries again, or give them back when the subscription has ended."""
        if not self.ended:
            for number, entry in numbered:
                self.unsettled.restore(number, entry)
            return
        for _, entry in numbered:
            entry.queue.requeue(entry)

    # From the connection

    def suspend(self) -> None:
        """Take no more from queues: the client does not keep up."""
        for consumer in self._consumers:
            consumer.suspended = True
        for consumer in self._browsers:
            consumer.suspended = True

    def resume(self) -> None:
        """Take from queues again."""
        for consumer, queue in self._consumers.items():
            consumer.suspended = False
            queue.resume(consumer)
        for consumer, browser in list(self._browsers.items()):
            consumer.suspended = False
            browser.resume(consumer)

    def end(self) -> None:
        """Let go of queues and topics; what is not acknowledged goes back."""
        self.ended = True
        client = self._client
        self._count.taken -= self._counted
        for watch in self._watches:
            client.vhost.watchers.remove(watch.pattern, watch)
            client.vhost.surroundings.usage.undefine(watch.cost_bytes)
        for direct in self._directs:
            client.unsubscribe(direct)
            if self._terms.selector is not None:
                client.vhost.surroundings.usage.undefine(self._terms.selector.cost_bytes)
        for browser in self._browsers.values():
            browser.close()
        consumers = self._consumers
        self._consumers = {}
        for consumer, queue in consumers.items():
            client.cancel(queue, consumer)
        for _, entry in self.unsettled.take_all():
            entry.queue.requeue(entry)

    # From the core

    def lost(self, consumer: QueueConsumer) -> None:
        """Learn that a queue is gone. Of queues that a wildcard selects, others are left or may come."""
        queue = self._consumers.pop(consumer, None)
        if not consumer.by_wildcard:
            self.speaker.fail(PeerError("Server cancelled subscription", "the queue was deleted"), None)
        elif queue is not None:
            self._give_count()

    def browsed(self, consumer: QueueConsumer) -> None:
        """Learn that a browser has shown all there is."""
        browser = self._browsers.get(consumer)
        if browser is not None:
            self.writer.write_end(browser.name)

    def failed(self, error: Exception) -> None:
        """Learn of a bug while this subscription was served."""
        self.speaker.outlet.failed(error)


class QueueWatch(QueueWatcher):
    """Has a subscription consume the queues that are declared after it."""

    def __init__(self, subscription: Subscription, pattern: Pattern) -> None:
        self.pattern = pattern
        self.cost_bytes = COST_BYTES + LEVEL_COST_BYTES * len(pattern.tokens)
        self._subscription = subscription

    def appeared(self, queue: Queue) -> None:
        try:
            self._subscription.consume_another(queue)
        except PeerError as refusal:
            self._subscription.speaker.fail(refusal, None)

    def failed(self, error: Exception) -> None:
        self._subscription.failed(error)
