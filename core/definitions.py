"""What one connected client may define: exchanges, queues, and bindings between them.

A method raises a BrokerError when the request cannot be met, and then nothing has changed. Permissions are asked first,
so that nobody learns of names that he has no right to.
"""

from collections.abc import Callable

from core.access import CONFIGURE, READ, WRITE, User, authorize
from core.model.arguments import check_dead_letter_exchange, check_may_be_unnamed, check_queue_arguments
from core.model.equivalence import EXCHANGE_ARGUMENTS, check_arguments, check_same
from core.model.errors import Denied, InUse, Locked
from core.model.exchange_arguments import ALTERNATE_EXCHANGE, check_exchange_arguments
from core.model.names import DEFAULT_EXCHANGE, RESERVED_PREFIX, check_name, check_not_reserved
from core.model.properties import Headers
from core.queueing.home import Owner
from core.queueing.plan import check_same_queue
from core.queueing.queue import Queue
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.vhost import VirtualHost


class Definitions(Owner):
    """One connection's right to change what exists in its virtual host."""

    def __init__(self, vhost: VirtualHost, user: User, unique: Callable[[], str]) -> None:
        self.vhost = vhost
        self.user = user
        self._unique = unique
        self._exclusive: dict[str, Queue] = {}  # queues that end with this connection

    def authorize(self, operation: int, kind: str, name: str, topic: str | None = None) -> None:
        """Return if the user may, else raise Denied (see `core.access.authorize`)."""
        authorize(self.user, self.vhost.name, operation, kind, name, topic)

    @property
    def may_stay(self) -> bool:
        """Whether the user may still be in the virtual host."""
        return self.vhost.name in self.user.permissions

    # Exchanges

    def find_exchange(self, name: str) -> Exchange:
        """Return an exchange (a passive declare); any permission on it will do."""
        self._check_not_default(name)
        self._authorize_any("exchange", name)
        return self.vhost.exchange(name)

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
        self._check_not_default(name)
        check_name("exchange", name)
        self.authorize(CONFIGURE, "exchange", name)
        arguments = arguments if arguments is not None else {}
        what = f"exchange '{name}' in vhost '{self.vhost.name}'"
        exchange = self.vhost.exchanges.get(name)
        if exchange is None:
            check_not_reserved("exchange", name)
            check_exchange_arguments(what, arguments)
            if ALTERNATE_EXCHANGE in arguments:
                self.authorize(READ, "exchange", name)
                self.authorize(WRITE, "exchange", arguments[ALTERNATE_EXCHANGE])
            return self.vhost.add_exchange(
                name, kind, arguments, durable=durable, auto_delete=auto_delete, internal=internal
            )
        check_same("type", what, kind, exchange.kind)
        check_same("durable", what, durable, exchange.durable)
        check_same("auto_delete", what, auto_delete, exchange.auto_delete)
        check_same("internal", what, internal, exchange.internal)
        check_arguments(EXCHANGE_ARGUMENTS, what, arguments, exchange.arguments)
        return exchange

    def delete_exchange(self, name: str, *, if_unused: bool = False) -> None:
        """Delete an exchange; one that is missing counts as deleted."""
        self._check_not_default(name)
        if name.startswith(RESERVED_PREFIX):
            raise Denied(f"deletion of system exchange '{name}' in vhost '{self.vhost.name}' not allowed")
        self.authorize(CONFIGURE, "exchange", name)
        exchange = self.vhost.exchanges.get(name)
        if exchange is None:
            return
        if if_unused and exchange.bindings:
            raise InUse(f"exchange '{name}' in vhost '{self.vhost.name}' in use")
        self.vhost.remove_exchange(exchange)

    # Queues

    def find_queue(self, name: str) -> Queue:
        """Return a queue (a passive declare); any permission on it will do."""
        self._authorize_any("queue", name)
        queue = self.vhost.queue(name)
        self._check_not_locked(queue)
        queue.used()
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
            check_may_be_unnamed(arguments)
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
        if exclusive != (queue.owner is not None):
            raise self._locked(queue)
        what = f"queue '{name}' in vhost '{self.vhost.name}'"
        check_same_queue(what, queue, durable and not exclusive, auto_delete, arguments)
        queue.used()
        return queue

    def _create_queue(self, name: str, durable: bool, exclusive: bool, auto_delete: bool, arguments: Headers) -> Queue:
        what = f"queue '{name}' in vhost '{self.vhost.name}'"
        dead_letter_exchange = check_dead_letter_exchange(what, arguments)
        if dead_letter_exchange is not None:
            self.authorize(READ, "queue", name)
            self.authorize(WRITE, "exchange", dead_letter_exchange)
        check_queue_arguments(what, arguments, durable=durable, exclusive=exclusive, auto_delete=auto_delete)
        queue = self.vhost.add_queue(name, arguments, durable=durable and not exclusive, auto_delete=auto_delete)
        if exclusive:
            queue.owner = self
            self._exclusive[name] = queue
        self.vhost.watchers.appeared(queue)
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
        if if_empty and (queue.ready_count or queue.deferred_count):
            raise InUse(f"queue '{name}' in vhost '{self.vhost.name}' not empty")
        return self.vhost.remove_queue(queue)

    def purge_queue(self, name: str) -> int:
        """Remove all ready entries and return how many there were."""
        return self.vhost.keeping.purge(self._readable_queue(name))

    # Bindings

    def bind_queue(self, queue_name: str, exchange_name: str, key: str, arguments: Headers) -> None:
        """Bind a queue to an exchange; an equal binding stays as it is."""
        self._authorize_binding("queue", queue_name, exchange_name, key)
        exchange = self.vhost.exchange(exchange_name)
        queue = self.vhost.queue(queue_name)
        self._check_not_locked(queue)
        self.vhost.bind(exchange, Binding(queue, key, arguments))

    def unbind_queue(self, queue_name: str, exchange_name: str, key: str, arguments: Headers) -> None:
        """Remove a binding; one that is missing, with its queue or exchange or without, counts as removed."""
        self._authorize_binding("queue", queue_name, exchange_name, key)
        exchange = self.vhost.exchanges.get(exchange_name)
        queue = self.vhost.queues.get(queue_name)
        if exchange is not None and queue is not None:
            identity = Binding(queue, key, arguments).identity
            if identity in exchange.bindings:
                self._check_not_locked(queue)
                self.vhost.unbind(exchange, identity)

    def bind_exchange(self, destination: str, source: str, key: str, arguments: Headers) -> None:
        """Bind exchange `source` to exchange `destination` (RabbitMQ's exchange.bind)."""
        self._check_not_default(destination)
        self._authorize_binding("exchange", destination, source, key)
        exchange = self.vhost.exchange(source)
        self.vhost.bind(exchange, Binding(self.vhost.exchange(destination), key, arguments))

    def unbind_exchange(self, destination: str, source: str, key: str, arguments: Headers) -> None:
        """Remove a binding between exchanges; one that is missing, with its ends or without, counts as removed."""
        self._check_not_default(destination)
        self._authorize_binding("exchange", destination, source, key)
        exchange = self.vhost.exchanges.get(source)
        to = self.vhost.exchanges.get(destination)
        if exchange is not None and to is not None:
            self.vhost.unbind(exchange, Binding(to, key, arguments).identity)

    def _authorize_binding(self, kind: str, destination: str, source: str, key: str) -> None:
        self._check_not_default(source)
        self.authorize(WRITE, kind, destination)
        self.authorize(READ, "exchange", source, self._topic(source, key))

    def lost(self, queue: Queue) -> None:
        if self._exclusive.get(queue.name) is queue:
            del self._exclusive[queue.name]

    def _readable_queue(self, name: str) -> Queue:
        self.authorize(READ, "queue", name)
        queue = self.vhost.queue(name)
        self._check_not_locked(queue)
        return queue

    def _check_not_default(self, exchange_name: str) -> None:
        if exchange_name == DEFAULT_EXCHANGE:
            raise Denied("operation not permitted on the default exchange")

    def _topic(self, exchange_name: str, key: str) -> str | None:
        exchange = self.vhost.exchanges.get(exchange_name)
        return key if exchange is not None and exchange.kind == "topic" else None

    def _check_not_locked(self, queue: Queue) -> None:
        if queue.owner is not None and queue.owner is not self:
            raise self._locked(queue)

    def _locked(self, queue: Queue) -> Locked:
        return Locked(
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
