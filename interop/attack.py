"""A broker of our own with little memory, and somebody who watches how it feels while it is attacked."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from interop.broker import BrokerProcess, Endpoint
from interop.raw import RawSocket, mqtt_connection

MEMORY_LIMIT_BYTES: Final = 64 << 20
MESSAGE_LIMIT_BYTES: Final = 16 << 20
LIMITS: Final = f"[limits]\nmemory_bytes = {MEMORY_LIMIT_BYTES}\nmessage_bytes = {MESSAGE_LIMIT_BYTES}\n"
# Of resident memory: interpreted, an object costs more than estimated.
GROWTH_LIMIT_BYTES: Final = 5 * MEMORY_LIMIT_BYTES
ROUND_TRIP_LIMIT_S: Final = 2.0  # of the canary; a stall that hurts is longer, a busy machine's hiccup is not
PAUSE_S: Final = 0.01
PING: Final = b"\xc0\x00"
PONG: Final = b"\xd0\x00"


class Canary:
    """A client with one question, asked again and again: how long does an answer take?"""

    def __init__(self, endpoint: Endpoint) -> None:
        self.worst_s = 0.0
        self.trips = 0
        self._client = mqtt_connection(endpoint, b"canary")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._stopped.wait(PAUSE_S):
            asked = time.monotonic()
            self._client.send(PING)
            if self._client.read(2) != PONG:
                return
            self.trips += 1
            self.worst_s = max(self.worst_s, time.monotonic() - asked)

    def stop(self) -> None:
        """Ask no more; the last question was answered."""
        self._stopped.set()
        self._thread.join()
        self._client.close()


class Attacked:
    """A broker under attack."""

    def __init__(self, broker: BrokerProcess, canary: Canary) -> None:
        self.endpoint = broker.endpoint
        self._broker = broker
        self._canary = canary
        self._resident = self.resident_bytes()
        self._sockets: list[RawSocket] = []

    def resident_bytes(self) -> int:
        """Return the memory of the process, or 0 where the system does not tell."""
        statm = Path(f"/proc/{self._broker.pid}/statm")
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0

    def keep(self, client: RawSocket) -> RawSocket:
        """Keep a connection open until the attack is over."""
        self._sockets.append(client)
        return client

    def check(self) -> None:
        """Make sure that the broker lives, answers and has not grown beyond bearing; then end the attack."""
        grown = self.resident_bytes() - self._resident
        for client in self._sockets:
            client.close()
        self._canary.stop()
        worst_ms = 1_000 * self._canary.worst_s
        report = f"grown by {grown >> 20} MiB, round trip of the canary {worst_ms:.0f} ms at worst"
        assert self._broker.alive, self._broker.log
        assert "Traceback" not in self._broker.log, self._broker.log
        assert self._canary.trips, report
        assert grown < GROWTH_LIMIT_BYTES, report
        assert self._canary.worst_s < ROUND_TRIP_LIMIT_S, report
        print(report)


@contextmanager
def attacked(folder: Path, more: str = "", *, first: str = "") -> Iterator[Attacked]:
    """Run a broker with little memory and a canary, and check both when the attack is over."""
    broker = BrokerProcess(folder, LIMITS + more, first=first)
    try:
        canary = Canary(broker.endpoint)
        try:
            attack = Attacked(broker, canary)
            yield attack
            attack.check()
        finally:
            canary.stop()
        assert broker.stop() == 0, broker.log
    finally:
        broker.kill()
