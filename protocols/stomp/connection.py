"""The machine of one STOMP connection: frames in, the core's calls, frames out.

    CONNECTING ── CONNECT, STOMP ──▶ LOGGING_IN ── logged_in ──▶ OPEN ── DISCONNECT ──▶ LEAVING

From every state a peer's mistake leads to ERROR and to `closed`; nothing that a peer sends raises out of `receive`.
"""

from enum import Enum
from typing import Final

from core.access import User
from core.broker import Broker
from core.model.errors import BrokerError, Denied, NotFound
from core.model.names import DEFAULT_VHOST
from core.timers import NEVER
from protocols.connection import HANDSHAKE_TIMEOUT_S, Outlet, Peer
from protocols.stomp.dialect import RABBITMQ, Dialect
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import NO_LENGTH, Frame, FrameReader, after_login, connected_frame
from protocols.stomp.headers import body_length, decoded, decoded_headers, escaped, unfolded
from protocols.stomp.heartbeat import HeartBeat
from protocols.stomp.send import Head
from protocols.stomp.session import Session
from protocols.stomp.speaker import Speaker
from protocols.stomp.versions import NAMES, SUPPORTED, V1_0, V1_1, V1_2, negotiated

SEND_STARTS: Final = (b"SEND\n", b"SEND\r\n")
ACK_ID: Final = b"ACK\nid:"
BEAT: Final = b"\n"


class State(Enum):
    """Where a connection is."""

    CONNECTING = 1  # nothing but CONNECT is understood
    LOGGING_IN = 2  # the gateway checks the credentials; nothing is read
    OPEN = 3
    LEAVING = 4  # DISCONNECT was read; receipts may still be owed


class Login:
    """What CONNECT asked for, and what the gateway said to it."""

    def __init__(self, frame: Frame, version: int) -> None:
        self.version = version
        self.username = frame.headers.get("login", "")
        self.vhost = frame.headers.get("host", DEFAULT_VHOST)
        self.answered = False
        self.user: User | None = None


class StompConnection(Speaker):
    """One client of STOMP 1.0, 1.1 or 1.2."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer, dialect: Dialect = RABBITMQ) -> None:
        super().__init__(broker, outlet, peer, dialect)
        self._state = State.CONNECTING
        self._reader = FrameReader(broker.surroundings.usage)
        self._reading = False
        self._receipt: bytes | None = None  # of the frame that is being handled
        self._login: Login | None = None
        self._beats = HeartBeat(None, broker.clock.now)
        self._session: Session | None = None  # from login on

    # From the reactor

    def receive(self, data: bytes) -> None:
        if self.closed:
            return
        if not data:
            self.close()
            return
        self._beats.heard_at = self.broker.clock.now
        try:
            self._reader.feed(data)
        except BrokerError as refusal:
            self.fail_for(refusal, None)
            return
        self._read()

    def go_on(self) -> None:
        self._reader.feed(b"")
        self._read()

    def logged_in(self, user: User | None, reason: str) -> None:
        login = self._login
        if login is None or self.closed:
            return
        if user is None:
            self.outlet.note("login refused", reason)
        login.user = user
        login.answered = True
        self._read()

    def timeout(self) -> None:
        now = self.broker.clock.now
        if self.closed:
            self.deadline = NEVER
        elif self._state is State.LEAVING:
            self.close()
        elif self._state is not State.OPEN:
            self.fail(PeerError("Bad CONNECT", f"no login within {HANDSHAKE_TIMEOUT_S:g} s"), None)
        else:
            self._beat(now)

    def stalled(self) -> None:
        if self._session is not None:
            self._session.subscriptions.suspend()

    def relieved(self) -> None:
        if self._session is not None and not self.closed:
            self._session.subscriptions.resume()

    def permissions_changed(self, user: User, reason: str) -> None:
        session = self._session
        if session is not None and session.client.user is user and not self.closed:
            session.sends.forget()
            if not session.client.may_stay:
                self.fail(PeerError("Connection closed", reason), None)

    def shut_down(self) -> None:
        self.fail(PeerError("Connection closed", "the broker is stopping"), None)

    def ended(self) -> None:
        self.closed = True
        self._reader.drop()
        if self._session is not None:
            self._session.end()

    # Reading

    def _read(self) -> None:
        """Handle what has been received. The one place where mistakes of the peer end."""
        if self._reading:
            return  # `logged_in` was called from inside
        self._reading = True
        try:
            self._read_frames()
        except PeerError as mistake:
            self.fail(mistake, self._receipt)
        except BrokerError as refusal:  # another name: mypyc gives one name one type
            self.fail_for(refusal, self._receipt)
        finally:
            self._reading = False

    def _read_frames(self) -> None:
        reader = self._reader
        counters = self._counters
        work_limit = self.work_limit()
        while not self.closed:
            if counters.work > work_limit:
                self.behind = True
                reader.put_off()
                return
            if self._state is State.LOGGING_IN:
                assert self._login is not None
                if not self._login.answered:
                    return
                self._open(self._login)
            elif self._state is State.LEAVING:
                return
            session = self._session
            if (
                session is not None
                and session.sends.likely is not None
                and self._read_likely(session, session.sends.likely)
            ):
                continue
            head = reader.head()
            if head is None:
                return
            self._receipt = None
            if session is None:
                if not self._read_first(head):
                    return
                continue
            known = session.sends.find(head)
            if known is None:
                if not self._read_frame(session, head):
                    return
                continue
            body = reader.body(known.length)
            if body is None:
                return
            session.publish(session.sends.plan_again(head, known), body, None, None)

    def _read_likely(self, session: Session, likely: Head) -> bool:
        """Handle a SEND that is like the one before; False when the next frame is another, or not there yet."""
        form, plan = likely.form, likely.plan
        if form is None or plan is None or plan.gone:
            return False
        body = self._reader.like(form)
        if body is None:
            return False
        receipt = self._reader.word if form.varies else None
        self._receipt = receipt
        session.publish(plan, body, receipt, None)
        return True

    def _read_frame(self, session: Session, head: bytes) -> bool:
        """Handle a frame whose head was not seen before; False when its body is incomplete."""
        reader = self._reader
        if head.startswith(ACK_ID) and self.version == V1_2:
            message_id = head[len(ACK_ID) :]
            if b"\n" not in message_id and b":" not in message_id:
                # Nothing but the id that MESSAGE gave, with its escapes: read in place.
                if reader.body(NO_LENGTH) is None:
                    return False
                session.accept(message_id.removesuffix(b"\r"))
                return True
        if head.startswith(SEND_STARTS):
            again = session.sends.read_again(head)
            if again is not None:
                return self._publish(session, head, again)
        head = reader.shortened(head)
        reader.check(head)
        if head.startswith(SEND_STARTS):
            return self._publish(session, head, session.sends.read(head))
        command, _, lines = unfolded(head, self.version).partition(b"\n")
        frame = Frame(decoded(command), decoded_headers(lines, self.version))
        receipt = frame.headers.get("receipt")
        if receipt is not None:
            self._receipt = _echoed(receipt, self.version)
        if reader.body(_length(frame)) is None:
            return False
        if frame.command != "DISCONNECT":
            session.handle(frame)
        if self._receipt is not None:
            session.receipts.answer(self._receipt)
        if frame.command == "DISCONNECT":
            self._leave()
        return True

    def _publish(self, session: Session, head: bytes, found: Head) -> bool:
        """Handle SEND once its body is there; False when it is not."""
        self._receipt = found.receipt
        body = self._reader.body(found.length)
        if body is None:
            return False
        self.publishes = True
        sends = session.sends
        session.publish(sends.plan_again(head, found), body, found.receipt, found.transaction)
        return True

    def _read_first(self, head: bytes) -> bool:
        """Read CONNECT, which has no escapes in any version (STOMP 1.2 "Value Encoding")."""
        head = self._reader.shortened(head)
        self._reader.check(head)
        command, _, lines = unfolded(head, V1_1).partition(b"\n")
        if command not in {b"CONNECT", b"STOMP"}:
            raise PeerError("Illegal command", "You must log in using CONNECT first")
        try:
            headers = decoded_headers(lines, V1_0)
        except PeerError as mistake:  # not in its own words: what is no header may be a part of a password
            raise PeerError(mistake.message, "each header line of CONNECT must be 'name:value', in UTF-8") from None
        frame = Frame(decoded(command), headers)
        if self._reader.body(_length(frame)) is None:
            return False
        self._connect(frame)
        return True

    # Connecting

    def _connect(self, frame: Frame) -> None:
        version = negotiated(frame.headers.get("accept-version"))
        if version is None:
            raise PeerError("Version mismatch", f"Supported versions are {SUPPORTED}")
        if version == V1_0:
            frame.headers = {name.strip(" "): value.strip(" ") for name, value in frame.headers.items()}
        login = self._login = Login(frame, version)
        self.client_id = frame.headers.get("client-id", "")
        self._beats = HeartBeat(frame.headers.get("heart-beat"), self.broker.clock.now)
        self._state = State.LOGGING_IN
        self.outlet.login(self, login.username, frame.headers.get("passcode", "").encode())

    def _open(self, login: Login) -> None:
        if login.user is None:
            raise PeerError("Bad CONNECT", f"Access refused for user '{login.username}'")
        vhost = login.vhost
        if vhost not in self.broker.vhosts and not self.dialect.host_is_vhost:
            vhost = DEFAULT_VHOST
        try:
            client = self.broker.open(login.user, vhost, self.protocol, self.label)
        except (NotFound, Denied):
            raise PeerError("Bad CONNECT", f"Virtual host '{vhost}' access denied") from None
        self.version = login.version
        self.session_id = f"session-{self.broker.unique()}"
        self._session = Session(self, client)
        self._reader.limits = after_login(self.broker.message_limit_bytes)
        self._state = State.OPEN
        server = f"Dragoman/{self.broker.version}"
        self.write(connected_frame(NAMES[self.version], self.session_id, server, self._beats.offer))
        self._beats.heard_at = self.broker.clock.now
        self._come_back_at(self._beats.deadline)

    # The end

    def _leave(self) -> None:
        """Close once every receipt has been written."""
        assert self._session is not None
        self._state = State.LEAVING
        if self._session.receipts.settled:
            self.close()
        else:
            self._come_back_at(self.broker.clock.now + HANDSHAKE_TIMEOUT_S)

    def receipts_settled(self) -> None:
        if self._state is State.LEAVING:
            self.close()

    def complete_output(self) -> None:
        self.say_receipts()

    # Time

    def _beat(self, now: float) -> None:
        beats = self._beats
        if self.publishes and self.broker.alarm:
            beats.heard_at = now  # nothing is read from publishers while the alarm stands
        if now >= beats.missed_at:
            self.fail(PeerError("Heart-beat missed", f"nothing was heard for {2 * beats.expects_ms} ms"), None)
            return
        if now >= beats.beat_at:
            if not self.output_bytes:
                self.write(BEAT)
            beats.beaten(now)
        self._come_back_at(beats.deadline)

    def _come_back_at(self, deadline: float) -> None:
        earlier = deadline < self.deadline
        self.deadline = deadline
        if earlier:
            self.outlet.watch(self)


def _length(frame: Frame) -> int:
    text = frame.headers.get("content-length")
    return NO_LENGTH if text is None else body_length(text.encode())


def _echoed(receipt: str, version: int) -> bytes:
    """Return a receipt header as RECEIPT repeats it."""
    said = escaped(receipt, version)
    if said is None:
        raise PeerError("Invalid header", "the receipt cannot be repeated")
    return said.encode()
