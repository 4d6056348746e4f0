"""What is more than the memory limit waits on disk, transient messages too: publishers go on, and all comes out in order.

With pika, and a broker that may hold a small part of what it is given.
"""

import itertools
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pika
import pytest

from interop.broker import BrokerProcess, lasting_ports, run
from interop.crash.power import LoopDisk, unavailable
from interop.patience import wait_until

UNAVAILABLE: Final = unavailable()
pytestmark = pytest.mark.skipif(bool(os.environ.get("DRAGOMAN_HOST")), reason="it needs a memory limit of its own")

MEMORY_BYTES: Final = 8 << 20
COUNT: Final = 40_000
BODY_BYTES: Final = 1_500
BARRIER: Final = 500  # messages, after each so many of which the broker must have answered
BLOCKED_LIMIT_S: Final = 60  # after which pika gives up
DISK_BYTES: Final = 256 << 20
LEFT_BYTES: Final = 128 << 20  # below which publishers wait
DISK_COUNT: Final = 100_000  # more than there is room for
TRANSACTION: Final = 60  # messages
KILLS: Final = 4
SPACE_BYTES: Final = 50 << 20  # that the file may have where next to nothing is in it
LIMIT_S: Final = 60.0


class Rig:
    """A broker with a store and little memory, which may be killed and started again."""

    def __init__(self, folder: Path, store: Path, free_bytes: int) -> None:
        self.folder = folder
        self.store = store
        self._ports = lasting_ports()
        self._settings = (
            f'[store]\ndirectory = "{store}"\nfree_bytes = {free_bytes}\n\n[limits]\nmemory_bytes = {MEMORY_BYTES}\n\n'
        )
        self.start()

    def start(self) -> None:
        self.broker = BrokerProcess(self.folder, first=self._settings, ports=self._ports)

    def connect(self) -> pika.BlockingConnection:
        endpoint = self.broker.endpoint
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                endpoint.host, endpoint.ports["amqp"], heartbeat=0, blocked_connection_timeout=BLOCKED_LIMIT_S
            )
        )

    def publish(self, queue: str, count: int, *, delivery_mode: int = 1) -> None:
        """Publish numbered messages to a queue; all of them are there when this returns."""
        with self.connect() as connection:
            channel = connection.channel()
            properties = pika.BasicProperties(delivery_mode=delivery_mode)
            for number in range(count):
                channel.basic_publish("", queue, body_of(number), properties)
                if number % BARRIER == 0:
                    channel.queue_declare(queue, passive=True)
            channel.queue_declare(queue, passive=True)

    def taken(self, queue: str, count: int) -> list[int]:
        """Return the numbers of so many messages from a queue."""
        numbers: list[int] = []
        with self.connect() as connection:
            channel = connection.channel()
            for _, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=LIMIT_S):
                assert body is not None, f"no message after {len(numbers)}"
                numbers.append(int(body.split()[0]))
                if len(numbers) == count:
                    break
        return numbers

    @property
    def file_bytes(self) -> int:
        """How large the file of the store is, with its log."""
        return sum(path.stat().st_size for path in self.store.glob("dragoman.db*"))


def body_of(number: int) -> bytes:
    return b"%d " % number + bytes(BODY_BYTES)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, tmp_path / "store", 0)
    yield rig
    rig.broker.kill()


def test_a_queue_that_is_not_durable_takes_more_than_the_memory_has_and_gives_it_in_order(rig: Rig) -> None:
    with rig.connect() as connection:
        connection.channel().queue_declare("transient")
    rig.publish("transient", COUNT)
    assert rig.file_bytes > COUNT * BODY_BYTES // 2
    found = run("store", "stats", str(rig.store), cwd=rig.folder)
    assert "transient queue transient" in found.stdout
    assert rig.taken("transient", COUNT) == list(range(COUNT))
    rig.publish("transient", 10)  # and it is an ordinary queue again
    assert rig.taken("transient", 10) == list(range(10))
    wait_until(lambda: rig.file_bytes < SPACE_BYTES, lambda: f"the file still has {rig.file_bytes} bytes", LIMIT_S)
    assert "damage" not in rig.broker.log


def test_transient_messages_in_a_durable_queue_leave_memory_too(rig: Rig) -> None:
    with rig.connect() as connection:
        connection.channel().queue_declare("durable", durable=True)
    rig.publish("durable", COUNT // 2)
    rig.publish("durable", 1, delivery_mode=2)
    assert rig.file_bytes > COUNT // 2 * BODY_BYTES // 2
    assert rig.taken("durable", COUNT // 2 + 1) == [*range(COUNT // 2), 0]


@pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE)
def test_where_the_disk_has_no_more_room_publishers_wait_and_nothing_is_lost(tmp_path: Path) -> None:
    with LoopDisk(tmp_path, DISK_BYTES) as disk:
        rig = Rig(tmp_path, disk.path / "store", LEFT_BYTES)
        try:
            with rig.connect() as connection:
                connection.channel().queue_declare("transient")
            publisher = threading.Thread(target=rig.publish, args=("transient", DISK_COUNT))
            publisher.start()
            wait_until(lambda: "little space is left" in rig.broker.log, lambda: "there is still room", LIMIT_S)
            wait_until(lambda: "low on disk" in rig.broker.log, lambda: "publishers go on", LIMIT_S)
            assert rig.taken("transient", DISK_COUNT) == list(range(DISK_COUNT))
            publisher.join(LIMIT_S)
            assert not publisher.is_alive()
            free = os.statvfs(disk.path)
            assert free.f_bavail * free.f_frsize > LEFT_BYTES // 2
        finally:
            rig.broker.kill()


class Mixed:
    """A publisher of numbered messages, every third of them persistent, in transactions."""

    def __init__(self, rig: Rig, first: int) -> None:
        self.attempted: list[int] = []
        self.committed: list[int] = []  # of the persistent ones
        self._rig = rig
        self._first = first
        self.thread = threading.Thread(target=self._publish)
        self.thread.start()

    def wait_for_commits(self, enough: int) -> None:
        """Wait until more than so many persistent messages were committed."""
        wait_until(
            lambda: len(self.committed) > enough,
            lambda: f"{len(self.committed)} were committed\n{self._rig.broker.log}",
            LIMIT_S,
        )

    def _publish(self) -> None:
        """Go on until the broker is dead."""
        try:
            channel = self._rig.connect().channel()
            channel.tx_select()
            for first in itertools.count(self._first, TRANSACTION):
                numbers = range(first, first + TRANSACTION)
                self.attempted.extend(numbers)
                for number in numbers:
                    properties = pika.BasicProperties(delivery_mode=2 if is_persistent(number) else 1)
                    channel.basic_publish("", "durable", body_of(number), properties)
                channel.tx_commit()
                self.committed.extend(filter(is_persistent, numbers))
        except (pika.exceptions.AMQPError, OSError):
            return


def is_persistent(number: int) -> bool:
    return number % 3 == 1


def test_a_kill_while_transient_messages_leave_memory_costs_nothing_persistent_and_no_order(rig: Rig) -> None:
    chance = random.Random(8)
    with rig.connect() as connection:
        connection.channel().queue_declare("durable", durable=True)
    first = 0
    for _ in range(KILLS):
        mixed = Mixed(rig, first)
        mixed.wait_for_commits(chance.randrange(500, 4_000))
        rig.broker.kill()
        mixed.thread.join(LIMIT_S)
        rig.start()
        with rig.connect() as connection:
            channel = connection.channel()
            count = channel.queue_declare("durable", passive=True).method.message_count
        found = rig.taken("durable", count)
        assert found == sorted(set(found))
        assert set(mixed.committed) <= set(found) <= set(mixed.attempted)
        first = mixed.attempted[-1] + 1


def test_what_a_killed_broker_leaves_of_a_queue_that_is_not_durable_is_removed(rig: Rig) -> None:
    with rig.connect() as connection:
        connection.channel().queue_declare("transient")
        connection.channel().queue_declare("durable", durable=True)
    rig.publish("durable", 1, delivery_mode=2)
    rig.publish("transient", COUNT)
    rig.broker.kill()
    assert run("store", "verify", str(rig.store), cwd=rig.folder).returncode == 0
    rig.start()
    with rig.connect() as connection:
        channel = connection.channel()
        assert channel.queue_declare("durable", passive=True).method.message_count == 1
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
            channel.queue_declare("transient", passive=True)
    wait_until(lambda: rig.file_bytes < SPACE_BYTES, lambda: f"the file still has {rig.file_bytes} bytes", LIMIT_S)
    assert "damage" not in rig.broker.log
    rig.broker.stop()
    found = run("store", "stats", str(rig.store), cwd=rig.folder)
    assert "transient" not in found.stdout
    assert run("store", "verify", str(rig.store), cwd=rig.folder).returncode == 0
