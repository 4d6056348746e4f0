"""The machine of one MQTT connection: which packet may come when, and what is done about it.

    EXPECT_CONNECT ──CONNECT──▶ LOGGING_IN ──logged_in──▶ CONNECTED ──DISCONNECT──▶ closed
          │                         │                         │
          └──── anything else ──────┴─── refused ─────────────┴─── a mistake, silence, the end of the stream ──▶ closed

A mistake of the peer raises a PeerError inside and ends in `_handle`, the one place that catches it. What is said about it
depends on the version, as all that is said: `Dialect` knows. MQTT 3.1.1 has no word for errors beside CONNACK and SUBACK, so
there the connection just closes and the reason goes to the log.
"""

from typing import Final

from core.access import User
from core.broker import Broker
from core.client import Client
from core.model.errors import BrokerError, Limit
from core.model.names import DEFAULT_VHOST
from core.timers import NEVER
from protocols.connection import Connection, Outlet, Peer
from protocols.inbox import Inbox
from protocols.mqtt import frames
from protocols.mqtt.acks import Acks
from protocols.mqtt.deliveries import IN_FLIGHT_LIMIT
from protocols.mqtt.dialect import Dialect, dialect_of
from protocols.mqtt.errors import (
    BAD_CREDENTIALS,
    KEEP_ALIVE_TIMEOUT,
    NOT_AUTHORIZED,
    PACKET_TOO_LARGE,
    QUOTA_EXCEEDED,
    SERVER_UNAVAILABLE,
    SHUTTING_DOWN,
    TAKEN_OVER,
    Forbidden,
    Malformed,
    PeerError,
    Refused,
    outcome_of,
)
from protocols.mqtt.login import check_connect, dialect_for, enter, publish_limit
from protocols.mqtt.packets import V5, Connect, connect_level, decode_connect, stranger
from protocols.mqtt.properties import RECEIVE_MAXIMUM, SESSION_EXPIRY
from protocols.mqtt.publishing import Publishing
from protocols.mqtt.publishing5 import Publishing5
from protocols.mqtt.session import MqttSession, find_session
from protocols.mqtt.subscribing import Subscribing
from protocols.mqtt.will import DelayedWill, Will, accept_will

# The states; numbers, because every packet asks and a member of an Enum is looked up by name each time.
EXPECT_CONNECT: Final = 0
LOGGING_IN: Final = 1
CONNECTED: Final = 2

SHOWN_CLIENT_ID_LIMIT: Final = 64  # characters of a client id in the connection's label
KEEP_ALIVE_GRACE: Final = 1.5  # [MQTT-3.1.2-24]


class MqttConnection(Connection):
    """One client that speaks MQTT 5.0, 3.1.1 or 3.1."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer) -> None:
        super().__init__(broker, outlet, peer, "mqtt")
        self._state = EXPECT_CONNECT
        self._inbox = Inbox(broker.surroundings.usage)
        self._acks = Acks(self)
        self._silence_limit_s = NEVER
        self._dialect: Dialect = dialect_of(self._counters)
        self._connect: Connect | None = None  # while the login is pending
        self._will: Will | None = None
        self._client: Client | None = None
        self._session: MqttSession | None = None
        self._publishing: Publishing | None = None  # from the first PUBLISH or PUBREL on
        self._subscribing: Subscribing | None = None  # from the first SUBSCRIBE or UNSUBSCRIBE on

    # Bytes

    def receive(self, data: bytes) -> None:
        if self.closed:
            return
        if not data:
            self.closed = True
            return
        if self._state == CONNECTED:
            self.deadline = self.broker.clock.now + self._silence_limit_s
        try:
            data = self._inbox.add(data)
        except Limit as error:
            self._close("no room", error.text, QUOTA_EXCEEDED if self._state == CONNECTED else 0)
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
                self._acks.flush()
                self._close("protocol error", error.text, error.code)
            elif isinstance(error, Refused):
                self._refuse(error.code, error.text)
            else:
                self._say(self._dialect.mistake(error.code, error.text))
                self._close("protocol error", error.text)

    def _read(self, data: bytes) -> None:
        """Handle every whole packet in `data` and keep the rest.

        The remaining length is read in place, since one or two bytes are all that almost every packet has.
        """
        position = 0
        end = len(data)
        counters = self._counters
        work_limit = self.work_limit()
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
                if first != frames.CONNECT:  # [MQTT-3.1.0-1]; said before the rest of the packet has come
                    raise Forbidden(f"first packet is of type {first >> 4} and not CONNECT")
            start = position + 2
            if start > end:
                self._inbox.keep(data[position:], 0)
                return
            length = data[position + 1]
            if length > 0x7F:
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
                    publishing = self._start_publishing()
                publishing.publish(data, first, position, start, stop)
            elif first == frames.PUBACK and length == 2:
                session = self._session
                assert session is not None
                session.deliveries.acknowledged(data[start] << 8 | data[start + 1])
            else:
                self._packet(first, data[start:stop])
            position = stop

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

    # Packets

    def _packet(self, first: int, data: bytes) -> None:
        """Handle a packet other than PUBLISH and the short form of PUBACK."""
        dialect = self._dialect
        match dialect.first_byte(first):
            case frames.CONNECT:
                if self._state == CONNECTED:
                    raise Forbidden("second CONNECT [MQTT-3.1.0-2]")
                self._dialect = dialect_for(connect_level(data), self.broker)
                self._log_in(decode_connect(data))
            case frames.PUBACK:
                packet_id, code = dialect.read_ack(first, data)
                self._open_session().deliveries.acknowledged(packet_id, code)
            case frames.PUBREC:
                packet_id, code = dialect.read_ack(first, data)
                if self._open_session().deliveries.received(packet_id, code):
                    self._acks.add(dialect.pubrel(packet_id))
            case frames.PUBREL:
                packet_id, _ = dialect.read_ack(first & ~frames.DUP, data)
                self._start_publishing().release(packet_id)
            case frames.PUBCOMP:
                packet_id, _ = dialect.read_ack(first, data)
                self._open_session().deliveries.completed(packet_id)
            case frames.SUBSCRIBE:
                self._start_subscribing().subscribe(dialect.read_subscribe(data))
            case frames.UNSUBSCRIBE:
                self._start_subscribing().unsubscribe(dialect.read_unsubscribe(data))
            case frames.PINGREQ:
                if data:
                    raise Malformed(f"PINGREQ of {len(data)} bytes")
                self._acks.flush()
                self.write(frames.PINGRESP)
            case frames.DISCONNECT:
                self._disconnect(data)
            case frames.AUTH:
                dialect.read_auth(data)
            case _:
                raise stranger(first)

    def _disconnect(self, data: bytes) -> None:
        packet = self._dialect.read_disconnect(data)
        session = self._open_session()
        expiry_s = packet.properties.number(SESSION_EXPIRY, -1)
        if expiry_s > 0 and not session.expiry_s:
            raise Forbidden("DISCONNECT with an expiry for a session that was to have none (§3.14.2.2.2)")
        if expiry_s >= 0:
            session.expiry_s = min(expiry_s, self.broker.session_expiry_limit_s)
        if not packet.with_will:
            self._will = None  # [MQTT-3.1.2-10], [MQTT-3.14.4-3]
        self.closed = True

    def _open_session(self) -> MqttSession:
        assert self._session is not None
        return self._session

    def _start_publishing(self) -> Publishing:
        if self._publishing is None:
            client, session = self._client, self._open_session()
            assert client is not None
            if self._dialect.level == V5:
                self._publishing = Publishing5(self, client, session, self._acks)
            else:
                self._publishing = Publishing(self, client, session, self._acks)
        return self._publishing

    def _start_subscribing(self) -> Subscribing:
        if self._subscribing is None:
            assert self._client is not None
            self._subscribing = Subscribing(self, self._client, self._open_session())
        return self._subscribing

    # Login

    def _log_in(self, connect: Connect) -> None:
        if self.broker.stopping:
            raise Refused("the broker is stopping", SERVER_UNAVAILABLE)
        self._dialect.heed(connect)
        check_connect(connect)
        try:
            self._will = accept_will(connect.will)
        except BrokerError as error:
            raise Refused(error.text, outcome_of(error).connack) from None
        username, password = connect.username or "", connect.password or b""
        connect.password = None
        self._connect = connect
        self._state = LOGGING_IN
        self.outlet.login(self, username, password)

    def logged_in(self, user: User | None, reason: str) -> None:
        connect = self._connect
        self._connect = None
        if self.closed or connect is None:
            return
        if user is None:
            self._refuse(BAD_CREDENTIALS if connect.username else NOT_AUTHORIZED, reason)
            return
        try:
            self._begin(connect, user)
        except BrokerError as error:
            self._refuse(outcome_of(error).connack, error.text)
            return
        held = self._inbox.take()
        if held:
            self._handle(held)

    def _begin(self, connect: Connect, user: User) -> None:
        assigned = "" if connect.client_id else f"auto-{self.broker.unique()}"  # [MQTT-3.1.3-6]
        client_id = connect.client_id or assigned
        self.label = f"{self.peer.address} ({client_id[:SHOWN_CLIENT_ID_LIMIT]})"
        client = self.broker.open(user, DEFAULT_VHOST, "mqtt", self.label)
        existing = find_session(client.vhost, client_id, user.name)
        if existing is not None and isinstance(existing.deliveries.connection, MqttConnection):
            existing.deliveries.connection.taken_over()
            if not existing.expiry_s:
                existing = None
        entry = enter(self.broker, self._dialect, connect, client, client_id, existing)
        self._client = client
        self._session = session = entry.session
        self._state = CONNECTED
        if entry.keep_alive_s:
            self._silence_limit_s = KEEP_ALIVE_GRACE * entry.keep_alive_s
        self.deadline = self.broker.clock.now + self._silence_limit_s
        self.outlet.watch(self)
        resumed = session is existing
        entry.terms.session_present = resumed
        entry.terms.assigned_client_id = assigned
        connack = self._dialect.accept(entry.terms)
        if not connack:
            self._will = None  # the client never learns that it was connected
            self._close("connection refused", "no CONNACK is as short as the client asks for")
            return
        self.write(connack)
        if resumed:
            denied = session.authorize_again(client)
            if denied:
                self.outlet.note("subscriptions dropped", f"{denied} are no longer permitted")
        session.attach(self, self._dialect, connect.properties.number(RECEIVE_MAXIMUM, IN_FLIGHT_LIMIT))

    # Ends

    def _refuse(self, code: int, text: str) -> None:
        self._will = None  # the client was never connected
        self._say(self._dialect.refuse(code, text))
        self._close("connection refused", text)

    def _close(self, event: str, detail: str, code: int = 0) -> None:
        """End, and tell a connected client why, where its version has a word for it [MQTT-4.13.1-1]."""
        self.closed = True
        self.outlet.note(event, detail)
        if code:
            self._say(self._dialect.goodbye(code, detail))
        self.wake()

    def _say(self, packet: bytes) -> None:
        """Write what the version has a word for, which may be nothing."""
        if packet:
            self.write(packet)

    def taken_over(self) -> None:
        """End, because another connection came with the same client id [MQTT-3.1.4-2], [MQTT-3.1.4-3]."""
        self._close("taken over", "another connection came with the same client id", TAKEN_OVER)
        self._let_go()

    def shut_down(self) -> None:
        if self._state == CONNECTED and not self.closed:
            self._acks.flush()
            self._say(self._dialect.goodbye(SHUTTING_DOWN, "the broker is stopping"))
        self.closed = True

    def ended(self) -> None:
        self.closed = True
        self._inbox.take()
        self._let_go()

    def _let_go(self) -> None:
        """Leave the session and publish the will, once."""
        session, client, will = self._session, self._client, self._will
        if self._subscribing is not None:
            self._subscribing.end()
        self._session = self._client = self._will = self._publishing = self._subscribing = None
        if session is not None:
            session.detach()
        if client is not None:
            if will is not None and session is not None and will.delay_s and session.expiry_s:
                session.leave(DelayedWill(will, client))
            elif will is not None:
                will.publish(self.outlet, client, self.broker.clock)  # [MQTT-3.1.2-8]
            client.close()

    # Time and room

    def timeout(self) -> None:
        if self._state != CONNECTED:
            self._close("handshake timeout", "no login in time")
            self.deadline = NEVER
        elif self.publishes and self.broker.alarm:
            self.deadline = self.broker.clock.now + self._silence_limit_s  # its silence is our doing
        else:
            self._close("keep-alive timeout", f"nothing received for {self._silence_limit_s:g} s", KEEP_ALIVE_TIMEOUT)
            self.deadline = NEVER

    def alarm(self, reason: str) -> None:
        if not reason and self._state == CONNECTED:
            self.deadline = self.broker.clock.now + self._silence_limit_s

    def stalled(self) -> None:
        if self._session is not None:
            self._session.deliveries.pause()

    def relieved(self) -> None:
        if self._subscribing is not None:
            self._subscribing.go_on()
        if self._session is not None and not self.congested:
            self._session.deliveries.go_on()

    def complete_output(self) -> None:
        self._acks.flush()
