"""The alarm before the disk is full: publishers wait while there is little room, so that consumers' settlements still have some.

On a disk that is wholly full nothing is committed, and what was acknowledged meanwhile would come again after a crash.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from core.broker import Broker
from core.timers import Timed

FREE_BYTES: Final = 50_000_000  # unless configured; RabbitMQ's default disk_free_limit
CHECK_S: Final = 1.0  # between two looks
ENOUGH: Final = 1.25  # times the limit, at which publishers go on: they would be stopped again at once

log = structlog.get_logger("dragoman.store")


class Headroom(Timed):
    """Looks at the space that is free now and then. `free_bytes` tells it."""

    def __init__(self, broker: Broker, limit_bytes: int, free_bytes: Callable[[], int]) -> None:
        super().__init__()
        self._broker = broker
        self._limit_bytes = limit_bytes
        self._free_bytes = free_bytes

    def start(self) -> None:
        """Look for the first time, and from then on."""
        self.timeout()
        self._broker.timers.watch(self)

    def timeout(self) -> None:
        broker = self._broker
        self.deadline = broker.clock.now + CHECK_S
        try:
            free = self._free_bytes()
        except OSError as error:
            log.warning("cannot tell how much space is left", error=error.strerror)
            return
        if broker.short_of_disk:
            broker.short_of_disk = free < self._limit_bytes * ENOUGH
        elif free < self._limit_bytes:
            broker.short_of_disk = True
            log.error("little space is left: publishers must wait", free_bytes=free, limit_bytes=self._limit_bytes)


def free_bytes_of(directory: Path) -> int:
    """Return how much this process may still write where a directory is."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
