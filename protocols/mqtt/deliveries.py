"""The messages on their way to one client: QoS 1 and 2 through a queue and a window of packet ids.

A delivery stays lent from its queue until PUBACK or PUBCOMP, also while the client is away, so that a session that
comes back finds it under the same packet id [MQTT-4.4.0-1]. Entries keep the order of the queue and dictionaries the
order of sending; both together are the order of what is sent again [MQTT-4.6.0-1], [MQTT-4.6.0-4].

The window is the client's Receive Maximum: no more is unacknowledged on one connection, also of what is sent again
[MQTT-3.3.4-9]. What does not fit waits under its packet id, before all that is new.
"""

from typing import Final

from core.model.message import FOR_MQTT, Message
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from protocols.connection import COPY_LIMIT_BYTES, Connection
from protocols.mqtt.dialect import Dialect, dialect_of
from protocols.mqtt.errors import FAILURE, Forbidden
from protocols.mqtt.frames import DUP
from protocols.mqtt.subscription import Grant

IN_FLIGHT_LIMIT: Final = 1_024  # unacknowledged messages, whatever more the client says that it can take
QUEUE_LIMIT_ENTRIES: Final = 100_000  # that wait in one session
QUEUE_LIMIT_BYTES: Final = 256 << 20  # of bodies that wait in one session
LAST_PACKET_ID: Final = 65_535


class Deliveries(Consumer):
    """The consumer of a session's own queue, which is made when the first message needs it."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(credit=IN_FLIGHT_LIMIT)
        self.name = name
        self.connection: Connection | None = None
        self.counters = surroundings.counters
        self.dialect = dialect_of(self.counters)
        self.shares = FOR_MQTT  # the dialect's, one step nearer
        self.publishing = False  # whether what is routed just now is published by the session's own client
        self.suspended = True
        self._surroundings = surroundings
        self._queue: Queue | None = None
        self._window = IN_FLIGHT_LIMIT
        self._sent: dict[int, Entry] = {}  # by packet id: PUBLISH without PUBACK or PUBREC
        self._released: dict[int, Entry] = {}  # by packet id: PUBREL without PUBCOMP
        self._unsent: dict[int, None] = {}  # packet ids of `_sent` that this connection has not seen yet, in order
        self._last_packet_id = 0

    @property
    def full(self) -> bool:
        """Whether the next message would push out another."""
        queue = self._queue
        return queue is not None and queue.ready_count >= QUEUE_LIMIT_ENTRIES

    # To the client

    def keep(self, message: Message, grant: Grant) -> bool:
        """Take a message of QoS 1 or 2 until the client has it; its key must be sayable as a topic."""
        queue = self._queue
        if queue is None:
            queue = self._queue = Queue(self.name, self._surroundings)
            queue.limit_entries = QUEUE_LIMIT_ENTRIES
            queue.limit_bytes = QUEUE_LIMIT_BYTES
            queue.add(self)
        return queue.put(message, grant)

    def deliver(self, entry: Entry) -> None:
        packet_id = self._last_packet_id
        while True:
            packet_id = packet_id + 1 if packet_id < LAST_PACKET_ID else 1
            if packet_id not in self._sent and packet_id not in self._released:  # [MQTT-2.3.1-2]
                break
        self._last_packet_id = packet_id
        self._sent[packet_id] = entry
        self._write(entry, packet_id, 0)

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
        header = self.dialect.header(message, grant, min(message.qos, grant.qos), dup, packet_id)
        if not header:  # goes on as if it had been sent and acknowledged [MQTT-3.1.2-25]
            del self._sent[packet_id]
            entry.queue.accept(entry)
            return
        body = message.body
        if len(body) <= COPY_LIMIT_BYTES:
            connection.write(header + body)
        else:
            connection.write(header)
            connection.write(body)

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
            entry.queue.accept(entry)
        else:
            entry.queue.discard(entry)
        if self._unsent:
            self._unsent.pop(packet_id, None)
            self._send_again()

    # Coming and going

    def attach(self, connection: Connection, dialect: Dialect, window: int) -> None:
        """Send again what the client may have missed, then go on with what has waited [MQTT-4.4.0-1]."""
        self.connection = connection
        self.dialect = dialect
        self.shares = dialect.shares
        self.publishing = False
        self._window = min(window, IN_FLIGHT_LIMIT)
        self.credit = self._window - len(self._sent) - len(self._released)
        for packet_id in self._released:
            connection.write(dialect.pubrel(packet_id))
        self._unsent = dict.fromkeys(self._sent)
        self._send_again()
        if not connection.congested:
            self.go_on()

    def pause(self) -> None:
        """Send no more for the time being."""
        self.suspended = True

    def go_on(self) -> None:
        """Send what waits."""
        self.suspended = False
        if self._queue is not None:
            self._queue.resume(self)

    def detach(self) -> None:
        """Keep everything for the client's return."""
        self.connection = None
        self.suspended = True

    def end(self) -> None:
        """Give up everything."""
        self.detach()
        if self._queue is None:
            return
        self._queue.delete()
        for entry in (*self._sent.values(), *self._released.values()):
            entry.queue.accept(entry)
        self._sent.clear()
        self._released.clear()
        self._unsent.clear()


def delivered_qos(entry: Entry) -> int:
    """Return the lower of what was published and what was granted [MQTT-3.8.4-6]."""
    grant = entry.via
    assert isinstance(grant, Grant)
    return min(entry.message.qos, grant.qos)
