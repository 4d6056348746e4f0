"""The machine of one AMQP 0-9-1 connection: the frame loop, the life of the connection, and its channels.

    HEADER ─▶ START_OK ─▶ LOGIN ─▶ TUNE_OK ─▶ OPEN ─▶ RUNNING ──connection.close──▶ closed
      │           │         │         │         │        │
      └─ another ─┴─────────┴─────────┴─────────┴────────┴── a mistake, shut_down ──▶ CLOSING, DEAF ──close-ok──▶ closed
         protocol: closed

A peer's mistake is caught in `_work` and nowhere else: a soft error closes the channel, a hard one the connection
(AMQP 0-9-1 §1.2). After connection.close everything but close-ok is ignored (CLOSING); when even the start of the next
frame is lost (DEAF), the octets of close-ok are looked for. Silence and the end of the stream close from every state.
"""

from typing import Final

from core.access import User
from core.broker import Broker
from core.model.errors import BrokerError, Denied, NotFound
from core.model.properties import Headers
from core.timers import NEVER
from protocols.amqp import methods, replies
from protocols.amqp.channels import Channels
from protocols.amqp.connection_methods import Close, Open, StartOk, TuneOk, UpdateSecret
from protocols.amqp.errors import (
    ACCESS_REFUSED,
    CHANNEL_ERROR,
    CONNECTION_FORCED,
    NOT_ALLOWED,
    SOFT,
    UNSAID,
    PeerError,
    from_broker,
    reply_text,
)
from protocols.amqp.frame_errors import frame_too_large, unexpected_frame, wrong_end
from protocols.amqp.frames import (
    CLOSE_OK_FRAME,
    FIRST_FRAMES_MAX,
    FRAME_END,
    FRAME_MAX,
    HEARTBEAT,
    HEARTBEAT_FRAME,
    METHOD,
    METHOD_FRAME_MIN_BYTES,
    OVERHEAD_BYTES,
    PROTOCOL_HEADER,
    START_BYTES,
    Framing,
    method_number,
)
from protocols.amqp.greeting import HEADER_BYTES, described, is_ours, may_become_ours
from protocols.amqp.handshake import RABBITMQS_OFFER, ClientTraits, Offer, server_properties
from protocols.amqp.heartbeat import Heartbeat
from protocols.amqp.mechanisms import claimed, offered
from protocols.amqp.method import Method
from protocols.amqp.state import CLOSE_TIMEOUT_S, DEAF_TIMEOUT_S, State
from protocols.amqp.table import ELEMENTS_LIMIT, FIRST_ELEMENTS_LIMIT
from protocols.connection import HANDSHAKE_TIMEOUT_S, OUTPUT_LIMIT_BYTES, Connection, Outlet, Peer
from protocols.inbox import Inbox

SHUTDOWN_TEXT: Final = "broker forced connection closure with reason 'shutdown'"


class AmqpConnection(Connection):
    """One client, from the protocol header to the last frame."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer, offer: Offer = RABBITMQS_OFFER) -> None:
        super().__init__(broker, outlet, peer, "amqp")
        self._offer = offer
        self._state = State.HEADER
        self._inbox = Inbox(broker.surroundings.usage)
        self._at = 0  # where the next frame begins in what is being read
        self._working = False
        self._paused = False  # while the login is pending: what comes behind it is kept
        self._number = 0  # channel of the frame that is being handled
        self._payload_limit = FIRST_FRAMES_MAX
        self._tail = b""  # the last octets from a peer that cannot be understood
        self._control = Framing(0, FRAME_MAX)
        self._traits = ClientTraits({})
        self._mechanisms: tuple[str, ...] = ()  # that were offered
        self._mechanism = ""
        self._user: User | None = None
        self._frame_max = offer.frame_max
        self._channel_max = offer.channel_max
        self._heartbeat = Heartbeat(0)
        self._channels: Channels | None = None  # while the connection is open
        self._offender = 0  # class and method id of what is being handled on channel 0; 0 is none
        self._alarm = ""
        self._said_blocked = False
        self._known_as_publisher = False

    # In, from the reactor

    def receive(self, data: bytes) -> None:
        if self.closed:
            return
        if not data:
            self._end()
            return
        self._heartbeat.heard = True
        data = self._inbox.add(data)
        if data:
            self._work(data)

    def _work(self, data: bytes) -> None:
        self._at = 0
        self._working = True
        while not self.closed:
            try:
                self._read(data)
                break
            except PeerError as error:
                self._fail(error)
            except BrokerError as refusal:
                self._fail(from_broker(refusal))
        self._working = False
        if self.publishes and not self._known_as_publisher:
            self._known_as_publisher = True
            self._say_blocked(self._alarm or self.broker.alarm)

    def _read(self, data: bytes) -> None:
        if self._state is State.HEADER and not self._greet(data):
            return
        if self._state is State.DEAF:
            self._listen(data[self._at :])
            return
        at = self._at
        end = len(data)
        counters = self._counters
        work_limit = self.work_limit()
        while end - at >= START_BYTES and not self._paused and not self.closed:
            if self.output_bytes > OUTPUT_LIMIT_BYTES:
                break  # many a basic.get fits into one chunk
            if counters.work > work_limit:
                self.behind = True
                break
            size = data[at + 3] << 24 | data[at + 4] << 16 | data[at + 5] << 8 | data[at + 6]
            if size > self._payload_limit:
                raise frame_too_large(data, at, size, self._payload_limit - OVERHEAD_BYTES)
            after = at + size + OVERHEAD_BYTES
            if after > end:
                self._inbox.keep(data[at:], after - at)
                return
            if data[after - 1] != FRAME_END:
                raise wrong_end(data, at, after)
            self._at = after
            number = self._number = data[at + 1] << 8 | data[at + 2]
            channels = self._channels
            if number == 0 or channels is None:
                self._handle_control(data, at, after)
            else:
                channels.handle(number, data, at, after)
            at = after
        self._inbox.keep(data[at:], 0)

    def go_on(self) -> None:
        """Read what was held back, unless that is being done."""
        if not self._working:
            data = self._inbox.take()
            if data:
                self._work(data)

    # The life of the connection

    def _greet(self, data: bytes) -> bool:
        """Take the protocol header; False when it is not whole or not ours."""
        if is_ours(data):
            self._at = HEADER_BYTES
            self._state = State.START_OK
            self._mechanisms = offered(self.peer.certificate_user, anonymous=self._offer.anonymous)
            self._send(replies.start(server_properties(self.broker.version), self._mechanisms))
            return True
        if may_become_ours(data):
            self._inbox.keep(data, HEADER_BYTES)
            return False
        came = described(data, encrypted=self.peer.encrypted)
        self.outlet.note("connection refused", f"no protocol header of AMQP 0-9-1 but {came}")
        self.write(PROTOCOL_HEADER)
        self.closed = True
        return False

    def _handle_control(self, data: bytes, at: int, after: int) -> None:
        """Handle a frame of channel 0, or any frame while the connection is not open."""
        kind = data[at]
        self._offender = 0
        whole = kind == METHOD and self._number == 0 and after - at >= METHOD_FRAME_MIN_BYTES
        if self._state is State.CLOSING:
            if whole:
                self._handle_while_closing(method_number(data, at))
        elif whole:
            number = self._offender = method_number(data, at)
            limit = ELEMENTS_LIMIT if self._state is State.RUNNING else FIRST_ELEMENTS_LIMIT
            self._handle_connection_method(methods.decode(number, data, at + START_BYTES + 4, after - 1, limit))
        elif kind != HEARTBEAT or self._number != 0:
            raise unexpected_frame(data, at, after)

    def _handle_while_closing(self, number: int) -> None:
        if number == methods.CONNECTION_CLOSE:
            self._send(replies.CONNECTION_CLOSE_OK)
        if number in {methods.CONNECTION_CLOSE, methods.CONNECTION_CLOSE_OK}:
            self.closed = True

    def _handle_connection_method(self, method: Method) -> None:
        match (self._state, method):
            case (State.START_OK, StartOk()):
                self._log_in(method)
            case (State.TUNE_OK, TuneOk()):
                self._tune(method)
            case (State.OPEN, Open()):
                self._open(method)
            case (State.RUNNING, UpdateSecret()):
                self._send(replies.UPDATE_SECRET_OK)  # a password does not expire, so there is nothing to renew
            case (_, Close()) if method.number == methods.CONNECTION_CLOSE:
                self._end()
                self._send(replies.CONNECTION_CLOSE_OK)
            case _:
                raise PeerError(CHANNEL_ERROR, f"unexpected method in connection state {self._state.value}")

    def _log_in(self, method: StartOk) -> None:
        self._traits = ClientTraits(method.client_properties)
        self._mechanism = method.mechanism
        self.name = self._traits.name
        if self.name:
            self.label = f"{self.label} ({self.name})"
        claim = claimed(method, self._mechanisms, self.peer.certificate_user)
        self._state = State.LOGIN
        self._paused = True
        if claim.username or claim.anonymous:
            self.outlet.login(self, claim.username, claim.password)
        else:
            self.logged_in(None, "empty user name")

    def client_properties(self) -> Headers:
        """Return what the client has said about itself."""
        return self._traits.properties()

    def logged_in(self, user: User | None, reason: str) -> None:
        if self._state is not State.LOGIN or self.closed:
            return
        self._paused = False
        if user is None:
            self._refuse_login(reason)
            return
        self._user = user
        self._state = State.TUNE_OK
        self.deadline = self.broker.clock.now + HANDSHAKE_TIMEOUT_S
        offer = self._offer
        self._send(replies.tune(offer.channel_max, offer.frame_max, offer.heartbeat_s))
        self.go_on()

    def _refuse_login(self, reason: str) -> None:
        self.outlet.note("login refused", reason)
        if not self._traits.hears_refusals:
            self.closed = True
            return
        self._close(
            ACCESS_REFUSED,
            f"Login was refused using authentication mechanism {self._mechanism}. For details see the broker logfile.",
            0,
        )

    def _tune(self, method: TuneOk) -> None:
        self._offer.check(method)
        self._channel_max = method.channel_max
        self._frame_max = self._payload_limit = method.frame_max
        self._heartbeat = Heartbeat(method.heartbeat_s)
        self._state = State.OPEN

    def _open(self, method: Open) -> None:
        user = self._user
        assert user is not None
        if self.broker.stopping:
            raise PeerError(CONNECTION_FORCED, SHUTDOWN_TEXT)
        try:
            client = self.broker.open(user, method.vhost, self.protocol, self.label)
        except NotFound:
            raise PeerError(NOT_ALLOWED, f"vhost {method.vhost} not found") from None
        except Denied as error:
            raise PeerError(NOT_ALLOWED, error.text) from None
        self._channels = Channels(self, client, self._frame_max, self._channel_max, notify=self._traits.hears_cancels)
        self._state = State.RUNNING
        self._send(replies.OPEN_OK)
        self._set_deadline(self._heartbeat.look_every_s or NEVER)

    # The end

    def _fail(self, error: PeerError) -> None:
        """Close the channel or the connection because of a mistake. Called for every mistake, from one place."""
        channels = self._channels
        offender = error.offender
        if offender == UNSAID:
            offender = channels.offender if channels is not None and self._number else self._offender
        text = reply_text(error.code, error.text)
        if error.code in SOFT and channels is not None and channels.fail(self._number, error.code, text, offender):
            self.outlet.note("channel closed", text)
            return
        self.outlet.note("connection closed", text)
        self._close(error.code, error.text, offender, lost=error.lost)

    def _close(self, code: int, text: str, offender: int, *, lost: bool = False) -> None:
        """Close the connection and wait for close-ok; `lost` as in PeerError."""
        if self._state is not State.CLOSING:
            self._release()
            self._send(replies.close(replies.CONNECTION_CLOSE, code, reply_text(code, text), offender))
        self._state = State.DEAF if lost else State.CLOSING
        self._set_deadline(DEAF_TIMEOUT_S if lost else CLOSE_TIMEOUT_S)

    def _listen(self, data: bytes) -> None:
        """Look for close-ok in what cannot be read as frames."""
        heard = self._tail + data
        self._tail = heard[1 - len(CLOSE_OK_FRAME) :]
        if CLOSE_OK_FRAME in heard:
            self.closed = True

    def permissions_changed(self, user: User, reason: str) -> None:
        if user is self._user and self._channels is not None and not self._channels.ask_again():
            self._fail(PeerError(CONNECTION_FORCED, reason, offender=0))

    def shut_down(self) -> None:
        if self._state not in {State.HEADER, State.CLOSING, State.DEAF} and not self.closed:
            self._close(CONNECTION_FORCED, SHUTDOWN_TEXT, 0)
        self.closed = True

    def _end(self) -> None:
        """Be closed without a word, and hold nothing that could still be delivered to others."""
        self._release()
        self.closed = True

    def ended(self) -> None:
        self._inbox.take()
        self._release()

    def _release(self) -> None:
        channels = self._channels
        if channels is not None:
            self._channels = None
            channels.end()

    # Time, alarms and output

    def _set_deadline(self, seconds: float) -> None:
        self.deadline = self.broker.clock.now + seconds
        self.outlet.watch(self)

    def timeout(self) -> None:
        heartbeat = self._heartbeat
        if self._state is State.RUNNING and (self._is_held_up() or heartbeat.look()):
            if not self.output_bytes and heartbeat.must_speak():
                self.write(HEARTBEAT_FRAME)
            self.deadline = self.broker.clock.now + heartbeat.look_every_s
            return
        if self._state is State.RUNNING:
            self.outlet.note("heartbeat timeout", f"nothing received for {2 * heartbeat.interval_s} s")
        elif self._state in {State.CLOSING, State.DEAF}:
            self.outlet.note("close timeout", "connection.close was not answered in time")
        else:
            self.outlet.note("handshake timeout", f"no open connection in time, state {self._state.value}")
        self.deadline = NEVER
        self._end()

    def _is_held_up(self) -> bool:
        # Nothing is read from a publisher while an alarm stands, so its heartbeats cannot be missed.
        return bool(self._alarm) and self.publishes

    def alarm(self, reason: str) -> None:
        self._alarm = reason
        if reason:
            if self.publishes:
                self._say_blocked(reason)
            return
        self._heartbeat.excuse()
        if self._said_blocked:
            self._said_blocked = False
            if self._state is State.RUNNING:
                self._send(replies.UNBLOCKED)

    def _say_blocked(self, reason: str) -> None:
        if reason and self._traits.hears_blocked and self._state is State.RUNNING and not self._said_blocked:
            self._said_blocked = True
            self._send(replies.blocked(reason))

    def stalled(self) -> None:
        if self._channels is not None:
            self._channels.hold()

    def relieved(self) -> None:
        if self._channels is not None:
            self._channels.release()
        self.go_on()

    def complete_output(self) -> None:
        if self._channels is not None:
            self._channels.say_confirms()
        if self._output:
            self._heartbeat.said()

    def _send(self, payload: bytes) -> None:
        self.write(self._control.method(payload))
