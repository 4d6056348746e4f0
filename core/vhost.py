"""A virtual host: the namespace of exchanges, queues, retained messages and sessions, and what happens to them.

Nothing here asks who is calling; `core.client` does that first. What is defined has a size, and there is room for so much
of it in all virtual hosts together (`core.queueing.usage`).
"""

from collections.abc import Callable
from typing import Final

from core.keeping import Keeping
from core.model.errors import BrokerError, Limit, Mismatch, NotFound
from core.model.message import Message
from core.model.names import DEFAULT_EXCHANGE, PREDECLARED_EXCHANGES, TOPIC_SPACE
from core.model.properties import Headers, cost_of
from core.policies.policies import Policies
from core.queueing.consumer import Consumer
from core.queueing.group import Group, Member
from core.queueing.home import Home
from core.queueing.plan import plan
from core.queueing.queue import Queue
from core.queueing.retained import RetainedMessages
from core.queueing.schedule import Schedule
from core.queueing.session import Session
from core.queueing.surroundings import Surroundings
from core.queueing.watchers import QueueWatchers
from core.routing.alternates import Alternates
from core.routing.binding import Binding, Identity
from core.routing.composite import ForwardTarget
from core.routing.exchange import Exchange
from core.routing.exchanges import TYPES
from core.routing.exchanges.direct import DirectExchange
from core.routing.pattern import Pattern
from core.routing.sink import Sink, take_all
from core.routing.site import Site

BINDING_WORK: Final = 10  # steps, for one change
EXCHANGE_COST_BYTES: Final = 4_096  # of memory, for one without bindings and arguments
QUEUE_COST_BYTES: Final = 4_096  # for one without entries, bindings and arguments
MEMBER_COST_BYTES: Final = 2_048  # for one of a group, beside the group's name


class VirtualHost(Home):
    """One namespace. Every mapping here is keyed by name."""

    def __init__(self, name: str, surroundings: Surroundings, unique: Callable[[], str]) -> None:
        self.name = name
        self.surroundings = surroundings
        self._usage = surroundings.usage
        self._site = Site(self, surroundings.counters, surroundings.timers, surroundings.usage, unique)
        self.forwarding = self._site.forwarding
        self.delayed = self._site.delayed
        self.keeping = Keeping(name, surroundings.journal, surroundings.codec, surroundings.clock)
        self.delayed.keeper = self.keeping
        self.schedule = Schedule(self, self._site, surroundings.usage)
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.watchers = QueueWatchers()
        self.sessions: dict[str, Session] = {}
        self.groups: dict[str, Group] = {}
        self.retained = RetainedMessages(surroundings.usage)
        self.retained.expired = self.keeping.retained_no_longer
        self._bound: dict[Sink, dict[tuple[str, Identity], Exchange]] = {}  # bindings that lead to a sink
        self._alternates = Alternates(self.exchanges)
        self.policies = Policies(name, self, surroundings, self.keeping, self._alternates, self.queues)
        self.default_exchange: Exchange = DirectExchange(DEFAULT_EXCHANGE, self._site, {})
        self.exchanges[DEFAULT_EXCHANGE] = self.default_exchange
        for exchange_name, kind in PREDECLARED_EXCHANGES:
            self.add_exchange(exchange_name, kind, durable=True)
        self.exchanges["amq.rabbitmq.trace"].internal = True

    def exchange(self, name: str) -> Exchange:
        """Return the exchange of that name, or raise NotFound."""
        exchange = self.exchanges.get(name)
        if exchange is None:
            raise NotFound(f"no exchange '{name}' in vhost '{self.name}'")
        return exchange

    def find_exchange(self, name: str) -> Exchange | None:
        return self.exchanges.get(name)

    def queue(self, name: str) -> Queue:
        """Return the queue of that name, or raise NotFound."""
        queue = self.queues.get(name)
        if queue is None:
            raise NotFound(f"no queue '{name}' in vhost '{self.name}'")
        return queue

    def add_exchange(
        self,
        name: str,
        kind: str,
        arguments: Headers | None = None,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
    ) -> Exchange:
        """Create an exchange; the name must be free. Mismatch when the type is unknown.

        The common arguments were checked; Invalid when those of the type are wrong.
        """
        make = TYPES.get(kind)
        if make is None:
            raise Mismatch(f"unknown exchange type '{kind}'")
        exchange = make(name, self._site, arguments if arguments is not None else {})
        cost_bytes = EXCHANGE_COST_BYTES + (cost_of(arguments) if arguments else 0)
        self._usage.define(cost_bytes)
        exchange.cost_bytes = cost_bytes
        exchange.durable = durable
        exchange.auto_delete = auto_delete
        exchange.internal = internal
        self.exchanges[name] = exchange
        self._alternates.appeared(exchange)
        self.policies.appeared(exchange)
        self.keeping.added_exchange(exchange)
        return exchange

    def add_queue(
        self, name: str, arguments: Headers | None = None, *, durable: bool = False, auto_delete: bool = False
    ) -> Queue:
        """Create a queue and its binding to the default exchange; the name must be free."""
        if durable:
            self.keeping.check_room()
        queue = Queue(name, self.surroundings)
        queue.durable = durable
        queue.auto_delete = auto_delete
        self.bind(self.default_exchange, Binding(queue, name, {}))
        queue.cost_bytes = QUEUE_COST_BYTES + (cost_of(arguments) if arguments else 0)
        try:
            self._usage.define(queue.cost_bytes)
        except Limit:
            self.unbind_all(queue)
            raise
        self.queues[name] = queue
        if arguments:
            plan(queue, arguments, self, self.surroundings)
        self.policies.appeared(queue)
        self.keeping.added_queue(queue)
        if not durable:
            self.surroundings.windows.watch(queue)
        return queue

    def remove_exchange(self, exchange: Exchange) -> None:
        """Delete an exchange with all bindings from and to it, and auto-delete exchanges that this leaves idle."""
        pending = [exchange]  # a loop: a chain of auto-delete exchanges may be longer than the stack is deep
        while pending:
            exchange = pending.pop()
            if exchange.deleted:
                continue
            exchange.deleted = True
            del self.exchanges[exchange.name]
            self.keeping.removed_exchange(exchange)
            self._usage.undefine(exchange.cost_bytes)
            self._alternates.vanished(exchange)
            self.policies.vanished(exchange)
            exchange.ended()
            for identity in list(exchange.bindings):
                self._unbind(exchange, identity)
            pending.extend(self._unbind_all(exchange))

    def remove_queue(self, queue: Queue) -> int:
        if queue.deleted:
            return 0
        self.queues.pop(queue.name, None)
        self.policies.vanished(queue)
        self._usage.undefine(queue.cost_bytes)
        self.unbind_all(queue)
        if queue.entrance is not None:
            self.unbind_all(queue.entrance)
        self.keeping.removed_queue(queue)
        if queue.owner is not None:
            queue.owner.lost(queue)
        return queue.delete()

    def bind(self, source: Exchange, binding: Binding) -> bool:
        """Add a binding; False when it exists already."""
        self.surroundings.counters.work += BINDING_WORK
        self._usage.define(binding.cost_bytes)
        try:
            bound = source.bind(binding)
        except BrokerError:
            self._usage.undefine(binding.cost_bytes)
            raise
        if not bound:
            self._usage.undefine(binding.cost_bytes)
            return False
        self._bound.setdefault(binding.sink, {})[source.name, binding.identity] = source
        source.bound(binding)
        self.keeping.bound(source, binding)
        return True

    def honour_groups(self, queue: Queue) -> None:
        """Have all messages of one group in a queue go to one consumer from now on, after a start too. Limit, as the queue says."""
        if not queue.grouped:
            queue.honour_groups()
            self.keeping.grouped_queue(queue)

    def unbind(self, source: Exchange, identity: Identity) -> bool:
        """Remove a binding; False when there is none. An auto-delete exchange goes with its last one."""
        if not self._unbind(source, identity):
            return False
        if source.auto_delete and not source.bindings:
            self.remove_exchange(source)
        return True

    def unbind_all(self, sink: Sink) -> None:
        """Remove every binding that leads to `sink`."""
        for exchange in self._unbind_all(sink):
            self.remove_exchange(exchange)

    def _unbind(self, source: Exchange, identity: Identity) -> bool:
        binding = source.bindings.get(identity)
        if binding is None:
            return False
        self.surroundings.counters.work += BINDING_WORK
        source.unbind(identity)
        self.keeping.unbound(source, binding)
        self._usage.undefine(binding.cost_bytes)
        held = self._bound[binding.sink]
        del held[source.name, identity]
        if not held:
            del self._bound[binding.sink]
        return True

    def _unbind_all(self, sink: Sink) -> list[Exchange]:
        idle: list[Exchange] = []  # auto-delete exchanges that lost their last binding
        for (_, identity), source in list(self._bound.get(sink, {}).items()):
            self._unbind(source, identity)
            if source.auto_delete and not source.bindings:
                idle.append(source)
        return idle

    def bindings_to(self, sink: Sink) -> list[tuple[Exchange, Binding]]:
        """Return the bindings that lead to `sink`."""
        return [(source, source.bindings[identity]) for (_, identity), source in self._bound.get(sink, {}).items()]

    def cancel(self, queue: Queue, consumer: Consumer) -> None:
        """Take a consumer off its queue. An auto-delete queue goes with its last consumer."""
        queue.remove(consumer)
        if queue.auto_delete and queue.had_consumer and not queue.consumers:
            self.remove_queue(queue)

    def join(self, name: str, pattern: Pattern, text: str, member: Member) -> Group:
        """Make `member` one of a group, which begins with the first; `text` is its pattern in the core's form.

        The name says the pattern too: whoever asks for the same name asks for the same pattern.
        """
        group = self.groups.get(name)
        if member.lasts and (group is None or group.queue.shelf is None):
            self.keeping.check_room()
        cost_bytes = _member_cost(name)
        self._usage.define(cost_bytes)
        if group is None:
            try:
                group = self._begin_group(name, pattern, text)
            except BrokerError:
                self._usage.undefine(cost_bytes)
                raise
        group.add(member)
        if member.lasts and group.queue.shelf is None:
            self.keeping.began_group(group)
        return group

    def _begin_group(self, name: str, pattern: Pattern, text: str) -> Group:
        group = Group(name, self.surroundings)
        self._usage.define(QUEUE_COST_BYTES)
        try:
            self.bind(self.exchange(TOPIC_SPACE), Binding(group, text, {}, pattern))
        except BrokerError:
            self._usage.undefine(QUEUE_COST_BYTES)
            raise
        self.groups[name] = group
        return group

    def leave(self, group: Group, member: Member) -> None:
        """Take a member out of its group. The group goes with its last one."""
        self._usage.undefine(_member_cost(group.name))
        if group.remove(member):
            return
        del self.groups[group.name]
        self.unbind_all(group)
        self._usage.undefine(QUEUE_COST_BYTES)
        group.end()

    def republish(self, target: ForwardTarget, message: Message) -> bool:
        exchange = self.exchanges.get(target.exchange)
        if exchange is None:
            self.surroundings.counters.drop("forward_target_missing")
            return True
        message.address = exchange.address(target.key)
        route = exchange.route(message)
        sinks = route.sinks
        self.surroundings.counters.work += len(sinks)
        if not sinks:
            self.surroundings.counters.unroutable += 1
        return take_all(sinks or route.keepers, message)

    def wanted_by_nobody(self) -> None:
        self.surroundings.counters.unroutable += 1

    def forwarded_too_often(self) -> None:
        self.surroundings.counters.drop("forward_limit")


def _member_cost(name: str) -> int:
    return MEMBER_COST_BYTES + 4 * len(name)
