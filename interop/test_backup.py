"""A backup that is made under load has what was confirmed before it began, verifies, and makes a broker that has all of it."""

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pika
import pytest

from interop.broker import BrokerProcess, Endpoint, run
from interop.crash.consumer import drain
from interop.crash.ledger import CONFIRM, Ledger
from interop.crash.publishers import PUBLISHERS, QUEUES, declare
from interop.patience import wait_until

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("DRAGOMAN_HOST")), reason="the store of somebody else is not copied"
)

WAYS: Final = ("amqp", "mqtt", "stomp")
BACKUPS: Final = 3
BETWEEN: Final = 500  # confirms, before the first backup and between two
LIMIT_S: Final = 30.0
POLL_S: Final = 0.02


class Load:
    """Publishers of all protocols and a consumer of AMQP, and what they saw so far."""

    def __init__(self, broker: BrokerProcess) -> None:
        endpoint = broker.endpoint
        connection = pika.BlockingConnection(pika.ConnectionParameters(endpoint.host, endpoint.ports["amqp"]))
        declare(connection.channel())
        connection.close()
        self._lines: list[str] = []
        self._stop = threading.Event()
        self.ledger = Ledger(self._lines.append)
        arguments = (endpoint, self.ledger, "load", self._stop)
        self._threads = [threading.Thread(target=PUBLISHERS[name], args=arguments) for name in WAYS]
        self._threads.append(threading.Thread(target=sip, args=(endpoint, self.ledger, self._stop)))
        for thread in self._threads:
            thread.start()

    def names(self, letters: str) -> set[str]:
        """Return the messages of which lines of these kinds were noted so far."""
        return {line[2:-1] for line in list(self._lines) if line[0] in letters}

    def go_on(self) -> None:
        """Let more be confirmed, by every protocol."""
        enough = len(self.names(CONFIRM)) + BETWEEN

        def gone_on() -> bool:
            confirmed = self.names(CONFIRM)
            return len(confirmed) > enough and all(any(f"-{way}-" in name for name in confirmed) for way in WAYS)

        wait_until(gone_on, lambda: f"{len(self.names(CONFIRM))} messages were confirmed", LIMIT_S)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()


def sip(endpoint: Endpoint, ledger: Ledger, stop: threading.Event) -> None:
    """Take single messages, so slowly that there is always a backlog."""
    connection = pika.BlockingConnection(pika.ConnectionParameters(endpoint.host, endpoint.ports["amqp"]))
    channel = connection.channel()
    for queue in itertools.cycle(QUEUES):
        method, _, body = channel.basic_get(queue)
        if method is not None:
            ledger.receive(body.decode(), marked=method.redelivered)
            channel.basic_ack(method.delivery_tag)
        if stop.wait(POLL_S):
            break
    connection.close()


@contextmanager
def broker_on(folder: Path, store: Path) -> Iterator[BrokerProcess]:
    folder.mkdir()
    broker = BrokerProcess(folder, first=f'[store]\ndirectory = "{store}"\n')
    try:
        yield broker
        assert "Traceback" not in broker.log, broker.log
    finally:
        broker.kill()


def done(*arguments: str, cwd: Path) -> str:
    """Run a command that must succeed, and return what it printed."""
    ended = run(*arguments, cwd=cwd)
    assert ended.returncode == 0, f"{' '.join(arguments)}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def contents_of(folder: Path, store: Path) -> set[str]:
    """Start a broker on a store and take everything out."""
    ledger = Ledger()
    with broker_on(folder, store) as broker:
        drain(broker.endpoint, ledger)
    return set(ledger.verdict().unexpected)  # to this ledger all of it is


def test_a_backup_under_load_has_all_that_was_confirmed_before_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    owed: list[set[str]] = []  # what each backup must have
    with broker_on(tmp_path / "broker", store) as broker:
        load = Load(broker)
        try:
            for number in range(BACKUPS):
                load.go_on()
                confirmed = load.names(CONFIRM)
                done("backup", f"{number}.backup", "--store", str(store), cwd=tmp_path)
                owed.append(confirmed - load.names("rm"))  # what was received meanwhile may have been settled
        finally:
            load.stop()
        drain(broker.endpoint, load.ledger)
        verdict = load.ledger.verdict()
    assert verdict.good, str(verdict)
    assert all(owed), "nothing was waiting at a backup"
    for number, names in enumerate(owed):
        restored = tmp_path / f"restored-{number}"
        done("restore", f"{number}.backup", "--store", str(restored), cwd=tmp_path)
        assert "no damage" in done("store", "verify", str(restored), cwd=tmp_path)
        found = contents_of(tmp_path / f"broker-{number}", restored)
        assert names <= found, f"{len(names - found)} of {len(names)} are not in the backup"
        assert found <= load.names("a")
