"""The interface of a protocol machine: one client connection, sans-I/O and synchronous.

In: `receive` (bytes; empty is the end of the stream), `timeout` (due at `deadline`), `logged_in`, `alarm`, `shut_down`,
and what the core calls (deliver, confirmed, refused, cancelled). Out: `take_output` and calls on the core. A peer's
mistake never raises out of these: it becomes the protocol's own error and the machine sets `closed`. Whatever does
raise is a bug; the reactor logs it and closes this connection only.
"""

from typing import Final, final

from mypy_extensions import mypyc_attr

from core.access import User
from core.broker import Broker
from core.timers import Timed
from protocols.exchange import Exchange

HIGH_WATER_BYTES: Final = 1 << 20  # unsent output at which a connection's consumers get no more
LOW_WATER_BYTES: Final = 256 << 10  # unsent output below which they do again
DIRECT_LIMIT_BYTES: Final = 16 << 20  # unsent output beyond which direct subscriptions drop messages
CROWDED_LIMIT_BYTES: Final = HIGH_WATER_BYTES  # the same while too much is unsent on all connections together
OUTPUT_LIMIT_BYTES: Final = 64 << 20  # unsent output beyond which nothing more is read, and the peer must take some
COPY_LIMIT_BYTES: Final = 16 << 10  # a body up to this size is cheaper to copy into its frame than to write beside it
WORK_LIMIT: Final = 50_000  # steps of routing and deliveries in one turn of one connection: tens of milliseconds
HANDSHAKE_TIMEOUT_S: Final = 10.0  # from accept to a successful login, as RabbitMQ


class Peer:
    """Who is at the other end, as far as the socket tells."""

    def __init__(self, address: str, *, loopback: bool, encrypted: bool) -> None:
        self.address = address  # host:port, for logs and pages
        self.loopback = loopback
        self.encrypted = encrypted
        self.certificate_user = ""  # whom a certificate names that TLS has verified


@mypyc_attr(allow_interpreted_subclasses=True)
class Outlet:
    """What a machine needs of the socket it is attached to."""

    def wake(self) -> None:
        """Have the output taken at the end of this turn. Called when a machine without output gets some."""

    def hold(self) -> None:
        """Have what is written in this turn wait until all that was told to the store so far is on stable storage."""

    def login(self, connection: "Connection", username: str, password: bytes | None) -> None:
        """Check credentials; `connection.logged_in` is called with the result, at once or later.

        Nothing is read from the socket in between. An empty `username` asks for the anonymous user, if configured.
        Without a `password` the peer's certificate must name this user.
        """

    def exchange(self, method: str) -> Exchange | None:
        """Begin to authenticate a client by a method of the gateway, or return None when that is not served."""

    def proven(self, connection: "Connection", username: str, reason: str) -> None:
        """Go on as after `login`, with a client whose exchange has shown who it is, or with a `reason` has not."""

    def watch(self, connection: "Connection") -> None:
        """Notice that `connection.deadline` has moved to an earlier time."""

    def note(self, event: str, detail: str) -> None:
        """Log something about this connection that its operator should know: a refusal, a peer's mistake."""

    def failed(self, error: Exception) -> None:
        """Learn of a bug that showed while this connection was written to: log it and close the connection."""


NOWHERE: Final = Outlet()  # what a machine is attached to when its socket is gone


@mypyc_attr(allow_interpreted_subclasses=True)
class Connection(Timed):
    """The machine of one connection."""

    protocol: str

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer, protocol: str) -> None:
        super().__init__()
        self.broker = broker
        self.outlet = outlet
        self.peer = peer
        self.protocol = protocol
        self.name = ""  # what the client calls the connection
        self.label = peer.address  # how logs and pages name the connection
        self.closed = False  # nothing more to say: the socket is closed once the output is sent
        self.left = False  # the peer has said good-bye and closes by itself: no last word has to reach it
        self.publishes = False  # whether it has published, so that an alarm stops reading from it
        self.congested = False  # output past the high-water mark
        self.behind = False  # has received more than it could handle in its turn
        self.output_bytes = 0  # bytes not yet taken by the kernel
        self._output: list[bytes] = []
        self._counters = broker.counters
        self.traffic = broker.counters.traffic_of(protocol)
        self.traffic.sockets += 1
        self._usage = broker.surroundings.usage
        self._counted_bytes = 0  # of unsent output, in the usage of all connections
        self._awake = False
        self.deadline = broker.clock.now + HANDSHAKE_TIMEOUT_S

    # In, from the reactor

    def receive(self, data: bytes) -> None:
        """Handle bytes from the peer; empty bytes are the end of the stream."""
        raise AssertionError(f"{type(self).__name__} does not receive")

    def go_on(self) -> None:
        """Handle in a new turn what was left because the machine was `behind`. Nothing is received before that."""

    def logged_in(self, user: User | None, reason: str) -> None:
        """Go on after `Outlet.login`: with the user, or with None and a `reason` for the log."""
        raise AssertionError(f"{type(self).__name__} does not log in")

    def alarm(self, reason: str) -> None:
        """Learn that publishers must wait, and why; an empty reason ends it."""

    def permissions_changed(self, user: User, reason: str) -> None:
        """Learn that what a user may do has changed: nothing that it was allowed once may be relied on.

        Who is logged in as that user and may no longer be in his virtual host is told to go, with the `reason`.
        """

    def shut_down(self) -> None:
        """Say the protocol's good-bye, because the broker stops, and set `closed`."""
        self.closed = True

    def relieved(self) -> None:
        """Go on delivering: the output is below the low-water mark again."""

    def stalled(self) -> None:
        """Stop delivering: the output is past the high-water mark."""

    def complete_output(self) -> None:
        """Write what is said once a batch, such as coalesced confirms. Called before the output is taken."""

    def ended(self) -> None:
        """Release everything that the connection holds in the core. Called exactly once, after the socket is gone."""

    def facts(self) -> dict[str, str]:
        """Return what the log says of this connection."""
        found = {"peer": self.peer.address, "protocol": self.protocol}
        if self.name:
            found["name"] = self.name
        return found

    # Out

    @final
    def write(self, data: bytes) -> None:
        """Add to the output."""
        self._output.append(data)
        self.output_bytes += len(data)
        if not self._awake:
            self._awake = True
            self.outlet.wake()
        if self.output_bytes > HIGH_WATER_BYTES and not self.congested:
            self.congested = True
            self.stalled()

    @final
    def wake(self) -> None:
        """Have `complete_output` called at the end of this turn."""
        if not self._awake:
            self._awake = True
            self.outlet.wake()

    @final
    def take_output(self) -> list[bytes]:
        """Drain the output. `output_bytes` keeps counting it until the reactor has sent it and sets the rest."""
        self.complete_output()
        output = self._output
        self.traffic.sent_packets += len(output)
        self.traffic.sent_bytes += self.output_bytes - self._counted_bytes
        self._output = []
        self._awake = False
        return output

    @final
    def sent(self, unsent_bytes: int) -> None:
        """Learn how much of the drained output the kernel has not taken yet."""
        self.output_bytes = unsent_bytes
        if unsent_bytes != self._counted_bytes:
            self._usage.unsent_bytes += unsent_bytes - self._counted_bytes
            self._counted_bytes = unsent_bytes
        if self.congested and unsent_bytes <= LOW_WATER_BYTES:
            self.congested = False
            self.relieved()

    @final
    def work_limit(self) -> int:
        """Return how far `Counters.work` may count in a turn that begins now; then a machine leaves the rest, `behind`."""
        self.behind = False
        return self._counters.work + WORK_LIMIT

    @final
    def forget_output(self) -> None:
        """Learn that what is unsent never will be. Called by the reactor when the socket is gone."""
        self._usage.unsent_bytes -= self._counted_bytes
        self._counted_bytes = 0

    @final
    def overrun(self) -> bool:
        """Tell whether so much is unsent that a direct subscription must drop a message."""
        return self.output_bytes > CROWDED_LIMIT_BYTES and (
            self.output_bytes > DIRECT_LIMIT_BYTES or self._usage.crowded
        )
