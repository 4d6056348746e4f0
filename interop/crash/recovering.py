"""Kills during a recovery: a broker is started, and killed at a random moment between opening its store and listening.

When it has the store's file open is read from `/proc`. How long a recovery may last to be hit is learned: the next moment is
chosen earlier after one that came too late, and later after one that did not.
"""

import os
import random
import socket
import time
from pathlib import Path
from typing import Final

from interop.broker import BrokerProcess

OPENED: Final = "dragoman.db"
LIMIT_S: Final = 30.0  # for an interpreted start on a busy machine to get there
POLL_S: Final = 0.001
FIRST_SPAN_S: Final = 0.05  # in which the first moment is
FASTER, SLOWER = 0.8, 1.25


class Interruptions:
    """Kills brokers that recover. `hits` counts those that were killed before anybody could connect."""

    def __init__(self, folder: Path, settings: str, ports: dict[str, int]) -> None:
        self.hits = 0
        self.tries = 0
        self._folder = folder
        self._settings = settings
        self._ports = ports
        self._span_s = FIRST_SPAN_S

    def interrupt(self, chance: random.Random) -> None:
        """Start a broker and kill it."""
        broker = BrokerProcess(self._folder, first=self._settings, ports=self._ports, waits=False)
        try:
            _wait_until_opened(broker)
            time.sleep(chance.uniform(0.0, self._span_s))
            listening = _accepts(self._ports["amqp"])
        finally:
            broker.kill()
        assert "Traceback" not in broker.log, broker.log
        self.tries += 1
        self.hits += not listening
        self._span_s *= FASTER if listening else SLOWER


def _wait_until_opened(broker: BrokerProcess) -> None:
    give_up = time.monotonic() + LIMIT_S
    while not _has_open(broker.pid):
        assert broker.alive, broker.log
        assert time.monotonic() < give_up, f"its store is not open after {LIMIT_S} s\n{broker.log}"
        time.sleep(POLL_S)


def _has_open(pid: int) -> bool:
    folder = Path(f"/proc/{pid}/fd")
    try:
        return any(Path(os.readlink(entry)).name == OPENED for entry in folder.iterdir())
    except OSError:  # one of them was closed meanwhile
        return False


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
