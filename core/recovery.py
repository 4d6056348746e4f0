"""The start: what a store holds becomes the broker's again, definitions first, then the entries of each queue.

What cannot be read is reported and set aside, and costs itself only. After an end that was none in order, every entry may
have been delivered before, and says so. Sessions are made again by the protocol that they belong to.
"""

from collections.abc import Callable
from typing import Any, Final

from core.broker import Broker
from core.keeping import pattern_restored
from core.model.errors import BrokerError, Denied, Limit, NotFound
from core.policies.checking import check_policy
from core.queueing.queue import Queue
from core.queueing.schedule import SCHEDULE
from core.queueing.session import Session
from core.queueing.window import Window
from core.refilling import SEEN_ROW, SEEN_UNTIL, OfSession, Refilling
from core.regrouping import Regrouping
from core.routing.binding import Binding
from core.routing.delayed import WaitingRoom
from core.routing.exchanges.delayed import DelayedExchange
from core.routing.sink import Sink
from core.store import kinds
from core.store.errors import Damaged
from core.store.interface import Store
from core.store.naming import owner_of
from core.store.sealing import place_of, unseal
from core.store.shelf import Shelf
from core.store.stating import Line, Statement, Stating, lines_of
from core.store.values import load
from core.vhost import VirtualHost

GROUPED_FIELDS: Final = 4  # of the definition of a queue with message groups; the last says so, others may lack it

RestoreSession = Callable[[VirtualHost, str, list[Any]], Session]  # from its client id and what was stated


class Recovered:
    """What was found, and what was wrong with it."""

    def __init__(self) -> None:
        self.definitions: dict[str, int] = {}  # how many, by kind
        self.entries = 0
        self.clean = True
        self.damage: list[str] = []  # a sentence for each thing that could not be read or made again
        self.quarantined = 0  # records that earlier starts have set aside
        self.strays: list[int] = []  # numbers of queues that are not defined, and have entries, which stay in the store


def recover(broker: Broker, store: Store, restore_session: RestoreSession | None = None) -> Recovered:
    """Fill a new broker from its store, and let its journal begin. StoreError when the medium fails."""
    found = Recovered()
    found.clean = store.stopped_cleanly()
    found.quarantined = store.quarantined()
    restoring = _Restoring(broker, store, found, restore_session)
    for kind, key, record in store.definitions():
        restoring.define(kind, key, record)
    refilling = restoring.refilling
    refilling.clean = found.clean
    for queue, shelf in restoring.queues:
        refilling.fill(queue, shelf, None)
    for queue in restoring.grouped:
        queue.honour_groups(again=True)
    restoring.fill_sessions()
    refilling.reserve_volatile()
    found.strays = refilling.reserve_strays()
    found.entries = refilling.entries
    journal = broker.surroundings.journal
    journal.begin(refilling.taken)
    refilling.remove_volatile()
    if restoring.seen:
        journal.define(kinds.SEEN, "", None)
    store.begin()
    for vhost in broker.vhosts.values():
        vhost.policies.apply_all()
    for vhost, topic in restoring.expired:
        vhost.retained.expire(topic)
    restoring.regrouping.go_on()
    for session in restoring.sessions.values():
        session.restored()
    found.damage.extend(broker.surroundings.windows.told())
    return found


def mark_seen(broker: Broker) -> None:
    """Keep which entries were lent at some time, so that they say so after an orderly stop. Nobody holds any by now."""
    broker.surroundings.dead_letters.finish()
    lines: list[Line] = []
    for vhost in broker.vhosts.values():
        queues = [*vhost.queues.values(), *[group.queue for group in vhost.groups.values()]]
        queues += [queue for session in vhost.sessions.values() if (queue := session.own_queue()) is not None]
        for queue in queues:
            if queue.shelf is not None:
                present = queue.backlog.present()
                lines.extend([Line(0, SEEN_ROW, entry) for entry in present if entry.attempts or entry.redelivered])
                if queue.window is not None:
                    lines.extend(_stored_and_seen(queue.shelf, queue.window))
    if lines:
        broker.surroundings.journal.changed(_Seen(lines), promised=True)


def _stored_and_seen(shelf: Shelf, window: Window) -> list[Line]:
    """Return lines for what was delivered before an earlier stop, and has not been in memory since."""
    lines = [Line(0, SEEN_ROW, None, row) for row in shelf.seen if window.has_stored(row)]
    if window.stored_count and shelf.redelivered_until:
        lines.append(Line(0, SEEN_UNTIL, None, shelf.redelivered_until))
    return lines


class _Seen(Stating):
    """States entries in the last batch, which may be the one that they get their rows in."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    def statements(self) -> list[Statement]:
        return [Statement(kinds.SEEN, "", self._lines)]


class _Restoring:
    def __init__(self, broker: Broker, store: Store, found: Recovered, restore_session: RestoreSession | None) -> None:
        self.queues: list[tuple[Queue, Shelf]] = []
        self.grouped: list[Queue] = []
        self.sessions: dict[tuple[str, str], Session] = {}  # by vhost and client id
        self._restore_session = restore_session
        self.refilling = Refilling(broker, store, found.damage)
        self.regrouping = Regrouping(broker)
        self.expired: list[tuple[VirtualHost, str]] = []  # topics whose retained messages are over
        self.seen = False  # whether the store knows of entries that were lent before an orderly stop
        self._left: set[str] = set()  # vhosts and users of which something stays in the store, and was not made again
        self._broker = broker
        self._found = found
        self._codec = broker.surroundings.codec

    def define(self, kind: int, key: str, record: bytes) -> None:
        """Make again what a definition is of, or set it aside. What only this version does not understand stays as it is."""
        try:
            content = unseal(record, place_of(kind, key))
        except Damaged as damage:
            self._set_aside(kind, key, record, str(damage))
            self._distrust(kind, key)
            return
        if kind == kinds.SEEN:
            self._see(key, record, content)
            return
        try:
            if kind == kinds.VOLATILE:
                self.refilling.volatile.append(int(kinds.parts_of(key)[1]))
            elif kind in (kinds.USER, kinds.PERMISSION):
                self._broker.principals.restore(kind, kinds.parts_of(key), load(content))
            else:
                self._define(self._vhost(key), kind, kinds.parts_of(key)[1:], content)
        except NotFound as missing:
            if kinds.parts_of(key)[0] in self._left:  # perhaps what is missing
                self._leave(kind, key, content, str(missing))
            else:  # of something that was set aside, and not to come to life with another of its name
                self._set_aside(kind, key, record, str(missing))
        except (Damaged, BrokerError) as error:
            self._leave(kind, key, content, str(error))
        except (ValueError, TypeError, IndexError) as wrong:  # a start that fails would cost everything else
            self._leave(kind, key, content, f"not what this version writes ({wrong})")
        else:
            name = kinds.NAMES[kind]
            self._found.definitions[name] = self._found.definitions.get(name, 0) + 1

    def _vhost(self, key: str) -> VirtualHost:
        vhost = self._broker.vhosts.get(kinds.parts_of(key)[0])
        if vhost is None:
            raise Denied("the configuration has no such vhost")
        return vhost

    def _set_aside(self, kind: int, key: str, record: bytes, reason: str) -> None:
        self._broker.surroundings.journal.set_definition_aside(kind, key, record, reason)
        self._found.damage.append(f"{kinds.described(kind, key)}: {reason}; it is in quarantine")

    def _distrust(self, kind: int, key: str) -> None:
        """Have what is damaged open no door and hide no delivery, also where it is not known any more what it was of."""
        if kind == kinds.SEEN or not key:
            self._found.clean = False  # all entries say that they may have been delivered
        if kind == kinds.USER or (key and kinds.SEPARATOR not in key):
            self._broker.principals.lost()

    def _leave(self, kind: int, key: str, content: bytes, reason: str) -> None:
        """Have a definition stay in the store, and the number of its queue be nobody else's."""
        self._found.damage.append(f"{kinds.described(kind, key)}: {reason}; it stays in the store")
        self._left.add(kinds.parts_of(key)[0])
        if kind == kinds.USER:
            self._broker.principals.lost()
        owner = owner_of(kind, key, content)
        if owner is not None:
            self.refilling.reserve(owner.number)

    def _see(self, key: str, record: bytes, content: bytes) -> None:
        try:
            self.refilling.see(content)
            self.seen = True
        except Damaged as damage:
            self._set_aside(kinds.SEEN, key, record, str(damage))
            self._distrust(kinds.SEEN, key)

    def _define(self, vhost: VirtualHost, kind: int, names: list[str], content: bytes) -> None:
        if kind == kinds.RETAINED:
            message = self._codec.decode(content)
            if 0.0 != message.expires_at <= self._broker.clock.now:
                self.expired.append((vhost, message.address.key))
            else:
                vhost.retained.keep(message)
            return
        if kind == kinds.IN_FLIGHT:
            self._session(vhost, names[0]).restore_in_flight(names[1], lines_of(content))
            return
        stated = load(content)
        if kind == kinds.EXCHANGE:
            self._exchange(vhost, names[0], stated)
        elif kind == kinds.QUEUE:
            self._queue(vhost, names[0], stated)
        elif kind == kinds.BINDING:
            self._binding(vhost, names, stated)
        elif kind == kinds.DELAYED:
            self._delayed(vhost, names[0], stated)
        elif kind == kinds.SESSION and self._restore_session is not None:
            self.sessions[vhost.name, names[0]] = self._restore_session(vhost, names[0], stated)
        elif kind == kinds.SUBSCRIPTION:
            self._session(vhost, names[0]).restore_subscription(names[1], stated)
        elif kind == kinds.POLICY:
            self._policy(vhost, names, stated)
        elif kind == kinds.GROUP:
            (ended,) = stated
            name, number = names
            key = kinds.key_of(vhost.name, name, number)
            self.regrouping.define(vhost, name, int(number), key, ended=ended)
        else:
            raise Damaged("a kind that this version does not know")

    def _exchange(self, vhost: VirtualHost, name: str, stated: list[Any]) -> None:
        kind, auto_delete, internal, arguments = stated
        vhost.add_exchange(name, kind, arguments, durable=True, auto_delete=auto_delete, internal=internal)

    def _queue(self, vhost: VirtualHost, name: str, stated: list[Any]) -> None:
        if len(stated) < GROUPED_FIELDS:
            stated = [*stated, False]
        number, auto_delete, arguments, grouped = stated
        self.refilling.taken.add(number)
        queue = vhost.add_queue(name, arguments, durable=True, auto_delete=auto_delete)
        self.queues.append((queue, Shelf(number)))
        if grouped:
            self.grouped.append(queue)

    def _binding(self, vhost: VirtualHost, names: list[str], stated: list[Any]) -> None:
        source, kind, destination, *key_parts, _ = names
        key = kinds.SEPARATOR.join(key_parts)  # a key may have any character
        arguments, pattern = stated
        sink: Sink = vhost.queue(destination) if kind == "queue" else vhost.exchange(destination)
        vhost.bind(vhost.exchange(source), Binding(sink, key, arguments, pattern_restored(pattern)))

    def _policy(self, vhost: VirtualHost, names: list[str], stated: list[Any]) -> None:
        pattern, apply_to, priority, definition = stated
        compile_pattern = self._broker.compile_pattern
        operator = names[1:] == [kinds.OPERATOR]
        policy = check_policy(names[0], pattern, definition, apply_to, priority, compile_pattern, operator=operator)
        vhost.policies.restore(policy)

    def _delayed(self, vhost: VirtualHost, number: str, stated: list[Any]) -> None:
        name, delay_ms, due_at, ttl_s, content = stated
        room: WaitingRoom = vhost.schedule.room
        if name != SCHEDULE:
            exchange = vhost.exchange(name)
            if not isinstance(exchange, DelayedExchange):
                raise NotFound(f"exchange '{name}' delays nothing")
            room = exchange.room
        clock = self._broker.clock
        due = clock.now + (due_at - clock.wall)
        message = self._codec.decode(content)
        if not vhost.delayed.restore(int(number), due, delay_ms, ttl_s, message, room):
            raise Limit("no room for what waits")

    def _session(self, vhost: VirtualHost, client_id: str) -> Session:
        session = self.sessions.get((vhost.name, client_id))
        if session is None:
            raise NotFound(f"no session '{client_id}'")
        return session

    def fill_sessions(self) -> None:
        """Give each session its queue back, and each group, which may have lent something to a session."""
        for session in self.sessions.values():
            shelf = session.restore_queue()
            queue = session.own_queue()
            if shelf is not None and queue is not None:
                self.refilling.fill(queue, shelf, OfSession(session))
        self.regrouping.fill(self.refilling, list(self.sessions.values()))
