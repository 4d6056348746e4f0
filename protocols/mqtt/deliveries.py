"""The messages on their way to one client: QoS 1 and 2 through a queue and a window of packet ids.

A delivery stays lent from its queue until PUBACK or PUBCOMP, also while the client is away, so that a session that
comes back finds it under the same packet id [MQTT-4.4.0-1]. Entries keep the order of the queue and dictionaries the
order of sending; both together are the order of what is sent again [MQTT-4.6.0-1], [MQTT-4.6.0-4].
"""

from typing import Final

from core.model.message import Message
from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.routing.sink import Sink
from protocols.connection import COPY_LIMIT_BYTES, Connection
from protocols.mqtt.errors import Forbidden, Malformed
from protocols.mqtt.frames import BYTE, DUP, PUBLISH, PUBREL_START, RETAIN
from protocols.mqtt.translate import publish_header

IN_FLIGHT_LIMIT: Final = 1_024  # unacknowledged messages; MQTT 3.1.1 lets no client say a limit of its own
QUEUE_LIMIT_ENTRIES: Final = 100_000  # that wait in one session
QUEUE_LIMIT_BYTES: Final = 256 << 20  # of bodies that wait in one session
LAST_PACKET_ID: Final = 65_535


class Grant(Sink):
    """The QoS that a subscription was given: what an entry must remember of the way it came in."""

    def __init__(self, qos: int) -> None:
        super().__init__()
        self.qos = qos


class Deliveries(Consumer):
    """The consumer of a session's own queue, which is made when the first message needs it."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(credit=IN_FLIGHT_LIMIT)
        self.name = name
        self.connection: Connection | None = None
        self.counters = surroundings.counters
        self.suspended = True
        self._surroundings = surroundings
        self._queue: Queue | None = None
        self._sent: dict[int, Entry] = {}  # by packet id: PUBLISH without PUBACK or PUBREC
        self._released: dict[int, Entry] = {}  # by packet id: PUBREL without PUBCOMP
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
        first = PUBLISH | dup | delivered_qos(entry) << 1
        if message.retained:
            first |= RETAIN
        header = publish_header(first, message, packet_id, self.counters)
        body = message.body
        if len(body) <= COPY_LIMIT_BYTES:
            connection.write(header + body)
        else:
            connection.write(header)
            connection.write(body)

    # From the client

    def acknowledged(self, packet_id: int) -> None:
        """Handle PUBACK. An id that is not in flight is let pass: it may answer what an earlier connection sent."""
        entry = self._sent.get(packet_id)
        if entry is None:
            if packet_id == 0:
                raise Malformed("PUBACK of packet id 0 [MQTT-2.3.1-1]")
            if packet_id in self._released:
                raise Forbidden(f"PUBACK for packet id {packet_id}, which was sent with QoS 2")
            return
        if delivered_qos(entry) != 1:
            raise Forbidden(f"PUBACK for packet id {packet_id}, which was sent with QoS 2")
        del self._sent[packet_id]
        entry.queue.accept(entry)

    def received(self, packet_id: int) -> bytes:
        """Handle PUBREC and return the PUBREL for it, which ends the exchange also when we know nothing of it."""
        entry = self._sent.get(packet_id)
        if entry is not None:
            if delivered_qos(entry) != 2:
                raise Forbidden(f"PUBREC for packet id {packet_id}, which was sent with QoS 1")
            del self._sent[packet_id]
            self._released[packet_id] = entry
        return PUBREL_START[packet_id >> 8] + BYTE[packet_id & 0xFF]

    def completed(self, packet_id: int) -> None:
        """Handle PUBCOMP."""
        if packet_id in self._sent:
            raise Forbidden(f"PUBCOMP for packet id {packet_id}, which has not been released")
        entry = self._released.pop(packet_id, None)
        if entry is not None:
            entry.queue.accept(entry)

    # Coming and going

    def attach(self, connection: Connection) -> None:
        """Send again what the client may have missed, then go on with what has waited [MQTT-4.4.0-1]."""
        self.connection = connection
        for packet_id in self._released:
            connection.write(PUBREL_START[packet_id >> 8] + BYTE[packet_id & 0xFF])
        for packet_id, entry in list(self._sent.items()):
            self._write(entry, packet_id, DUP)
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


def delivered_qos(entry: Entry) -> int:
    """Return the lower of what was published and what was granted [MQTT-3.8.4-6]."""
    grant = entry.via
    assert isinstance(grant, Grant)
    return min(entry.message.qos, grant.qos)
