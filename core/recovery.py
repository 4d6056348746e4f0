"""The start: what a store holds becomes the broker's again, definitions first, then the entries of each queue.

What cannot be read is reported and set aside, and costs itself only. After an end that was none in order, every entry may
have been delivered before, and says so. Sessions are made again by the protocol that they belong to.
"""

from collections.abc import Callable
from typing import Any

from core.broker import Broker
from core.keeping import pattern_restored
from core.model.errors import BrokerError, Limit, NotFound
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.schedule import SCHEDULE
from core.queueing.session import Session
from core.routing.binding import Binding
from core.routing.delayed import WaitingRoom
from core.routing.exchanges.delayed import DelayedExchange
from core.routing.sink import Sink
from core.store import kinds
from core.store.errors import Damaged
from core.store.interface import Store
from core.store.sealing import unseal
from core.store.shelf import Shelf
from core.store.stating import Line, Statement, Stating, lines_of
from core.store.values import load
from core.vhost import VirtualHost

RestoreSession = Callable[[VirtualHost, str, list[Any]], Session]  # from its client id and what was stated

ROWS_AT_ONCE = 1_000  # records read by one statement


class Recovered:
    """What was found, and what was wrong with it."""

    def __init__(self) -> None:
        self.definitions: dict[str, int] = {}  # how many, by kind
        self.entries = 0
        self.clean = True
        self.damage: list[str] = []  # a sentence for each thing that could not be read or made again


def recover(broker: Broker, store: Store, restore_session: RestoreSession | None = None) -> Recovered:
    """Fill a new broker from its store, and let its journal begin. StoreError when the medium fails."""
    found = Recovered()
    found.clean = store.stopped_cleanly()
    restoring = _Restoring(broker, store, found, restore_session)
    for kind, key, record in store.definitions():
        restoring.define(kind, key, record)
    for queue, shelf in restoring.queues:
        restoring.fill(queue, shelf, None)
    restoring.fill_sessions()
    restoring.report_strays()
    journal = broker.surroundings.journal
    journal.begin(restoring.next_queue_number)
    if restoring.seen:
        journal.define(kinds.SEEN, "", None)
    store.begin()
    for session in restoring.sessions.values():
        session.restored()
    return found


def mark_seen(broker: Broker) -> None:
    """Keep which entries were lent at some time, so that they say so after an orderly stop. Nobody holds any by now."""
    entries: list[Entry] = []
    for vhost in broker.vhosts.values():
        queues = list(vhost.queues.values())
        queues += [queue for session in vhost.sessions.values() if (queue := session.own_queue()) is not None]
        for queue in queues:
            if queue.shelf is not None:
                entries.extend([entry for entry in queue.backlog.entries() if entry.attempts or entry.redelivered])
    if entries:
        broker.surroundings.journal.changed(_Seen(entries), promised=True)


class _Seen(Stating):
    """States entries in the last batch, which may be the one that they get their rows in."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    def statements(self) -> list[Statement]:
        return [Statement(kinds.SEEN, "", [Line(0, 0, entry) for entry in self._entries])]


class _Restoring:
    def __init__(self, broker: Broker, store: Store, found: Recovered, restore_session: RestoreSession | None) -> None:
        self.queues: list[tuple[Queue, Shelf]] = []
        self.sessions: dict[tuple[str, str], Session] = {}  # by vhost and client id
        self._restore_session = restore_session
        self._known: set[int] = set()  # numbers of queues
        self.next_queue_number = 1
        self.seen: set[int] = set()  # rows of entries that were lent before an orderly stop
        self._broker = broker
        self._store = store
        self._found = found
        self._codec = broker.surroundings.codec

    def define(self, kind: int, key: str, record: bytes) -> None:
        if kind == kinds.SEEN:
            self._see(record)
            return
        parts = kinds.parts_of(key)
        name = kinds.NAMES.get(kind, f"definition of kind {kind}")
        what = f"{name} {' '.join(repr(part) for part in parts[1:])} in vhost {parts[0]!r}"
        vhost = self._broker.vhosts.get(parts[0])
        if vhost is None:
            self._found.damage.append(f"{what}: the configuration has no such vhost; it stays in the store")
            return
        try:
            self._define(vhost, kind, parts[1:], record)
        except (Damaged, BrokerError) as error:
            self._found.damage.append(f"{what}: {error}")
        else:
            self._found.definitions[name] = self._found.definitions.get(name, 0) + 1

    def _see(self, record: bytes) -> None:
        try:
            self.seen = {row for _, _, row in lines_of(record)}
        except Damaged as damage:
            self._found.damage.append(
                f"which entries were delivered before: {damage}; all of them say that they may be"
            )
            self._found.clean = False

    def _define(self, vhost: VirtualHost, kind: int, names: list[str], record: bytes) -> None:
        if kind == kinds.RETAINED:
            vhost.retained.keep(self._codec.decode(record))
            return
        if kind == kinds.IN_FLIGHT:
            self._session(vhost, names[0]).restore_in_flight(names[1], lines_of(record))
            return
        stated = load(unseal(record))
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
        else:
            raise Damaged("a kind that this version does not know")

    def _exchange(self, vhost: VirtualHost, name: str, stated: list[Any]) -> None:
        kind, auto_delete, internal, arguments = stated
        vhost.add_exchange(name, kind, arguments, durable=True, auto_delete=auto_delete, internal=internal)

    def _queue(self, vhost: VirtualHost, name: str, stated: list[Any]) -> None:
        number, auto_delete, arguments = stated
        self.next_queue_number = max(self.next_queue_number, number + 1)
        queue = vhost.add_queue(name, arguments, durable=True, auto_delete=auto_delete)
        self.queues.append((queue, Shelf(number)))

    def _binding(self, vhost: VirtualHost, names: list[str], stated: list[Any]) -> None:
        source, kind, destination, key, _ = names
        arguments, pattern = stated
        sink: Sink = vhost.queue(destination) if kind == "queue" else vhost.exchange(destination)
        vhost.bind(vhost.exchange(source), Binding(sink, key, arguments, pattern_restored(pattern)))

    def _delayed(self, vhost: VirtualHost, number: str, stated: list[Any]) -> None:
        name, delay_ms, due_at, ttl_s, record = stated
        room: WaitingRoom = vhost.schedule.room
        if name != SCHEDULE:
            exchange = vhost.exchange(name)
            if not isinstance(exchange, DelayedExchange):
                raise NotFound(f"exchange '{name}' delays nothing")
            room = exchange.room
        clock = self._broker.clock
        due = clock.now + (due_at - clock.wall)
        message = self._codec.decode(record)
        if not vhost.delayed.restore(int(number), due, delay_ms, ttl_s, message, room):
            raise Limit("no room for what waits; it stays in the store")

    def _session(self, vhost: VirtualHost, client_id: str) -> Session:
        session = self.sessions.get((vhost.name, client_id))
        if session is None:
            raise NotFound(f"no session '{client_id}'")
        return session

    def fill_sessions(self) -> None:
        """Give each session its queue back."""
        for session in self.sessions.values():
            shelf = session.restore_queue()
            queue = session.own_queue()
            if shelf is not None and queue is not None:
                self.next_queue_number = max(self.next_queue_number, shelf.number + 1)
                self.fill(queue, shelf, session)

    def fill(self, queue: Queue, shelf: Shelf, session: Session | None) -> None:
        """Give a queue, or that of a session, its entries back, in order."""
        queue.shelf = shelf
        self._known.add(shelf.number)
        last = 0
        while rows := self._store.rows(shelf.number, last, ROWS_AT_ONCE):
            for row, record in rows:
                last = row
                redelivered = not self._found.clean or row in self.seen
                try:
                    message = self._codec.decode(record)
                    if session is not None:
                        note = self._codec.note_of(record)
                        session.restore_entry(message, row, note, redelivered=redelivered)
                except Damaged as damage:
                    self._found.damage.append(f"entry {row} of queue '{queue.name}': {damage}; it is in quarantine")
                    self._store.set_aside(row, record, str(damage))
                    continue
                if session is None:
                    queue.recover(message, row, redelivered=redelivered)
                self._found.entries += 1
        if last:
            shelf.next_row = last + 1

    def report_strays(self) -> None:
        """Say which entries belong to no queue: they stay where they are."""
        for number in self._store.queue_numbers():
            if number not in self._known:
                self._found.damage.append(
                    f"entries of queue number {number}, which is not defined; they stay in the store"
                )
                self.next_queue_number = max(self.next_queue_number, number + 1)
