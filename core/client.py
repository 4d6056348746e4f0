"""What one connected client may do: each method asks `authorize` and then acts on the virtual host.

This is the face of the core that the protocols call. A method raises a BrokerError when the request cannot be met, and
then nothing has changed. Permissions are asked first, so that nobody learns of names that he has no right to.
"""

from collections.abc import Callable

from core.access import READ, WRITE, User
from core.definitions import Definitions
from core.model.arguments import check_consumer_arguments
from core.model.errors import Denied, ExclusiveUse, NotFound
from core.model.message import Address, Message, plain_message
from core.model.names import DEFAULT_EXCHANGE, REPLY_QUEUE, STATUS_TOPIC, TOPIC_SPACE, is_status
from core.model.properties import Headers
from core.publisher import Publisher, Target
from core.queueing.browser import Browser
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.group import Group, Member
from core.queueing.plan import check_may_be_fetched_from, is_taken
from core.queueing.queue import Queue
from core.queueing.retained import Walk
from core.queueing.transaction import Transaction
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.pattern import Pattern
from core.routing.route import Route
from core.routing.selector.argument import selector_of
from core.routing.selector.selector import Selector
from core.routing.sink import Sink, take_all
from core.vhost import VirtualHost


class Client(Definitions):
    """One connection's view of its virtual host."""

    def __init__(self, vhost: VirtualHost, user: User, unique: Callable[[], str], protocol: str, label: str) -> None:
        super().__init__(vhost, user, unique)
        self.protocol = protocol
        self.label = label
        self.counters = vhost.surroundings.counters

    # Topic subscriptions

    def subscribe(self, pattern: Pattern, text: str, sink: Sink) -> None:
        """Bind `sink` to the topic space by a pattern; `text` is the pattern in the core's form, for permissions."""
        self.bind_sink(sink, TOPIC_SPACE, text, pattern)

    def bind_sink(self, sink: Sink, exchange_name: str, key: str, pattern: Pattern | None = None) -> None:
        """Bind a sink that is the client's own to any exchange; a `pattern` says what `key` says only in AMQP's syntax."""
        self._check_not_default(exchange_name)
        self.authorize(READ, "exchange", exchange_name, self._topic(exchange_name, key))
        self.vhost.bind(self.vhost.exchange(exchange_name), Binding(sink, key, {}, pattern))

    def join(self, name: str, pattern: Pattern, text: str, member: Member) -> Group:
        """Make `member` one of those who share what a pattern of the topic space selects."""
        self.authorize(READ, "exchange", TOPIC_SPACE, text)
        return self.vhost.join(name, pattern, text, member)

    def unsubscribe(self, sink: Sink) -> None:
        """Remove every binding of `sink`."""
        self.vhost.unbind_all(sink)

    # Publishing

    def target(self, exchange_name: str, key: str) -> Target:
        """Return where to publish, once the client may write there."""
        self.authorize(WRITE, "exchange", exchange_name, self._topic(exchange_name, key))
        exchange = self.vhost.exchange(exchange_name)
        if exchange.internal:
            raise Denied(f"cannot publish to internal exchange '{exchange_name}' in vhost '{self.vhost.name}'")
        if exchange_name == TOPIC_SPACE and is_status(key):
            raise Denied(f"topics under '{STATUS_TOPIC}' are the broker's own")
        return Target(exchange, exchange.address(key))

    def publish(self, exchange: Exchange, message: Message, publisher: Publisher | None, tag: int) -> bool:
        """Publish to the exchange of a `Target`; False when nobody wanted the message.

        With a publisher, `tag` gets its one confirm or refusal: every durable copy is as safe as its class promises.
        """
        if exchange.deleted:
            raise NotFound(f"no exchange '{exchange.name}' in vhost '{self.vhost.name}'")
        self.counters.published += 1
        route = exchange.route(message)
        sinks = route.sinks
        if not sinks:
            self.counters.unroutable += 1
            take_all(route.keepers, message)
            if publisher is not None:
                publisher.confirmed(tag, routed=False)
            return False
        self.counters.work += len(sinks)
        accepted = take_all(sinks, message)
        if publisher is not None:
            if accepted:
                publisher.confirmed(tag, routed=True)
            else:
                publisher.refused(tag)
        return True

    def begin(self) -> Transaction:
        """Return a new transaction, to be committed or released."""
        return Transaction(self.vhost.surroundings.usage)

    def commit(self, transaction: Transaction) -> bool:
        """Do all that the transaction holds, or nothing: False when a queue would refuse one of its messages."""
        transaction.release()
        routed: list[tuple[Route, Message]] = []
        for exchange, message in transaction.publishes:
            if exchange.deleted:  # since it was added; one of the same name may have taken its place
                exchange = self.vhost.exchanges.get(exchange.name, exchange)
            routed.append((exchange.route(message), message))
        return transaction.carry_out(routed, self.counters)

    def retain(self, message: Message) -> None:
        """Keep a message, published to the topic space, for later subscribers of its topic."""
        self.vhost.retained.keep(message)
        self.vhost.keeping.retained(message)

    def retained(self, pattern: Pattern) -> Walk:
        """Look for what is kept for the topics that a pattern selects."""
        return self.vhost.retained.walk(pattern, self.vhost.surroundings.clock.now)

    # Direct replies

    def open_replies(self, sink: Sink) -> str:
        """Bind `sink` to the default exchange by a new key, so that answers reach it; return the key."""
        key = self.new_reply_key()
        self.join_replies(key, sink)
        return key

    def new_reply_key(self) -> str:
        """Return a key by which nobody is bound to the default exchange, and that nobody can guess."""
        return f"{REPLY_QUEUE}.{self._unique()}"

    def join_replies(self, key: str, sink: Sink) -> None:
        """Have answers to a key of `new_reply_key` reach `sink` too."""
        self.vhost.bind(self.vhost.default_exchange, Binding(sink, key, {}))

    def close_replies(self, sink: Sink) -> None:
        """Remove what `open_replies` has bound."""
        self.vhost.unbind_all(sink)

    def find_replies(self, name: str) -> None:
        """Return when answers to `name` arrive somewhere, or raise NotFound."""
        if not self.vhost.default_exchange.route(plain_message(Address(DEFAULT_EXCHANGE, name), b"")).sinks:
            raise NotFound(f"no queue '{name}' in vhost '{self.vhost.name}'")

    # Consuming

    def consume(
        self, queue_name: str, consumer: Consumer, *, exclusive: bool = False, arguments: Headers | None = None
    ) -> Queue:
        """Start lending the queue's entries to `consumer`, which may have its selector already."""
        queue = self._readable_queue(queue_name)
        if arguments:
            what = f"queue '{queue_name}' in vhost '{self.vhost.name}'"
            consumer.priority = check_consumer_arguments(what, arguments)
            consumer.selector = selector_of(arguments, what, self.counters) or consumer.selector
        # An exclusive consumer is the only one, and a single active consumer must have others that wait.
        if (exclusive and queue.single_active) or (queue.consumers and (exclusive or is_taken(queue))):
            raise ExclusiveUse(f"queue '{queue_name}' in vhost '{self.vhost.name}' in exclusive use")
        consumer.exclusive = exclusive
        queue.add(consumer)
        return queue

    def browse(self, queue_name: str, consumer: Consumer, selector: Selector | None = None) -> Browser:
        """Show `consumer` copies of what is ready in the queue now and matches, as far as it has credit.

        Nothing is taken out. It begins when the present batch ends, and `consumer.browsed` tells the end.
        """
        queue = self._readable_queue(queue_name)
        queue.used()
        browser = Browser(queue, consumer, selector, self.vhost.surroundings)
        browser.wake()
        return browser

    def cancel(self, queue: Queue, consumer: Consumer) -> None:
        """Stop lending to `consumer`; what it holds stays with it until it is settled."""
        self.vhost.cancel(queue, consumer)

    def get(self, queue_name: str) -> tuple[Queue, Entry | None]:
        """Lend one entry (AMQP `basic.get`)."""
        queue = self._readable_queue(queue_name)
        check_may_be_fetched_from(queue, self.vhost.name)
        return queue, queue.get()

    def close(self) -> None:
        """End the connection's share in the virtual host: its exclusive queues go. Consumers are cancelled before."""
        for queue in list(self._exclusive.values()):
            self.vhost.remove_queue(queue)
