"""A broker with a store, whose process may die: what is not committed is gone, and output waits as it does behind a `Link`."""

from collections import deque

from core.recovery import Recovered, mark_seen, recover
from core.store.batch import Batch
from core.store.memory import MemoryStore
from protocols.connection import Peer
from protocols.mqtt.session import restore_session
from tests.core.queueing.windows import make_small
from tests.protocols.world import C, ReadOutlet, Wire, World

DOWN_S = 1.0  # between two processes


class HoldingOutlet(ReadOutlet):
    """Knows which batch must be on stable storage before more is said."""

    def __init__(self, world: "LastingWorld") -> None:
        super().__init__(world)
        self.barrier = 0

    def hold(self) -> None:
        self.barrier = self.world.broker.surroundings.journal.collecting


class HoldingWire(Wire[C]):
    """Lets output through once what it may speak of is committed."""

    def __init__(self, world: "LastingWorld", connection: C, outlet: HoldingOutlet) -> None:
        super().__init__(world, connection, outlet)
        self._gate = outlet
        self._held: deque[tuple[int, bytes]] = deque()

    def send(self, data: bytes) -> bytes:
        journal = self.world.broker.surroundings.journal
        promises = journal.promises
        if not self.ended:
            self.connection.receive(data)
        if journal.promises != promises:
            self._gate.hold()
        self.world.turn()
        return self.take()

    def flush(self) -> None:
        if not self.ended:
            self._held.append((self._gate.barrier, b"".join(self.connection.take_output())))
            self.connection.sent(0)
            if self.connection.closed:
                self.ended = True
                self.connection.ended()
        committed = self.world.broker.surroundings.journal.committed
        while self._held and self._held[0][0] <= committed:
            self._output += self._held.popleft()[1]


class NotingStore(MemoryStore):
    """Keeps the batches too."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    def commit(self, batch: Batch) -> None:
        self.batches.append(batch)
        super().commit(batch)


class LastingWorld(World):
    """Commits at the end of each turn, or, with a `slow` disk, one batch at a time and only when it is told to.

    Only with a slow disk do batches wait for settlements, so that all of one turn is committed by the end of it otherwise.
    """

    def __init__(self, *, small_windows: bool = False) -> None:
        super().__init__()
        self.small_windows = small_windows
        if small_windows:
            make_small(self.broker)
        self.store = NotingStore()
        self.slow = False
        self._under_way: Batch | None = None
        self.found: Recovered = recover(self.broker, self.store, restore_session)

    def connect(self, machine: type[C], *arguments: object, certificate_user: str = "") -> Wire[C]:
        """Attach a new machine. It comes in at once, however slow the disk is."""
        outlet = HoldingOutlet(self)
        peer = Peer(f"127.0.0.1:{50_000 + len(self.wires)}", loopback=True, encrypted=bool(certificate_user))
        peer.certificate_user = certificate_user
        wire: HoldingWire[C] = HoldingWire(self, machine(self.broker, outlet, peer, *arguments), outlet)  # type: ignore[arg-type]
        self.broker.timers.watch(wire.connection)
        self.wires.append(wire)  # type: ignore[arg-type]
        return wire

    def turn(self) -> None:
        for wire in self.wires:
            wire.catch_up()
        while self.broker.surroundings.woken:
            self.broker.run()
        self._store()
        for wire in self.wires:
            wire.flush()

    def _store(self) -> None:
        journal = self.broker.surroundings.journal
        journal.end_turn()
        while self._under_way is None and not journal.idle:
            if self.slow and journal.wait_for_settlements():
                break
            self._under_way = journal.seal()
            if not self.slow:
                self.commit()
        self.broker.surroundings.windows.turn_ended()

    def commit(self) -> None:
        """Have the batch that is under way on stable storage, or that which is next."""
        journal = self.broker.surroundings.journal
        batch, self._under_way = self._under_way, None
        if batch is None and not journal.idle:
            batch = journal.seal()
        if batch is not None:
            self.store.commit(batch)
            journal.committed = batch.number

    def catch_up(self) -> None:
        """Have everything on stable storage, and the disk fast from now on."""
        self.slow = False
        self.commit()
        self.turn()

    def die(self, down_s: float = DOWN_S) -> None:
        """End the process at once, and start another."""
        self._under_way = None
        self._start(down_s)

    def stop(self, down_s: float = DOWN_S) -> None:
        """End the process in order, and start another."""
        self.catch_up()
        for wire in self.wires:
            wire.connection.shut_down()
        self.turn()
        mark_seen(self.broker)
        self.turn()
        self.store.close()
        self._start(down_s)

    def _start(self, down_s: float) -> None:
        wall = self.broker.clock.wall + down_s
        super().__init__()
        self.slow = False
        self.broker.clock.wall = wall
        if self.small_windows:
            make_small(self.broker)
        self.found = recover(self.broker, self.store, restore_session)
        assert not self.found.damage
        self.turn()
