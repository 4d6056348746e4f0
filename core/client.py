"""What one connected client may do: each method asks `authorize` and then acts on the virtual host.

This is the face of the core that the protocols call. A method raises a BrokerError when the request cannot be met, and
then nothing has changed.
"""

from collections.abc import Callable

from mypy_extensions import mypyc_attr

from core.access import CONFIGURE, READ, WRITE, User, authorize
from core.model.errors import Denied, ExclusiveUse, InUse, Locked, Mismatch, NotFound
from core.model.message import Address, Message
from core.model.names import DEFAULT_EXCHANGE, RESERVED_PREFIX, TOPIC_SPACE, check_name, check_not_reserved
from core.model.properties import Headers
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.transaction import Transaction, settle
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.pattern import Pattern
from core.routing.sink import Sink
from core.vhost import VirtualHost


class Target:
    """A place that a client was authorised to publish to. Protocols keep it for as long as they like."""

    def __init__(self, exchange: Exchange, address: Address) -> None:
        self.exchange = exchange
        self.address = address


@mypyc_attr(allow_interpreted_subclasses=True)
class Publisher:
    """Learns what became of its publishes. Each tag gets exactly one of the two, at once or later."""

    def confirmed(self, tag: int, *, routed: bool) -> None:
        """The broker has taken responsibility; `routed` tells whether anybody wanted the message."""
        raise AssertionError(f"{type(self).__name__} publishes with tags but does not take confirms")

    def refused(self, tag: int) -> None:
        """The message was not taken by all that it was routed to."""
        raise AssertionError(f"{type(self).__name__} publishes with tags but does not take refusals")


class Client:
    """One connection's view of its virtual host."""

    def __init__(self, vhost: VirtualHost, user: User, unique: Callable[[], str], protocol: str, label: str) -> None:
        self.vhost = vhost
        self.user = user
        self.protocol = protocol
        self.label = label
        self.counters = vhost.surroundings.counters
        self._unique = unique
        self._exclusive: dict[str, Queue] = {}  # queues that end with this connection

    def authorize(self, operation: int, kind: str, name: str, topic: str | None = None) -> None:
        """Return if the user may, else raise Denied (see `core.access.authorize`)."""
        authorize(self.user, self.vhost.name, operation, kind, name, topic)

    # Exchanges

    def find_exchange(self, name: str) -> Exchange:
        """Return an exchange (a passive declare); any permission on it will do."""
        exchange = self.vhost.exchange(name)
        self._authorize_any("exchange", name)
        return exchange

    def declare_exchange(
        self,
        name: str,
        kind: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Headers | None = None,
    ) -> Exchange:
        """Create an exchange, or check that the existing one is the same; Mismatch when it is not."""
        if name == DEFAULT_EXCHANGE:
            raise Denied("operation not permitted on the default exchange")
        check_name("exchange", name)
        self.authorize(CONFIGURE, "exchange", name)
        arguments = arguments if arguments is not None else {}
        exchange = self.vhost.exchanges.get(name)
        if exchange is None:
            check_not_reserved("exchange", name)
            exchange = self.vhost.add_exchange(name, kind)
            exchange.durable = durable
            exchange.auto_delete = auto_delete
            exchange.internal = internal
            exchange.arguments = arguments
            return exchange
        what = f"exchange '{name}' in vhost '{self.vhost.name}'"
        _check_same("type", what, kind, exchange.kind)
        _check_same("durable", what, durable, exchange.durable)
        _check_same("auto_delete", what, auto_delete, exchange.auto_delete)
        _check_same("internal", what, internal, exchange.internal)
        _check_arguments(what, arguments, exchange.arguments)
        return exchange

    def delete_exchange(self, name: str, *, if_unused: bool = False) -> None:
        """Delete an exchange; one that is missing counts as deleted."""
        if name == DEFAULT_EXCHANGE:
            raise Denied("operation not permitted on the default exchange")
        self.authorize(CONFIGURE, "exchange", name)
        if name.startswith(RESERVED_PREFIX):
            raise Denied(f"deletion of system exchange '{name}' in vhost '{self.vhost.name}' not allowed")
        exchange = self.vhost.exchanges.get(name)
        if exchange is None:
            return
        if if_unused and exchange.bindings:
            raise InUse(f"exchange '{name}' in vhost '{self.vhost.name}' in use")
        self.vhost.remove_exchange(exchange)

    # Queues

    def find_queue(self, name: str) -> Queue:
        """Return a queue (a passive declare); any permission on it will do."""
        queue = self.vhost.queue(name)
        self._authorize_any("queue", name)
        self._check_not_locked(queue)
        return queue

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Headers | None = None,
    ) -> Queue:
        """Create a queue, or check that the existing one is the same. An empty name asks for a new unique one.

        An exclusive queue ends with this connection, so it is never durable (RabbitMQ drops the flag too).
        """
        arguments = arguments if arguments is not None else {}
        if not name:
            name = f"amq.gen-{self._unique()}"
            self.authorize(CONFIGURE, "queue", name)
            return self._create_queue(name, durable, exclusive, auto_delete, arguments)
        check_name("queue", name)
        self.authorize(CONFIGURE, "queue", name)
        queue = self.vhost.queues.get(name)
        if queue is None:
            check_not_reserved("queue", name)
            return self._create_queue(name, durable, exclusive, auto_delete, arguments)
        self._check_not_locked(queue)
        what = f"queue '{name}' in vhost '{self.vhost.name}'"
        _check_same("durable", what, durable and not exclusive, queue.durable)
        _check_same("exclusive", what, exclusive, queue.owner is not None)
        _check_same("auto_delete", what, auto_delete, queue.auto_delete)
        _check_arguments(what, arguments, queue.arguments)
        return queue

    def _create_queue(self, name: str, durable: bool, exclusive: bool, auto_delete: bool, arguments: Headers) -> Queue:
        queue = self.vhost.add_queue(name)
        queue.durable = durable and not exclusive
        queue.auto_delete = auto_delete
        queue.arguments = arguments
        if exclusive:
            queue.owner = self
            self._exclusive[name] = queue
        return queue

    def delete_queue(self, name: str, *, if_unused: bool = False, if_empty: bool = False) -> int:
        """Delete a queue and return how many entries were ready; one that is missing counts as deleted."""
        self.authorize(CONFIGURE, "queue", name)
        queue = self.vhost.queues.get(name)
        if queue is None:
            return 0
        self._check_not_locked(queue)
        if if_unused and queue.consumers:
            raise InUse(f"queue '{name}' in vhost '{self.vhost.name}' in use")
        if if_empty and queue.ready_count:
            raise InUse(f"queue '{name}' in vhost '{self.vhost.name}' not empty")
        self._exclusive.pop(name, None)
        return self.vhost.remove_queue(queue)

    def purge_queue(self, name: str) -> int:
        """Remove all ready entries and return how many there were."""
        return self._readable_queue(name).purge()

    # Bindings

    def bind_queue(self, queue_name: str, exchange_name: str, key: str, arguments: Headers) -> None:
        """Bind a queue to an exchange; an equal binding stays as it is."""
        queue, exchange = self._queue_and_exchange(queue_name, exchange_name, key)
        self.vhost.bind(exchange, Binding(queue, key, arguments))

    def unbind_queue(self, queue_name: str, exchange_name: str, key: str, arguments: Headers) -> None:
        """Remove a binding; one that is missing counts as removed."""
        queue, exchange = self._queue_and_exchange(queue_name, exchange_name, key)
        self.vhost.unbind(exchange, Binding(queue, key, arguments).identity)

    def bind_exchange(self, destination: str, source: str, key: str, arguments: Headers) -> None:
        """Bind exchange `source` to exchange `destination` (RabbitMQ's exchange.bind)."""
        to, exchange = self._both_exchanges(destination, source, key)
        self.vhost.bind(exchange, Binding(to, key, arguments))

    def unbind_exchange(self, destination: str, source: str, key: str, arguments: Headers) -> None:
        """Remove a binding between exchanges; one that is missing counts as removed."""
        to, exchange = self._both_exchanges(destination, source, key)
        self.vhost.unbind(exchange, Binding(to, key, arguments).identity)

    def _queue_and_exchange(self, queue_name: str, exchange_name: str, key: str) -> tuple[Queue, Exchange]:
        queue = self.vhost.queue(queue_name)
        self._check_not_locked(queue)
        self.authorize(WRITE, "queue", queue_name)
        return queue, self._source(exchange_name, key)

    def _both_exchanges(self, destination: str, source: str, key: str) -> tuple[Exchange, Exchange]:
        if destination == DEFAULT_EXCHANGE:
            raise Denied("operation not permitted on the default exchange")
        to = self.vhost.exchange(destination)
        self.authorize(WRITE, "exchange", destination)
        return to, self._source(source, key)

    def _source(self, name: str, key: str) -> Exchange:
        if name == DEFAULT_EXCHANGE:
            raise Denied("operation not permitted on the default exchange")
        exchange = self.vhost.exchange(name)
        self.authorize(READ, "exchange", name, key if exchange.kind == "topic" else None)
        return exchange

    # Topic subscriptions

    def subscribe(self, pattern: Pattern, text: str, sink: Sink) -> None:
        """Bind `sink` to the topic space by a pattern; `text` is the pattern in the core's form, for permissions."""
        self.authorize(READ, "exchange", TOPIC_SPACE, text)
        self.vhost.bind(self.vhost.exchange(TOPIC_SPACE), Binding(sink, text, {}, pattern))

    def unsubscribe(self, sink: Sink) -> None:
        """Remove every binding of `sink`."""
        self.vhost.unbind_all(sink)

    # Publishing

    def target(self, exchange_name: str, key: str) -> Target:
        """Return where to publish, once the client may write there."""
        exchange = self.vhost.exchange(exchange_name)
        self.authorize(WRITE, "exchange", exchange_name, key if exchange.kind == "topic" else None)
        if exchange.internal:
            raise Denied(f"cannot publish to internal exchange '{exchange_name}' in vhost '{self.vhost.name}'")
        return Target(exchange, exchange.address(key))

    def publish(self, exchange: Exchange, message: Message, publisher: Publisher | None, tag: int) -> bool:
        """Publish to the exchange of a `Target`; False when nobody wanted the message.

        With a publisher, `tag` gets its one confirm or refusal: every durable copy is as safe as its class promises.
        """
        if exchange.deleted:
            raise NotFound(f"no exchange '{exchange.name}' in vhost '{self.vhost.name}'")
        self.counters.published += 1
        sinks = exchange.route(message).sinks
        if not sinks:
            self.counters.unroutable += 1
            if publisher is not None:
                publisher.confirmed(tag, routed=False)
            return False
        accepted = True
        for sink in sinks:
            if not sink.take(message):
                accepted = False
        if publisher is not None:
            if accepted:
                publisher.confirmed(tag, routed=True)
            else:
                publisher.refused(tag)
        return True

    def commit(self, transaction: Transaction) -> bool:
        """Do all that the transaction holds; False when a queue refused one of its messages."""
        accepted = True
        for exchange, message in transaction.publishes:
            self.counters.published += 1
            if not exchange.take(message):
                accepted = False
        for entry, outcome in transaction.settlements:
            settle(entry, outcome)
        return accepted

    def retain(self, message: Message) -> None:
        """Keep a message, published to the topic space, for later subscribers of its topic."""
        self.vhost.retained.keep(message)

    def retained(self, pattern: Pattern) -> list[Message]:
        """Return what is kept for the topics that a pattern selects."""
        return self.vhost.retained.matching(pattern, self.vhost.surroundings.clock.now)

    # Consuming

    def consume(self, queue_name: str, consumer: Consumer, *, exclusive: bool = False) -> Queue:
        """Start lending the queue's entries to `consumer`."""
        queue = self._readable_queue(queue_name)
        if (exclusive and queue.consumers) or any(other.exclusive for other in queue.consumers):
            raise ExclusiveUse(f"queue '{queue_name}' in vhost '{self.vhost.name}' in exclusive use")
        consumer.exclusive = exclusive
        queue.add(consumer)
        return queue

    def cancel(self, queue: Queue, consumer: Consumer) -> None:
        """Stop lending to `consumer`; what it holds stays with it until it is settled."""
        self.vhost.cancel(queue, consumer)

    def get(self, queue_name: str) -> tuple[Queue, Entry | None]:
        """Lend one entry (AMQP `basic.get`)."""
        queue = self._readable_queue(queue_name)
        return queue, queue.get()

    def close(self) -> None:
        """End the connection's share in the virtual host: its exclusive queues go. Consumers are cancelled before."""
        for queue in list(self._exclusive.values()):
            self.vhost.remove_queue(queue)
        self._exclusive.clear()

    def _readable_queue(self, name: str) -> Queue:
        queue = self.vhost.queue(name)
        self._check_not_locked(queue)
        self.authorize(READ, "queue", name)
        return queue

    def _check_not_locked(self, queue: Queue) -> None:
        if queue.owner is not None and queue.owner is not self:
            raise Locked(
                f"cannot obtain exclusive access to locked queue '{queue.name}' in vhost '{self.vhost.name}'. It could be "
                "originally declared on another connection or the exclusive property value does not match that of the "
                "original declaration."
            )

    def _authorize_any(self, kind: str, name: str) -> None:
        for operation in (CONFIGURE, WRITE):
            try:
                self.authorize(operation, kind, name)
            except Denied:
                continue
            return
        self.authorize(READ, kind, name)


def _check_same(attribute: str, what: str, received: object, current: object) -> None:
    if received != current:
        raise Mismatch(
            f"inequivalent arg '{attribute}' for {what}: received {_shown(received)} but current is {_shown(current)}"
        )


def _check_arguments(what: str, received: Headers, current: Headers) -> None:
    for name in sorted({*received, *current}):
        _check_same(name, what, received.get(name), current.get(name))


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "'true'" if value else "'false'"
    return f"'{value}'"
