"""The machine of one MQTT connection: what is done about each packet, how a client comes in and how it goes.

`stream` finds the packets and knows which may come when. What is said about a mistake depends on the version, as all that
is said: `Dialect` knows. MQTT 3.1.1 has no word for errors beside CONNACK and SUBACK, so there the connection just closes
and the reason goes to the log.
"""

from typing import Final

from core.access import User
from core.broker import Broker
from core.client import Client
from core.model.errors import BrokerError
from core.model.names import DEFAULT_VHOST
from core.timers import NEVER
from protocols.connection import Outlet, Peer
from protocols.mqtt import frames
from protocols.mqtt.authentication import Authentication
from protocols.mqtt.deliveries import IN_FLIGHT_LIMIT
from protocols.mqtt.errors import (
    ADMINISTRATIVE_ACTION,
    BAD_CREDENTIALS,
    KEEP_ALIVE_TIMEOUT,
    NOT_AUTHORIZED,
    PACKET_TOO_LARGE,
    SERVER_UNAVAILABLE,
    SHUTTING_DOWN,
    SUCCESS,
    TAKEN_OVER,
    Forbidden,
    Malformed,
    Refused,
    outcome_of,
)
from protocols.mqtt.login import check_connect, check_name, dialect_for, enter
from protocols.mqtt.packets import V3_1, V5, Connect, connect_level, decode_connect, stranger
from protocols.mqtt.packets5 import AUTH_GO_ON, Auth
from protocols.mqtt.properties import AUTHENTICATION_DATA, AUTHENTICATION_METHOD, RECEIVE_MAXIMUM, SESSION_EXPIRY
from protocols.mqtt.publishing import Publishing
from protocols.mqtt.publishing5 import Publishing5
from protocols.mqtt.session import MqttSession, find_session
from protocols.mqtt.stream import CONNECTED, EXPECT_CONNECT, LOGGING_IN, PROVING, PacketStream
from protocols.mqtt.subscribing import Subscribing
from protocols.mqtt.will import DelayedWill, Will, accept_will

SHOWN_CLIENT_ID_LIMIT: Final = 64  # characters of a client id in the connection's label
UNTOLD: Final = "the login was refused; the log of the broker has the reason"  # which could tell that a name exists
KEEP_ALIVE_GRACE: Final = 1.5  # [MQTT-3.1.2-24]


class MqttConnection(PacketStream):
    """One client that speaks MQTT 5.0, 3.1.1 or 3.1."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer) -> None:
        super().__init__(broker, outlet, peer)
        self._connect: Connect | None = None  # while the login is pending
        self._will: Will | None = None
        self._client: Client | None = None
        self._authentication: Authentication | None = None  # where the client has chosen a method for it
        self._subscribing: Subscribing | None = None  # from the first SUBSCRIBE or UNSUBSCRIBE on

    # Packets

    def packet(self, first: int, data: bytes) -> None:
        """Handle a packet other than PUBLISH and the short form of PUBACK."""
        dialect = self._dialect
        if self._state == EXPECT_CONNECT and connect_level(data) == V3_1:
            first = frames.CONNECT  # MQTT 3.1 §3.1 does not use the flags of a CONNECT; later versions reserve them
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
                self.start_publishing().release(packet_id)
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
                self._say(frames.PINGRESP)
            case frames.DISCONNECT:
                self._disconnect(data)
            case frames.AUTH:
                self._authenticate(dialect.read_auth(data))
            case _:
                raise stranger(first)

    def _disconnect(self, data: bytes) -> None:
        packet = self._dialect.read_disconnect(data)
        session = self._session
        if session is None:
            self.left = self.closed = True  # before it has proven who it is
            return
        expiry_s = packet.properties.number(SESSION_EXPIRY, -1)
        if expiry_s > 0 and not session.expiry_s:
            raise Forbidden("DISCONNECT with an expiry for a session that was to have none (§3.14.2.2.2)")
        if expiry_s >= 0:
            session.expiry_s = min(expiry_s, self.broker.session_expiry_limit_s)
        if not packet.with_will:
            self._will = None  # [MQTT-3.1.2-10], [MQTT-3.14.4-3]
        self.left = True
        self.closed = True

    def _open_session(self) -> MqttSession:
        assert self._session is not None
        return self._session

    def start_publishing(self) -> Publishing:
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
        self.traffic.logins += 1
        self._dialect.heed(connect)
        check_connect(connect)
        try:
            self._will = accept_will(connect.will)
        except BrokerError as error:
            raise Refused(error.text, outcome_of(error).connack) from None
        username, password = connect.username or "", connect.password or b""
        connect.password = None
        self._connect = connect
        said = connect.properties
        if AUTHENTICATION_METHOD in said.texts:
            self._state = PROVING
            self._authentication = authentication = Authentication(said.texts[AUTHENTICATION_METHOD], self.outlet)
            self._reply(authentication, authentication.begin(said.binaries.get(AUTHENTICATION_DATA)))
        else:
            self._state = LOGGING_IN
            self.outlet.login(self, username, password)

    def _authenticate(self, packet: Auth) -> None:
        if self._authentication is None:
            raise Forbidden("AUTH on a connection that began without an authentication method [MQTT-4.12.0-7]")
        answer = self._authentication.go_on(packet, connected=self._state == CONNECTED)
        self._reply(self._authentication, answer)

    def _reply(self, authentication: Authentication, answer: bytes) -> None:
        """Go on with an exchange [MQTT-4.12.0-2], or have its result looked at."""
        if authentication.checking:
            if self._state == PROVING:
                self._state = LOGGING_IN
            self.outlet.proven(self, authentication.username, authentication.failure)
            return
        packet = self._dialect.auth(AUTH_GO_ON, answer)
        if not packet:
            raise Refused("an AUTH is larger than the client takes", PACKET_TOO_LARGE)
        self._acks.flush()
        self._say(packet)

    def logged_in(self, user: User | None, reason: str) -> None:
        if self._state == CONNECTED:
            self._logged_in_again(user, reason)
            return
        connect = self._connect
        self._connect = None
        if self.closed or connect is None:
            return
        if user is None:
            self._will = None
            bad = connect.username and self._authentication is None
            self._say(self._dialect.refuse(BAD_CREDENTIALS if bad else NOT_AUTHORIZED, UNTOLD))  # [MQTT-4.12.0-4]
            self.close("connection refused", reason)
            return
        try:
            if self._authentication is not None:
                check_name(connect, user)
            self._begin(connect, user)
        except BrokerError as error:
            self.refuse(outcome_of(error).connack, error.text)
            return
        held = self._inbox.take()
        if held:
            self._handle(held)

    def _logged_in_again(self, user: User | None, reason: str) -> None:
        """End a re-authentication: the client stays who it was, or goes [MQTT-4.12.1-2]."""
        authentication, client = self._authentication, self._client
        if self.closed or authentication is None or client is None:
            return
        words = authentication.take_last_words()
        if user is None:
            self._acks.flush()
            self._say(self._dialect.goodbye(NOT_AUTHORIZED, UNTOLD))
            self.close("authentication failed", reason)
        elif user is not client.user:
            text = f"user '{user.name}' authenticates on a connection of user '{client.user.name}'"
            self.close("authentication failed", text, NOT_AUTHORIZED)
        else:
            self._acks.flush()
            self._say(self._dialect.auth(SUCCESS, words))

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
        if self._authentication is not None:
            entry.terms.authentication = self._authentication.take_last_words()
        connack = self._dialect.accept(entry.terms)
        if not connack:
            self._will = None  # the client never learns that it was connected
            self.close("connection refused", "no CONNACK is as short as the client asks for")
            return
        self._say(connack)
        if resumed:
            denied = session.authorize_again(client)
            if denied:
                self.outlet.note("subscriptions dropped", f"{denied} are no longer permitted")
        session.attach(self, self._dialect, connect.properties.number(RECEIVE_MAXIMUM, IN_FLIGHT_LIMIT))

    # Ends

    def refuse(self, code: int, text: str) -> None:
        self._will = None  # the client was never connected
        self._say(self._dialect.refuse(code, text))
        self.close("connection refused", text)

    def close(self, event: str, detail: str, code: int = 0) -> None:
        self.closed = True
        self.outlet.note(event, detail)
        self._acks.flush()
        if code:
            self._say(self._dialect.goodbye(code, detail))
        self.wake()
        self._let_go()  # at once: nothing may follow a DISCONNECT [MQTT-3.14.4-1]

    def taken_over(self) -> None:
        """End, because another connection came with the same client id [MQTT-3.1.4-2], [MQTT-3.1.4-3]."""
        self.close("taken over", "another connection came with the same client id", TAKEN_OVER)

    def permissions_changed(self, user: User, reason: str) -> None:
        client = self._client
        if client is None or client.user is not user or self.closed:
            return
        if not client.may_stay:
            self.close("connection closed", reason, ADMINISTRATIVE_ACTION)
        elif self._publishing is not None:
            self._publishing.forget()

    def shut_down(self) -> None:
        if self._state == CONNECTED and not self.closed:
            self._acks.flush()
            self._say(self._dialect.goodbye(SHUTTING_DOWN, "the broker is stopping"))
        self.closed = True

    def ended(self) -> None:
        self.closed = True
        self._inbox.take()
        self._let_go()
        self._acks.end()

    def _let_go(self) -> None:
        """Leave the session and publish the will, once."""
        session, client, will = self._session, self._client, self._will
        if self._subscribing is not None:
            self._subscribing.end()
        self._session = self._client = self._will = self._publishing = self._subscribing = None
        self._authentication = None
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
            self.close("handshake timeout", "no login in time")
            self.deadline = NEVER
        elif self.publishes and self.broker.alarm:
            self.deadline = self.broker.clock.now + self._silence_limit_s  # its silence is our doing
        else:
            self.close("keep-alive timeout", f"nothing received for {self._silence_limit_s:g} s", KEEP_ALIVE_TIMEOUT)
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
