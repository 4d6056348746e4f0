"""What of a virtual host outlives the process, told to the journal as it changes.

A durable exchange or queue, a binding between durable ones, a retained message, a message that waits for its time, a session
and each of its subscriptions are definitions: a record each, under a key that begins with the virtual host's name. A broker
without a store tells nobody.
"""

from core.model.errors import Limit
from core.model.message import Message
from core.model.properties import Value
from core.queueing.group import Group
from core.queueing.queue import Queue
from core.routing.binding import Binding
from core.routing.delayed import Delayed, DelayedKeeper
from core.routing.exchange import Exchange
from core.routing.pattern import Pattern, Token
from core.store.journal import Journal
from core.store.kinds import (
    BINDING,
    DELAYED,
    EXCHANGE,
    GROUP,
    IN_FLIGHT,
    OPERATOR,
    POLICY,
    QUEUE,
    RETAINED,
    SESSION,
    SUBSCRIPTION,
    key_of,
)
from core.store.record import Codec
from core.store.stating import Line, Statement
from core.store.values import dump
from core.timers import Clock


class Keeping(DelayedKeeper):
    """The definitions of one virtual host."""

    def __init__(self, vhost: str, journal: Journal, codec: Codec, clock: Clock) -> None:
        super().__init__()
        self._vhost = vhost
        self._journal = journal
        self._codec = codec
        self._clock = clock

    # Exchanges and queues

    def added_exchange(self, exchange: Exchange) -> None:
        """Keep a new exchange, if it is durable."""
        if exchange.durable and self._journal.active:
            stated = [exchange.kind, exchange.auto_delete, exchange.internal, exchange.arguments]
            self._journal.define(EXCHANGE, key_of(self._vhost, exchange.name), dump(stated))

    def removed_exchange(self, exchange: Exchange) -> None:
        """Forget an exchange."""
        if exchange.durable and self._journal.active:
            self._journal.define(EXCHANGE, key_of(self._vhost, exchange.name), None)

    def check_room(self) -> None:
        """Raise Limit when no other queue can be kept."""
        if self._journal.active:
            self._journal.check_room()

    def added_queue(self, queue: Queue) -> None:
        """Keep a new queue and what it takes, if it is durable."""
        if queue.durable and self._journal.active:
            shelf = self._journal.new_shelf()
            queue.keep_on(shelf)
            self._state_queue(queue, shelf.number)

    def grouped_queue(self, queue: Queue) -> None:
        """Keep that a queue has message groups by now, if it has and is kept."""
        if queue.grouped and queue.shelf is not None and queue.durable:
            self._state_queue(queue, queue.shelf.number)

    def _state_queue(self, queue: Queue, number: int) -> None:
        stated: list[Value] = [number, queue.auto_delete, queue.arguments]
        if queue.grouped:
            stated.append(True)
        self._journal.define(QUEUE, key_of(self._vhost, queue.name), dump(stated))

    def removed_queue(self, queue: Queue) -> None:
        """Forget a queue and what it has."""
        if queue.shelf is not None:
            self._journal.define(QUEUE, key_of(self._vhost, queue.name), None)
            self._journal.end_queue(queue.shelf, queue.name)
            queue.shelf = None

    def purge(self, queue: Queue) -> int:
        """Empty a queue, and return how much was ready.

        Where that is much and all that the store has of it, the queue gets another place there, and what is in the old one is
        removed by and by: nobody waits for that.
        """
        shelf = queue.shelf
        if shelf is None or not queue.may_leave_shelf():
            return queue.purge()
        try:
            new = self._journal.new_shelf()
        except Limit:
            return queue.purge()
        self._journal.end_queue(shelf, queue.name)
        count = queue.leave_shelf(new)
        self._state_queue(queue, new.number)
        return count

    # Policies

    def policy(self, name: str, operator: bool, stated: list[Value] | None) -> None:
        """Keep what a policy is, or forget it."""
        if self._journal.active:
            key = key_of(self._vhost, name, OPERATOR) if operator else key_of(self._vhost, name)
            self._journal.define(POLICY, key, None if stated is None else dump(stated))

    # Bindings

    def bound(self, source: Exchange, binding: Binding) -> None:
        """Keep a binding, if both of its ends are kept."""
        key = self._binding_key(source, binding)
        if key:
            stated = [binding.arguments, _pattern_stated(binding.pattern)]
            self._journal.define(BINDING, key, dump(stated))

    def unbound(self, source: Exchange, binding: Binding) -> None:
        """Forget a binding."""
        key = self._binding_key(source, binding)
        if key:
            self._journal.define(BINDING, key, None)

    def _binding_key(self, source: Exchange, binding: Binding) -> str:
        """Return the key of a binding that is kept; nothing for others, and for those that every queue has by itself."""
        sink = binding.sink
        if not (self._journal.active and source.durable and source.name):
            return ""
        if isinstance(sink, Queue):
            kind, durable = "queue", sink.durable
        elif isinstance(sink, Exchange):
            kind, durable = "exchange", sink.durable
        else:
            return ""
        if not durable:
            return ""
        return key_of(self._vhost, source.name, kind, sink.name, binding.key, binding.identity[2])

    # Retained messages

    def retained(self, message: Message) -> None:
        """Keep what is retained for a topic now, or with an empty body nothing."""
        if self._journal.active:
            content = self._codec.encode(message, message.expires_at) if message.body else None
            self._journal.define(RETAINED, key_of(self._vhost, message.address.key), content)

    def retained_no_longer(self, topic: str) -> None:
        """Forget what was retained for a topic, because its time is over."""
        if self._journal.active:
            self._journal.define(RETAINED, key_of(self._vhost, topic), None)

    # Messages that wait for their time

    def delayed(self, delayed: Delayed) -> bool:
        if not self._journal.active:
            return False
        clock = self._clock
        stated = [
            delayed.exchange,
            delayed.delay_ms,
            clock.wall + (delayed.due - clock.now),
            delayed.ttl_s,
            self._codec.encode(delayed.message, 0.0),
        ]
        self._journal.define(DELAYED, key_of(self._vhost, str(delayed.id)), dump(stated))
        return True

    def delayed_no_longer(self, delayed: Delayed) -> None:
        self._journal.define(DELAYED, key_of(self._vhost, str(delayed.id)), None)

    # Groups

    def began_group(self, group: Group) -> None:
        """Keep what waits in a group, because it has a member whose session outlives the process."""
        if self._journal.active:
            shelf = self._journal.new_shelf()
            key = key_of(self._vhost, group.name, str(shelf.number))
            self._journal.define(GROUP, key, dump([False]))
            group.keep_on(shelf, key)

    # Sessions

    def session(self, client_id: str, stated: list[Value] | None) -> None:
        """Keep what a session is, or forget it."""
        self._journal.define(SESSION, key_of(self._vhost, client_id), None if stated is None else dump(stated))

    def subscription(self, client_id: str, text: str, stated: list[Value] | None) -> None:
        """Keep a subscription of a session, or forget it."""
        key = key_of(self._vhost, client_id, text)
        self._journal.define(SUBSCRIPTION, key, None if stated is None else dump(stated))

    def in_flight(self, client_id: str, direction: str, page: int, lines: list[Line]) -> Statement:
        """Return the statement of a page of a session's packet ids."""
        return Statement(IN_FLIGHT, self._page_key(client_id, direction, page), lines)

    def no_page(self, client_id: str, direction: str, page: int) -> None:
        """Forget a page of packet ids."""
        self._journal.define(IN_FLIGHT, self._page_key(client_id, direction, page), None)

    def _page_key(self, client_id: str, direction: str, page: int) -> str:
        return key_of(self._vhost, client_id, direction, f"{page:02x}")


def _pattern_stated(pattern: Pattern | None) -> list[object] | None:
    if pattern is None:
        return None
    return [[[token.kind, token.text] for token in pattern.tokens], pattern.hides_dollar]


def pattern_restored(stated: list[object] | None) -> Pattern | None:
    """Return the pattern of a binding that was kept."""
    if stated is None:
        return None
    tokens, hides_dollar = stated
    assert isinstance(tokens, list)
    return Pattern(tuple(Token(kind, text) for kind, text in tokens), hides_dollar=bool(hides_dollar))
