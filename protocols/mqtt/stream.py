"""The packets in the bytes of one MQTT connection: found in place, bounded, and given to the machine one by one.

    EXPECT_CONNECT ──CONNECT──▶ LOGGING_IN ──logged_in──▶ CONNECTED
          │                       │    ▲
          │           what is next │    │ AUTH
          └──CONNECT with a method▶ PROVING

The state says which packets may come at all; in LOGGING_IN none is looked at. What is hot, PUBLISH and the short form of
PUBACK, goes straight from here to where it belongs; all other packets go through `packet`. A mistake of the peer raises a
PeerError inside and ends in `_handle`, the one place that catches it.
"""

from typing import Final

from core.broker import Broker
from core.model.errors import Limit
from core.timers import NEVER
from protocols.connection import Connection, Outlet, Peer
from protocols.inbox import Inbox
from protocols.mqtt import frames
from protocols.mqtt.acks import Acks
from protocols.mqtt.dialect import Dialect, dialect_of
from protocols.mqtt.errors import PACKET_TOO_LARGE, QUOTA_EXCEEDED, Forbidden, PeerError, Refused
from protocols.mqtt.login import publish_limit
from protocols.mqtt.packets import stranger
from protocols.mqtt.publishing import Publishing
from protocols.mqtt.session import MqttSession

# The states; numbers, because every packet asks and a member of an Enum is looked up by name each time.
EXPECT_CONNECT: Final = 0
LOGGING_IN: Final = 1  # who it is, is being checked
CONNECTED: Final = 2
PROVING: Final = 3  # the client has the word in an exchange of AUTH packets before its CONNACK


class PacketStream(Connection):
    """What a client of MQTT sends, as packets. What becomes of them is said by the machine, `MqttConnection`."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer) -> None:
        super().__init__(broker, outlet, peer, "mqtt")
        self._state = EXPECT_CONNECT
        self._inbox = Inbox(broker.surroundings.usage)
        self._acks = Acks(self)
        self._silence_limit_s = NEVER
        self._dialect: Dialect = dialect_of(self._counters)
        self._session: MqttSession | None = None
        self._publishing: Publishing | None = None  # from the first PUBLISH or PUBREL on

    # What the machine says to it

    def packet(self, first: int, data: bytes) -> None:
        """Handle a packet other than PUBLISH and the short form of PUBACK; `data` is what is behind its fixed header."""
        raise AssertionError(f"{type(self).__name__} handles no packets")

    def start_publishing(self) -> Publishing:
        """Return what handles PUBLISH."""
        raise AssertionError(f"{type(self).__name__} publishes nothing")

    def refuse(self, code: int, text: str) -> None:
        """End, and tell a client that was to be let in why it is not."""
        raise AssertionError(f"{type(self).__name__} refuses nobody")

    def close(self, event: str, detail: str, code: int = 0) -> None:
        """End, and tell a connected client why, where its version has a word for it [MQTT-4.13.1-1]."""
        raise AssertionError(f"{type(self).__name__} does not end")

    # Bytes

    def receive(self, data: bytes) -> None:
        if self.closed:
            return
        if not data:
            self.closed = True
            return
        if self._state == CONNECTED:
            self.deadline = self.broker.clock.now + self._silence_limit_s
        self.traffic.received_bytes += len(data)
        try:
            data = self._inbox.add(data)
        except Limit as error:
            self.close("no room", error.text, QUOTA_EXCEEDED if self._state == CONNECTED else 0)
            return
        if self._state == LOGGING_IN:
            self._inbox.keep(data, 0)
        elif data:
            self._handle(data)

    def go_on(self) -> None:
        self._handle(self._inbox.take())

    def _handle(self, data: bytes) -> None:
        try:
            self._read(data)
        except PeerError as error:
            if self._state == CONNECTED:
                self.close("protocol error", error.text, error.code)
            elif isinstance(error, Refused):
                self.refuse(error.code, error.text)
            else:
                self._say(self._dialect.mistake(error.code, error.text))
                self.close("protocol error", error.text)

    def _read(self, data: bytes) -> None:
        """Handle every whole packet in `data` and keep the rest.

        The remaining length is read in place, since one or two bytes are all that almost every packet has.
        """
        position = 0
        end = len(data)
        counters = self._counters
        work_limit = self.work_limit()
        messages = others = other_bytes = 0
        try:
            while position < end and not self.closed:
                if counters.work > work_limit:
                    self.behind = True
                    self._inbox.keep(data[position:], 0)
                    return
                first = data[position]
                if self._state != CONNECTED:
                    if self._state == LOGGING_IN:
                        self._inbox.keep(data[position:], 0)
                        return
                    self._check_type(first >> 4)
                start = position + 2
                if start > end:
                    self._inbox.keep(data[position:], 0)
                    return
                length = data[position + 1]
                if length > 0x7F:
                    if first < frames.CONNECT:  # no packet at all: its length may never come to an end
                        raise stranger(first)
                    length, start = frames.read_length(data, position + 1)
                    if length < 0:
                        self._inbox.keep(data[position:], 0)
                        return
                    if length > frames.HANDSHAKE_LIMIT_BYTES:
                        self._check_length(first, length)
                stop = start + length
                if stop > end:
                    self._inbox.keep(data[position:], stop - position)
                    return
                if frames.PUBLISH <= first <= frames.PUBLISH_LAST:
                    publishing = self._publishing
                    if publishing is None:
                        publishing = self.start_publishing()
                    publishing.publish(data, first, position, start, stop)
                    messages += 1
                elif first == frames.PUBACK and length == 2:
                    session = self._session
                    assert session is not None
                    session.deliveries.acknowledged(data[start] << 8 | data[start + 1])
                    others += 1
                    other_bytes += 4
                else:
                    self.packet(first, data[start:stop])
                    others += 1
                    other_bytes += stop - position
                position = stop
        finally:
            traffic = self.traffic
            traffic.received_packets += messages + others
            traffic.received_messages += messages
            traffic.received_message_bytes += position - other_bytes

    def _check_type(self, kind: int) -> None:
        """Refuse a packet that must not come before the client is let in, before the rest of it has come."""
        if self._state == PROVING:
            if kind not in {frames.AUTH >> 4, frames.DISCONNECT >> 4}:
                raise Forbidden(f"packet of type {kind} before the client is let in [MQTT-3.1.2-30]")
        elif kind != frames.CONNECT >> 4:
            raise Forbidden(f"first packet is of type {kind} and not CONNECT [MQTT-3.1.0-1]")

    def _check_length(self, first: int, length: int) -> None:
        """Refuse a packet for the length that it announces, before any of it is kept."""
        if self._state != CONNECTED:
            limit = frames.HANDSHAKE_LIMIT_BYTES
        elif frames.PUBLISH <= first <= frames.PUBLISH_LAST:
            limit = publish_limit(self.broker, self._dialect)
        else:
            limit = frames.CONTROL_LIMIT_BYTES
        if length > limit:
            raise Forbidden(f"packet of type {first >> 4} and {length} bytes is longer than {limit}", PACKET_TOO_LARGE)

    def _say(self, packet: bytes) -> None:
        """Write what the version has a word for, which may be nothing."""
        if packet:
            self.traffic.answered(len(packet))
            self.write(packet)
