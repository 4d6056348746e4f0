"""One round: load from all sides, and an end at a random moment; then the same broker again."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, Self

import pika

from interop.broker import BrokerProcess, lasting_ports
from interop.crash.consumer import CONSUMERS, drain
from interop.crash.ledger import Verdict
from interop.crash.power import LoopDisk
from interop.crash.publishers import PUBLISHERS, declare
from interop.crash.record import Record
from interop.crash.recovering import Interruptions
from interop.crash.sessions import Sessions

WINDOW: Final = "64 KiB"  # as little as there may be, so that most of what waits is on disk only
SHORTEST_S: Final = 0.05  # of load before the broker is killed
LONGEST_S: Final = 2.0
JOIN_S: Final = 20.0  # for clients to notice that their broker is gone
IN_ORDER_SHARE: Final = 0.1  # of ends that are orderly stops


class End(Protocol):
    """How a round ends."""

    name: str

    def directory(self, folder: Path) -> Path:
        """Return where the store is."""

    def come(self, broker: BrokerProcess) -> None:
        """End the broker at once, and leave everything so that it can be started again."""


class Kill:
    """`kill -9`."""

    name = "kill -9"

    def directory(self, folder: Path) -> Path:
        return folder / "store"

    def come(self, broker: BrokerProcess) -> None:
        broker.kill()


class PowerLoss:
    """The processor and the disk below the store lose their power.

    The processor first: a sync that ext4's shutdown overtakes may return success and have written nothing (Linux 6.18: plain
    SQLite lost a commit so in 2 of 150 shutdowns, and in none of 150 behind a kill), which nobody may live to tell.
    """

    name = "power loss"

    def __init__(self, disk: LoopDisk) -> None:
        self._disk = disk

    def directory(self, folder: Path) -> Path:
        return self._disk.path / "store"

    def come(self, broker: BrokerProcess) -> None:
        broker.strike()
        self._disk.lose_power()
        broker.kill()
        self._disk.unmount()
        self._disk.mount()


class Harness:
    """A broker with a store, its clients, and the record of what they saw."""

    def __init__(
        self, record: Record, end: End, more: str = "", shortest_s: float = SHORTEST_S, interruptions: int = 0
    ) -> None:
        """With `interruptions` so many recoveries at most are killed in a row before the one that may end."""
        self._record = record
        self._end = end
        self._shortest_s = shortest_s
        store = f'[store]\ndirectory = "{end.directory(record.folder)}"\nwindow_bytes = "{WINDOW}"\n'
        self._settings = store + more
        self._ports = lasting_ports()
        self._most_interruptions = interruptions
        self.interruptions = Interruptions(record.folder, self._settings, self._ports)
        self._broker = self._start()
        self._sessions = Sessions(self._broker.endpoint, record.ledger, f"{record.seed}-{record.starts}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # the next harness has clients of its own, which know nothing of what is under way to these
            self._sessions.settle()
        self._sessions.close()
        self._broker.kill()

    def _start(self) -> BrokerProcess:
        return BrokerProcess(self._record.folder, first=self._settings, ports=self._ports)

    def _declare(self) -> None:
        endpoint = self._broker.endpoint
        connection = pika.BlockingConnection(pika.ConnectionParameters(endpoint.host, endpoint.ports["amqp"]))
        declare(connection.channel())
        connection.close()

    def rounds(self, count: int) -> Iterator[int]:
        """Do so many rounds more, and give the number of each when it is over."""
        self._declare()
        for number in range(self._record.done, self._record.done + count):
            self._round(number)
            self._record.end_round()
            yield number

    def _round(self, number: int) -> None:
        stop = threading.Event()
        chance = random.Random(f"{self._record.seed}-{number}")
        endpoint, ledger = self._broker.endpoint, self._record.ledger
        prefix = f"{self._record.seed}-{self._record.starts}-{number}"
        clients = [
            threading.Thread(target=publish, args=(endpoint, ledger, prefix, stop), name=name)
            for name, publish in PUBLISHERS.items()
        ]
        clients += [
            threading.Thread(target=consume, args=(endpoint, ledger, chance.random(), stop), name=f"{name} consumer")
            for name, consume in CONSUMERS.items()
        ]
        clients.append(threading.Thread(target=self._sessions.publish, args=(prefix, stop), name="session"))
        for client in clients:
            client.start()
        stop.wait(chance.uniform(self._shortest_s, LONGEST_S))
        if chance.random() < IN_ORDER_SHARE:
            code = self._broker.stop()
            assert code == 0, f"exit code {code}\n{self._broker.log}"
        else:
            self._end.come(self._broker)
        stop.set()
        for client in clients:
            client.join(JOIN_S)
            assert not client.is_alive(), f"{client.name} did not notice the end of its broker"
        assert "Traceback" not in self._broker.log, self._broker.log
        for _ in range(chance.randint(min(1, self._most_interruptions), self._most_interruptions)):
            self.interruptions.interrupt(chance)
        self._broker = self._start()
        self._sessions.come_back()

    def verdict(self) -> Verdict:
        """Drain what the broker has and judge."""
        drain(self._broker.endpoint, self._record.ledger)
        self._sessions.settle()
        return self._record.ledger.verdict()
