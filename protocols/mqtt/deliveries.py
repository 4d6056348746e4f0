"""The messages on their way to one client: QoS 1 and 2 through a queue and a window of packet ids.

A delivery stays lent from its queue until PUBACK or PUBCOMP, also while the client is away, so that a session that
comes back finds it under the same packet id [MQTT-4.4.0-1]. Entries keep the order of the queue and dictionaries the
order of sending; both together are the order of what is sent again [MQTT-4.6.0-1], [MQTT-4.6.0-4].

The window is the client's Receive Maximum: no more is unacknowledged on one connection, also of what is sent again
[MQTT-3.3.4-9]. What does not fit waits under its packet id, before all that is new.

Some subscriptions are fed by queues that others consume too (`QueueFed`). Their entries go through the same packet ids,
and from the first such subscription on the window is a `Credit` that all consumers of the session share.

Where the session outlives the process, `Lasting` is told which packet ids are in use. A PUBLISH of QoS 2 is held back until that
is on stable storage.
"""

from typing import TYPE_CHECKING, Final

from core.model.errors import Limit
from core.model.message import FOR_MQTT, Message
from core.queueing.consumer import Consumer
from core.queueing.credit import UNLIMITED, Credit
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.store.shelf import Shelf
from core.store.stating import Kept, Line
from protocols.connection import COPY_LIMIT_BYTES
from protocols.mqtt.dialect import Dialect, dialect_of
from protocols.mqtt.errors import FAILURE, Forbidden
from protocols.mqtt.frames import DUP
from protocols.mqtt.in_flight import in_order_of_giving, lines_of_page
from protocols.mqtt.lasting import LAST_PACKET_ID, OF_GROUP, RELEASED, Lasting
from protocols.mqtt.queue_fed import QueueFed
from protocols.mqtt.subscription import Grant, GrantNotes, delivered_qos, sent_at_most_once

if TYPE_CHECKING:
    from protocols.mqtt.stream import PacketStream

IN_FLIGHT_LIMIT: Final = 1_024  # unacknowledged messages, whatever more the client says that it can take
FEEDS_LIMIT: Final = 1_000  # subscriptions of one session that queues feed: each settlement may have all of them look


class Deliveries(Consumer):
    """The consumer of a session's own queue, which is made when the first message needs it."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(credit=IN_FLIGHT_LIMIT)
        self.name = name
        self.connection: PacketStream | None = None
        self.counters = surroundings.counters
        self.dialect = dialect_of(self.counters)
        self.shares = FOR_MQTT  # the dialect's, one step nearer
        self.publishing = False  # whether what is routed just now is published by the session's own client
        self.suspended = True
        self.keeps_qos0 = surroundings.offline.qos0
        self._surroundings = surroundings
        self._queue: Queue | None = None
        self._window = IN_FLIGHT_LIMIT
        self._sent: dict[int, Entry] = {}  # by packet id: PUBLISH without PUBACK or PUBREC
        self._released: dict[int, Entry] = {}  # by packet id: PUBREL without PUBCOMP
        self._unsent: dict[int, None] = {}  # packet ids of `_sent` that this connection has not seen yet, in order
        self._last_packet_id = 0
        self._feeds: dict[QueueFed, None] = {}
        self.lasting: Lasting | None = None  # where the session outlives the process
        self._was_in_flight: dict[int, Kept] = {}  # by row, while entries come back from the store
        self.was_lent: dict[int, Kept] = {}  # the same, of entries that groups had lent
        self._has_been_lent = False  # whether some came back
        self._notes = GrantNotes()

    @property
    def full(self) -> bool:
        """Whether the next message would push out another."""
        queue = self._queue
        return queue is not None and queue.ready_count >= queue.limit_entries

    @property
    def has_waiting(self) -> bool:
        """Whether what comes now has to wait: the client is away, or was and has not been sent everything yet."""
        queue = self._queue
        return self.connection is None or (queue is not None and queue.ready_count > 0)

    @property
    def held_count(self) -> int:
        """How many messages the session's own queue keeps, waiting or sent."""
        queue = self._queue
        return 0 if queue is None else queue.ready_count + queue.unsettled_count

    # To the client

    def keep(self, message: Message, grant: Grant) -> bool:
        """Take a message of QoS 1 or 2 until the client has it; its key must be sayable as a topic."""
        queue = self._queue
        if queue is None:
            shelf: Shelf | None = None
            if self.lasting is not None:
                try:
                    shelf = self.lasting.new_shelf()
                except Limit:  # the publisher is told
                    self.counters.drop("no_queue_number")
                    return False
            queue = self._begin_queue()
            if shelf is not None:
                queue.keep_on(shelf, self._notes)
        return queue.put(message, grant)

    def _begin_queue(self) -> Queue:
        queue = self._queue = Queue(self.name, self._surroundings)
        queue.limit_entries = self._surroundings.offline.entries
        queue.limit_bytes = self._surroundings.offline.size_bytes
        queue.add(self)
        return queue

    def deliver(self, entry: Entry) -> None:
        if (self.keeps_qos0 or entry.row) and sent_at_most_once(self, entry):
            return
        packet_id = self._last_packet_id
        while True:
            packet_id = packet_id + 1 if packet_id < LAST_PACKET_ID else 1
            if packet_id not in self._sent and packet_id not in self._released:  # [MQTT-2.3.1-2]
                break
        self._last_packet_id = packet_id
        self._sent[packet_id] = entry
        lasting = self.lasting
        if lasting is not None:
            lasting.sent(packet_id)
        elif not entry.row:  # no store has it
            self._write(entry, packet_id, 0)
            return
        self._write(entry, packet_id, self._hold_back(entry))

    def _hold_back(self, entry: Entry) -> int:
        """Have QoS 2 wait until the store has its packet id, or has the message no more.

        Return the flag of what an earlier process may have sent [MQTT-3.3.1-1].
        """
        via = entry.via
        fed = via if isinstance(via, QueueFed) else None
        leaves = self.lasting is None and fed is not None and fed.leaves_store(entry)
        if leaves:
            self._surroundings.journal.remove(entry)
        if leaves or (self.lasting is not None and delivered_qos(entry) == 2):
            connection = self.connection
            assert connection is not None
            connection.outlet.hold()
            return 0  # what was sent is known
        sent = entry.queue is self._queue or (fed is not None and fed.may_have_been_sent(entry))
        return DUP if entry.redelivered and sent else 0

    def failed(self, error: Exception) -> None:
        connection = self.connection
        if connection is None:
            raise error
        connection.outlet.failed(error)

    def _write(self, entry: Entry, packet_id: int, dup: int) -> None:
        connection = self.connection
        assert connection is not None
        message = entry.message
        grant = entry.via
        assert isinstance(grant, Grant)
        header = self.dialect.header(message, grant, grant.qos_of(message), dup, packet_id)
        if not header:  # goes on as if it had been sent and acknowledged [MQTT-3.1.2-25]
            del self._sent[packet_id]
            if isinstance(grant, QueueFed):
                grant.unsendable(entry)
            else:
                entry.queue.accept(entry)
            return
        body = message.body
        if len(body) <= COPY_LIMIT_BYTES:
            connection.write(header + body)
        else:
            connection.write(header)
            connection.write(body)
            connection.traffic.sent_packets -= 1  # two pieces of one

    def _send_again(self) -> None:
        """Send what an earlier connection may have sent, as far as the window has room."""
        unsent = self._unsent
        while unsent and len(self._sent) - len(unsent) + len(self._released) < self._window:
            packet_id = next(iter(unsent))
            del unsent[packet_id]
            self._write(self._sent[packet_id], packet_id, DUP)

    # From the client

    def acknowledged(self, packet_id: int, code: int = 0) -> None:
        """Handle PUBACK. An id that is not in flight is let pass: it may answer what an earlier connection sent."""
        entry = self._sent.get(packet_id)
        if entry is None:
            if packet_id == 0:
                raise Forbidden("PUBACK of packet id 0 [MQTT-2.3.1-1], [MQTT-2.2.1-3]")
            if packet_id in self._released:
                raise Forbidden(f"PUBACK for packet id {packet_id}, which was sent with QoS 2")
            return
        if delivered_qos(entry) != 1:
            raise Forbidden(f"PUBACK for packet id {packet_id}, which was sent with QoS 2")
        del self._sent[packet_id]
        self._settle(packet_id, entry, code)

    def received(self, packet_id: int, code: int) -> bool:
        """Handle PUBREC; True when PUBREL is to follow, which ends the exchange also when we know nothing of it."""
        entry = self._sent.get(packet_id)
        if entry is not None:
            if delivered_qos(entry) != 2:
                raise Forbidden(f"PUBREC for packet id {packet_id}, which was sent with QoS 1")
            del self._sent[packet_id]
            if code < FAILURE:
                self._released[packet_id] = entry
                self._unsent.pop(packet_id, None)
                if self.lasting is not None:
                    self.lasting.released(packet_id)
            else:
                self._settle(packet_id, entry, code)
        return code < FAILURE

    def completed(self, packet_id: int) -> None:
        """Handle PUBCOMP."""
        if packet_id in self._sent:
            raise Forbidden(f"PUBCOMP for packet id {packet_id}, which has not been released")
        entry = self._released.pop(packet_id, None)
        if entry is not None:
            self._settle(packet_id, entry, 0)

    def _settle(self, packet_id: int, entry: Entry, code: int) -> None:
        if code < FAILURE:
            self._surroundings.journal.settled(entry)
            entry.queue.accept(entry)
        else:
            entry.queue.discard(entry)
        if self.lasting is not None:
            self.lasting.sent(packet_id)
        if self._unsent:
            self._unsent.pop(packet_id, None)
            self._send_again()

    # The store

    @property
    def own_queue(self) -> Queue | None:
        """The session's own queue."""
        return self._queue

    def in_flight(self, page: int) -> list[Line]:
        """Return what a store is to know of a page of packet ids."""
        return lines_of_page(page, self._sent, self._released, self._queue)

    def restore_queue(self, queue_number: int) -> Shelf | None:
        """Make the queue again that an earlier process has told a store of."""
        lasting = self.lasting
        if lasting is None or not queue_number:
            return None
        shelf = lasting.old_shelf(queue_number)
        self._begin_queue().keep_on(shelf, self._notes)
        return shelf

    def restore_in_flight(self, kept: Kept) -> None:
        """Learn of a packet id that an earlier process has used."""
        (self.was_lent if kept[1] & OF_GROUP else self._was_in_flight)[kept[2]] = kept

    def last_in_flight(self) -> int:
        """Return the last row that was in flight; 0 when none was."""
        return max(self._was_in_flight, default=0)

    def restore_entry(self, message: Message, row: int, note: bytes, *, redelivered: bool) -> None:
        """Take an entry back; one that was in flight is so under the same packet id [MQTT-4.4.0-1]."""
        queue = self._queue
        assert queue is not None
        grant = self._notes.way_of(note)
        kept = self._was_in_flight.pop(row, None)
        if kept is None:
            queue.recover(message, row, redelivered=redelivered, via=grant)
            return
        packet_id, state, _ = kept
        entry = queue.recover(message, row, redelivered=True, via=grant, holder=self)
        (self._released if state == RELEASED else self._sent)[packet_id] = entry
        self._last_packet_id = packet_id  # those behind it get the ids that they may have had

    def restore_lent(self, entry: Entry, packet_id: int, *, released: bool) -> None:
        """Take back an entry that a group had lent, under the same packet id."""
        (self._released if released else self._sent)[packet_id] = entry
        self._has_been_lent = True

    def restored(self) -> None:
        """Learn that there is nothing more to come back."""
        self.was_lent.clear()
        self._was_in_flight.clear()  # of entries that were settled
        if self._has_been_lent:  # several queues came back one after the other
            sent, released = self._sent, self._released
            order = in_order_of_giving([*sent, *released])
            self._sent = {number: sent[number] for number in order if number in sent}
            self._released = {number: released[number] for number in order if number in released}
            self._last_packet_id = order[-1]

    # Other queues

    def check_feeds(self) -> None:
        """Raise Limit when no other queue may feed this session."""
        if len(self._feeds) >= FEEDS_LIMIT:
            raise Limit(f"{self.name} has {FEEDS_LIMIT} subscriptions to queues and shared subscriptions already")

    def add_feed(self, feed: QueueFed) -> None:
        """Have a subscription that a queue feeds deliver when there is a connection."""
        self._feeds[feed] = None
        feed.connected()
        if not self.suspended:
            feed.go_on()

    def remove_feed(self, feed: QueueFed) -> None:
        """Forget a subscription; what came in by it is brought to its end."""
        self._feeds.pop(feed, None)

    def share_window(self) -> Credit:
        """Return the window as a credit that consumers of other queues share with the session's own."""
        window = self.shared
        if window is None:
            window = self.shared = Credit(self._window)
            window.available -= len(self._sent) + len(self._released)
            self.credit = UNLIMITED
        return window

    def hand_back(self, feed: QueueFed | None) -> None:
        """Requeue what was sent to a client that is gone and is now for somebody else; of one subscription, or of all."""
        for packet_id, entry in list(self._sent.items()):
            via = entry.via
            if isinstance(via, QueueFed) and (feed is None or via is feed) and via.goes_back(entry):
                del self._sent[packet_id]
                self._unsent.pop(packet_id, None)
                if self.lasting is not None:
                    self.lasting.sent(packet_id)
                entry.via = None  # or the queue would keep this session as long as the entry
                entry.queue.requeue(entry)

    # Coming and going

    def attach(self, connection: "PacketStream", dialect: Dialect, window: int) -> None:
        """Send again what the client may have missed, then go on with what has waited [MQTT-4.4.0-1]."""
        self.connection = connection
        self.dialect = dialect
        self.shares = dialect.shares
        self.publishing = False
        self._window = min(window, IN_FLIGHT_LIMIT)
        if self.shared is None:
            self.credit = self._window - len(self._sent) - len(self._released)
        else:
            self.shared.resize(self._window)
        for feed in list(self._feeds):
            feed.connected()
        for packet_id in self._released:
            pubrel = dialect.pubrel(packet_id)
            connection.traffic.answered(len(pubrel))
            connection.write(pubrel)
        self._unsent = dict.fromkeys(self._sent)
        self._send_again()
        if not connection.congested:
            self.go_on()

    def pause(self) -> None:
        """Send no more for the time being."""
        self.suspended = True
        for feed in self._feeds:
            feed.pause()

    def go_on(self) -> None:
        """Send what waits."""
        self.suspended = False
        if self._queue is not None:
            self._queue.resume(self)
        for feed in self._feeds:
            feed.go_on()

    def detach(self) -> None:
        """Keep everything for the client's return, but what others can have in the meantime."""
        self.connection = None
        self.suspended = True
        for feed in self._feeds:
            feed.disconnected()
        if self.shared is not None:
            self.hand_back(None)

    def end(self) -> None:
        """Give up everything. Who has told a store of the queue has told of its end before."""
        self.detach()
        if self._queue is not None:
            self._queue.shelf = None
            self._queue.delete()
        sent, released = list(self._sent.values()), list(self._released.values())
        self._sent.clear()
        self._released.clear()
        for entry in sent:
            via = entry.via
            if isinstance(via, QueueFed):
                entry.via = None
                via.abandon(entry)
            else:
                entry.queue.accept(entry)
        for entry in released:  # the client has them
            entry.queue.accept(entry)
        self._unsent.clear()
