"""A disk that is full stops publishers of all protocols, and nobody else; once there is space again everything goes on.

On a small ext4 of its own behind a loop device, which a file beside the store fills: needs root.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pika
import pytest

from interop.broker import BrokerProcess, lasting_ports
from interop.crash.consumer import drain
from interop.crash.ledger import Ledger
from interop.crash.power import LoopDisk, unavailable
from interop.crash.publishers import PUBLISHERS, declare
from interop.patience import wait_until

UNAVAILABLE: Final = unavailable()
pytestmark = [
    pytest.mark.skipif(bool(os.environ.get("DRAGOMAN_HOST")), reason="a broker of somebody else has its own disk"),
    pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE),
]

DISK_BYTES: Final = 48 << 20
LEFT_BYTES: Final = 3 << 20  # for the store, which has begun: less than its log has before it is copied
WORDS: Final = ("amqp", "tx", "mqtt", "stomp")  # in the names of messages
FULL: Final = "the disk is full"
ALMOST_FULL: Final = "little space is left"
LIMIT_S: Final = 15.0
QUIET_S: Final = 1.5  # without a confirm


class Rig:
    """A broker with its store on a small disk, publishers of all protocols, and what they saw."""

    def __init__(self, folder: Path, disk: LoopDisk, free_bytes: int) -> None:
        self._folder = folder
        self._settings = f'[store]\ndirectory = "{disk.path / "store"}"\nfree_bytes = {free_bytes}\n'
        self._ports = lasting_ports()
        self._ballast = disk.path / "ballast"
        self._confirmed: list[str] = []
        self.ledger = Ledger(self._note)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.broker = self.start()

    def _note(self, line: str) -> None:
        if line.startswith("c "):
            self._confirmed.append(line)

    def start(self) -> BrokerProcess:
        self.broker = BrokerProcess(self._folder, first=self._settings, ports=self._ports)
        return self.broker

    def connect(self) -> pika.BlockingConnection:
        endpoint = self.broker.endpoint
        return pika.BlockingConnection(pika.ConnectionParameters(endpoint.host, endpoint.ports["amqp"]))

    def fill(self, left_bytes: int = LEFT_BYTES) -> None:
        """Take all of the disk but a little."""
        free = os.statvfs(self._ballast.parent)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bfree * free.f_frsize - left_bytes)

    def make_room(self) -> None:
        """Give back what `fill` has taken."""
        self._ballast.unlink()

    def publish(self) -> None:
        """Have clients of all protocols publish, in threads."""
        connection = self.connect()
        declare(connection.channel())
        connection.close()
        for name in ("amqp", "mqtt", "stomp"):
            arguments = (self.broker.endpoint, self.ledger, "full", self._stop)
            self._threads.append(threading.Thread(target=PUBLISHERS[name], args=arguments, name=name))
        for thread in self._threads:
            thread.start()
        wait_until(
            lambda: all(self.confirmed().values()),
            lambda: f"not all have published: {self.confirmed()}\n{self.broker.log}",
            LIMIT_S,
        )

    def stop_publishing(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive(), f"{thread.name} still waits"
        self._threads.clear()

    def confirmed(self) -> dict[str, int]:
        """Return how many messages were confirmed, by the way that they were published."""
        return {word: sum(f"-{word}-" in line for line in list(self._confirmed)) for word in WORDS}

    def wait_until_full(self, said: str = FULL) -> None:
        """Wait until the broker says so, and nothing more is confirmed."""
        wait_until(lambda: said in self.broker.log, lambda: "the disk never filled", LIMIT_S)
        count, since = -1, 0.0

        def quiet() -> bool:
            nonlocal count, since
            if len(self._confirmed) != count:
                count, since = len(self._confirmed), time.monotonic()
            return time.monotonic() - since > QUIET_S

        wait_until(quiet, lambda: "something is still confirmed", LIMIT_S)

    def drained(self) -> None:
        """Take everything out, and judge."""
        drain(self.broker.endpoint, self.ledger)
        verdict = self.ledger.verdict()
        assert verdict.good, str(verdict)

    def wait_until_settled(self) -> None:
        """Wait for a commit, which has what was settled before it: a durable queue is declared behind one."""
        connection = self.connect()
        connection.channel().queue_declare("settled", durable=True)
        connection.close()


class Witness:
    """pika, told that its connection is blocked and is not any more."""

    def __init__(self, rig: Rig) -> None:
        self.said: list[str] = []
        self._connection = rig.connect()
        self._connection.add_on_connection_blocked_callback(lambda *_: self.said.append("blocked"))
        self._connection.add_on_connection_unblocked_callback(lambda *_: self.said.append("unblocked"))
        self._connection.channel().basic_publish("", "nowhere", b"")

    def hear(self, *words: str) -> None:
        """Wait until all of it was said."""

        def heard() -> bool:
            self._connection.process_data_events(time_limit=0)
            return self.said == list(words)

        wait_until(heard, lambda: f"heard {self.said}, not {words}", LIMIT_S)

    def close(self) -> None:
        self._connection.close()


@contextmanager
def on_a_small_disk(folder: Path, free_bytes: int = 0) -> Iterator[Rig]:
    with LoopDisk(folder, DISK_BYTES) as disk:
        rig = Rig(folder, disk, free_bytes)
        try:
            yield rig
            assert "Traceback" not in rig.broker.log, rig.broker.log
        finally:
            rig.broker.kill()
            rig.stop_publishing()


def test_publishers_wait_for_a_full_disk_consumers_do_not_and_all_go_on(tmp_path: Path) -> None:
    with on_a_small_disk(tmp_path) as rig:
        rig.publish()
        rig.fill()
        rig.wait_until_full()
        witness = Witness(rig)
        witness.hear("blocked")
        before = rig.confirmed()
        assert all(before.values()), before
        rig.drained()  # everything that was confirmed, while the disk is full
        assert rig.confirmed() == before
        rig.make_room()
        witness.hear("blocked", "unblocked")
        wait_until(
            lambda: all(rig.confirmed()[word] > before[word] for word in WORDS),
            lambda: "publishers still wait",
            LIMIT_S,
        )
        witness.close()
        rig.stop_publishing()
        rig.drained()
        assert rig.broker.stop() == 0, rig.broker.log


def test_a_broker_that_is_killed_on_a_full_disk_has_all_that_was_confirmed(tmp_path: Path) -> None:
    with on_a_small_disk(tmp_path) as rig:
        rig.publish()
        rig.fill()
        rig.wait_until_full()
        rig.broker.kill()
        rig.stop_publishing()
        rig.make_room()
        rig.start()
        rig.drained()


def test_where_little_space_is_left_what_consumers_settle_is_kept(tmp_path: Path) -> None:
    with on_a_small_disk(tmp_path, 16 << 20) as rig:
        rig.publish()
        rig.fill(12 << 20)  # more than is written between two looks
        rig.wait_until_full(ALMOST_FULL)
        witness = Witness(rig)
        witness.hear("blocked")
        assert FULL not in rig.broker.log
        rig.drained()
        rig.wait_until_settled()
        rig.broker.kill()
        rig.stop_publishing()
        rig.make_room()
        rig.start()
        received = rig.ledger.verdict()
        rig.drained()
        assert rig.ledger.verdict() == received, "what was settled came again"
