"""The machine of one MQTT connection: which packet may come when, and what is done about it.

    EXPECT_CONNECT ──CONNECT──▶ LOGGING_IN ──logged_in──▶ CONNECTED ──DISCONNECT──▶ closed
          │                         │                         │
          └──── anything else ──────┴─── refused ─────────────┴─── a mistake, silence, the end of the stream ──▶ closed

A mistake of the peer raises a PeerError inside and ends in `_handle`, the one place that catches it. MQTT 3.1.1 has no
word for errors beside CONNACK and SUBACK, so there the connection just closes and the reason goes to the log.
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
from protocols.mqtt.errors import (
    ACCEPTED,
    BAD_CREDENTIALS,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    SERVER_UNAVAILABLE,
    Forbidden,
    Malformed,
    PeerError,
    Refused,
    outcome_of,
)
from protocols.mqtt.greeting import Greeting
from protocols.mqtt.packets import (
    V3_1,
    Connect,
    decode_connect,
    decode_subscribe,
    decode_unsubscribe,
    encode_connack,
    encode_suback,
    encode_unsuback,
)
from protocols.mqtt.publishing import Publishing
from protocols.mqtt.session import MqttSession, find_session, open_session
from protocols.mqtt.topics import parse_filter
from protocols.mqtt.will import Will, accept_will

# The states; numbers, because every packet asks and a member of an Enum is looked up by name each time.
EXPECT_CONNECT: Final = 0
LOGGING_IN: Final = 1
CONNECTED: Final = 2

MARKED_SENT_AGAIN: Final = (frames.PUBREL | frames.DUP, frames.SUBSCRIBE | frames.DUP, frames.UNSUBSCRIBE | frames.DUP)

CLIENT_ID_LIMIT_BYTES: Final = 8_192  # the protocol allows what fits a string, and asks for 23 at least [MQTT-3.1.3-5]
SHOWN_CLIENT_ID_LIMIT: Final = 64  # characters of a client id in the connection's label
KEEP_ALIVE_GRACE: Final = 1.5  # [MQTT-3.1.2-24]


class MqttConnection(Connection):
    """One client that speaks MQTT 3.1.1 or 3.1."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer) -> None:
        super().__init__(broker, outlet, peer, "mqtt")
        self._state = EXPECT_CONNECT
        self._inbox = Inbox(broker.surroundings.usage)
        self._acks = Acks(self)
        self._silence_limit_s = NEVER
        self._level = 0
        self._connect: Connect | None = None  # while the login is pending
        self._will: Will | None = None
        self._client: Client | None = None
        self._session: MqttSession | None = None
        self._publishing: Publishing | None = None  # from the first PUBLISH or PUBREL on
        self._greeting: Greeting | None = None  # from the first SUBSCRIBE on

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
            self._close("no room", error.text)
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
            if isinstance(error, Refused):
                self._refuse(error.code, error.text)
            else:
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
            limit = self.broker.message_limit_bytes + frames.PUBLISH_HEADER_BYTES
        else:
            limit = frames.CONTROL_LIMIT_BYTES
        if length > limit:
            raise Forbidden(f"packet of type {first >> 4} and {length} bytes is longer than {limit}")

    # Packets

    def _packet(self, first: int, data: bytes) -> None:
        """Handle a packet other than PUBLISH and PUBACK."""
        if self._level == V3_1 and first in MARKED_SENT_AGAIN:
            first &= ~frames.DUP  # MQTT 3.1 §2.1 lets a client mark these as sent again; 3.1.1 does not
        match first:
            case frames.CONNECT:
                if self._state == CONNECTED:
                    raise Forbidden("second CONNECT [MQTT-3.1.0-2]")
                self._log_in(decode_connect(data))
            case frames.PUBREC:
                self._acks.add(self._open_session().deliveries.received(_packet_id(data)))
            case frames.PUBREL:
                self._start_publishing().release(_packet_id(data))
            case frames.PUBCOMP:
                self._open_session().deliveries.completed(_packet_id(data))
            case frames.SUBSCRIBE:
                self._subscribe(data)
            case frames.UNSUBSCRIBE:
                self._unsubscribe(data)
            case frames.PINGREQ:
                _check_empty("PINGREQ", data)
                self._acks.flush()
                self.write(frames.PINGRESP)
            case frames.DISCONNECT:
                _check_empty("DISCONNECT", data)
                self._will = None  # [MQTT-3.1.2-10]
                self.closed = True
            case frames.PUBACK:
                raise Malformed(f"PUBACK of {len(data)} bytes")
            case _:
                raise Malformed(f"packet of type {first >> 4} with flags {first & 0x0F} [MQTT-2.2.2-2]")

    def _subscribe(self, data: bytes) -> None:
        packet = decode_subscribe(data)
        session, client = self._open_session(), self._client
        assert client is not None
        greeting = self._greeting
        if greeting is None:
            greeting = self._greeting = Greeting(self, session, client)
        codes: list[int] = []
        refused: list[str] = []
        made = {}
        for text, qos in packet.filters:
            try:
                topic_filter = parse_filter(text)
                made[text] = (session.subscribe(client, text, topic_filter, qos), topic_filter.pattern)
                codes.append(qos)
            except BrokerError as error:
                codes.append(outcome_of(error).suback)
                refused.append(error.text)
        if refused:
            more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            self.outlet.note("subscription refused", f"{refused[0]}{more}")
        self._acks.flush()
        self.write(encode_suback(packet.packet_id, codes))
        for text, (subscription, pattern) in made.items():  # also when it replaced another [MQTT-3.8.4-3]
            if greeting.full:
                client.counters.drop("slow_subscriber")
            else:
                greeting.add(text, subscription, pattern)

    def _unsubscribe(self, data: bytes) -> None:
        packet = decode_unsubscribe(data)
        session = self._open_session()
        for text in packet.filters:
            session.unsubscribe(text)
        self._acks.flush()
        self.write(encode_unsuback(packet.packet_id))

    def _open_session(self) -> MqttSession:
        assert self._session is not None
        return self._session

    def _start_publishing(self) -> Publishing:
        if self._publishing is None:
            assert self._client is not None
            self._publishing = Publishing(self, self._client, self._open_session(), self._acks)
        return self._publishing

    # Login

    def _log_in(self, connect: Connect) -> None:
        if self.broker.stopping:
            raise Refused(SERVER_UNAVAILABLE, "the broker is stopping")
        if not connect.client_id and (not connect.clean or connect.level == V3_1):
            raise Refused(IDENTIFIER_REJECTED, "client id is empty [MQTT-3.1.3-8]")
        if len(connect.client_id.encode()) > CLIENT_ID_LIMIT_BYTES:
            raise Refused(IDENTIFIER_REJECTED, f"client id is longer than {CLIENT_ID_LIMIT_BYTES} bytes")
        username = connect.username or ""
        password = connect.password or b""
        if password and not username:
            raise Refused(BAD_CREDENTIALS, "the user name is empty")
        try:
            self._will = accept_will(connect.will)
        except BrokerError as error:
            raise Refused(outcome_of(error).connack, error.text) from None
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
        client_id = connect.client_id or f"auto-{self.broker.unique()}"  # [MQTT-3.1.3-6]
        self.label = f"{self.peer.address} ({client_id[:SHOWN_CLIENT_ID_LIMIT]})"
        client = self.broker.open(user, DEFAULT_VHOST, "mqtt", self.label)
        existing = find_session(client.vhost, client_id, user.name)
        if existing is not None and isinstance(existing.deliveries.connection, MqttConnection):
            existing.deliveries.connection.taken_over()
            if not existing.persistent:
                existing = None
        session = open_session(client.vhost, client_id, user.name, existing, clean=connect.clean)
        self._client = client
        self._session = session
        self._state = CONNECTED
        self._level = connect.level
        if connect.keep_alive_s:
            self._silence_limit_s = KEEP_ALIVE_GRACE * connect.keep_alive_s
        self.deadline = self.broker.clock.now + self._silence_limit_s
        self.outlet.watch(self)
        resumed = session is existing
        self.write(encode_connack(ACCEPTED, session_present=resumed and connect.level != V3_1))  # [MQTT-3.2.2-2]
        if resumed:
            denied = session.authorize_again(client)
            if denied:
                self.outlet.note("subscriptions dropped", f"{denied} are no longer permitted")
        session.attach(self)

    # Ends

    def _refuse(self, code: int, text: str) -> None:
        self._will = None  # the client was never connected
        self.write(encode_connack(code, session_present=False))  # [MQTT-3.2.2-4]
        self._close("connection refused", text)

    def _close(self, event: str, detail: str) -> None:
        self.closed = True
        self.outlet.note(event, detail)
        self.wake()

    def taken_over(self) -> None:
        """End, because another connection came with the same client id [MQTT-3.1.4-2]."""
        self._close("taken over", "another connection came with the same client id")
        self._let_go()

    def ended(self) -> None:
        self.closed = True
        self._inbox.take()
        self._let_go()

    def _let_go(self) -> None:
        """Leave the session and publish the will, once."""
        session, client, will = self._session, self._client, self._will
        if self._greeting is not None:
            self._greeting.end()
        self._session = self._client = self._will = self._publishing = self._greeting = None
        if session is not None:
            session.detach()
        if client is not None:
            if will is not None:
                will.publish(self, client)  # [MQTT-3.1.2-8]
            client.close()

    # Time and room

    def timeout(self) -> None:
        if self._state != CONNECTED:
            self._close("handshake timeout", "no login in time")
            self.deadline = NEVER
        elif self.publishes and self.broker.alarm:
            self.deadline = self.broker.clock.now + self._silence_limit_s  # its silence is our doing
        else:
            self._close("keep-alive timeout", f"nothing received for {self._silence_limit_s:g} s")
            self.deadline = NEVER

    def alarm(self, reason: str) -> None:
        if not reason and self._state == CONNECTED:
            self.deadline = self.broker.clock.now + self._silence_limit_s

    def stalled(self) -> None:
        if self._session is not None:
            self._session.deliveries.pause()

    def relieved(self) -> None:
        if self._greeting is not None:
            self._greeting.go_on()
        if self._session is not None and not self.congested:
            self._session.deliveries.go_on()

    def complete_output(self) -> None:
        self._acks.flush()


def _packet_id(data: bytes) -> int:
    if len(data) != 2:
        raise Malformed(f"acknowledgement of {len(data)} bytes")
    packet_id = data[0] << 8 | data[1]
    if packet_id == 0:
        raise Malformed("acknowledgement of packet id 0 [MQTT-2.3.1-1]")
    return packet_id


def _check_empty(packet: str, data: bytes) -> None:
    if data:
        raise Malformed(f"{packet} of {len(data)} bytes")
