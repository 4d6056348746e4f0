"""A broker without sockets: machines attached to outlets that the test reads, and a clock that jumps."""

import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

from core.access import EVERYTHING, Permission, User
from core.broker import Broker
from core.model.names import DEFAULT_VHOST
from protocols.connection import Connection, Outlet, Peer
from protocols.exchange import Exchange

C = TypeVar("C", bound=Connection)


class ReadOutlet(Outlet):
    """Collects what a machine says beside its output. Logins are answered at once."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.notes: list[tuple[str, str]] = []
        self.failures: list[Exception] = []

    def login(self, connection: Connection, username: str, password: bytes | None) -> None:
        user = self.world.broker.users.get(username or "guest")
        if password is None:
            right = username == connection.peer.certificate_user
        else:
            right = not username or self.world.passwords.get(username) == password
        if user is None or not right:
            connection.logged_in(None, f"user '{username}': wrong name or password")
        else:
            connection.logged_in(user, "")

    def exchange(self, method: str) -> Exchange | None:
        begin = self.world.methods.get(method)
        return begin() if begin is not None else None

    def proven(self, connection: Connection, username: str, reason: str) -> None:
        connection.logged_in(None if reason else self.world.broker.users.get(username), reason)

    def watch(self, connection: Connection) -> None:
        self.world.broker.timers.watch(connection)

    def note(self, event: str, detail: str) -> None:
        self.notes.append((event, detail))

    def failed(self, error: Exception) -> None:
        self.failures.append(error)


class World:
    """One broker, with the user `guest` who may do everything and the user `nobody` who may do nothing."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.broker = Broker(lambda: f"unique-{next(numbers)}", version="0.0.0")
        self.broker.clock.wall = 1_700_000_000.0
        self.passwords = {"guest": b"guest", "nobody": b"nobody"}
        self.methods: dict[str, Callable[[], Exchange]] = {}  # of authentication, beside passwords
        self.wires: list[Wire[Connection]] = []
        guest, nobody = User("guest"), User("nobody")
        guest.permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, EVERYTHING)
        self.broker.users = {"guest": guest, "nobody": nobody}

    def connect(self, machine: type[C], *arguments: object, certificate_user: str = "") -> "Wire[C]":
        """Attach a new machine, as the reactor does after an accept."""
        outlet = ReadOutlet(self)
        peer = Peer(f"127.0.0.1:{50_000 + len(self.wires)}", loopback=True, encrypted=bool(certificate_user))
        peer.certificate_user = certificate_user
        wire = Wire(self, machine(self.broker, outlet, peer, *arguments), outlet)  # type: ignore[arg-type]
        self.broker.timers.watch(wire.connection)
        self.wires.append(wire)  # type: ignore[arg-type]
        return wire

    def turn(self) -> None:
        """End a batch as the reactor does: queues are run, output is taken, what is closed is released."""
        for wire in self.wires:
            wire.catch_up()
        while self.broker.surroundings.woken:
            self.broker.run()
        for wire in self.wires:
            wire.flush()

    def advance(self, seconds: float) -> None:
        """Let time pass; everything that falls due on the way is handled at its own time."""
        clock, timers = self.broker.clock, self.broker.timers
        end = clock.now + seconds
        while (look := timers.next_look()) <= end:
            clock.wall += max(0.0, look - clock.now)
            clock.now = max(clock.now, look)
            for timed in timers.due():
                timed.timeout()
                timers.watch(timed)
            self.turn()
        clock.wall += end - clock.now
        clock.now = end
        self.turn()


class Wire(Generic[C]):
    """One machine and the bytes that it has written."""

    def __init__(self, world: World, connection: C, outlet: ReadOutlet) -> None:
        self.world = world
        self.connection = connection
        self.outlet = outlet
        self.ended = False
        self._output = bytearray()

    @property
    def closed(self) -> bool:
        return self.connection.closed

    def send(self, data: bytes) -> bytes:
        """Give the machine one chunk of bytes, end the batch, and return all output not yet taken."""
        if not self.ended:
            self.connection.receive(data)
        self.world.turn()
        return self.take()

    def take(self) -> bytes:
        """Return the output since the last call."""
        self.world.turn()
        output = bytes(self._output)
        self._output.clear()
        return output

    def hang_up(self) -> None:
        """End the stream from the client's side without a good-bye."""
        if not self.ended:
            self.connection.receive(b"")
            self.connection.closed = True
            self.world.turn()

    def catch_up(self) -> None:
        """Have the machine handle what it has left for later turns."""
        while self.connection.behind and not self.closed:
            self.connection.go_on()

    def flush(self) -> None:
        """Take the output as the reactor does at the end of a turn; a closed machine is released."""
        if self.ended:
            return
        self._output += b"".join(self.connection.take_output())
        self.connection.sent(0)
        if self.connection.closed:
            self.ended = True
            self.connection.ended()
