"""The poller of BSD and macOS."""

import select
import sys

from gateway.poller import EVENTS_LIMIT, READ, WRITE, Poller

assert sys.platform != "linux"  # also tells the type checker so


class KqueuePoller(Poller):
    """Sockets watched by kqueue. A socket that is watched for nothing does not tell that it is gone."""

    def __init__(self) -> None:
        self._kqueue = select.kqueue()

    def fileno(self) -> int:
        return self._kqueue.fileno()

    def add(self, fd: int, mask: int) -> None:
        self.change(fd, 0, mask)

    def change(self, fd: int, before: int, mask: int) -> None:
        changes = []
        for bit, kind in ((READ, select.KQ_FILTER_READ), (WRITE, select.KQ_FILTER_WRITE)):
            if (before ^ mask) & bit:
                changes.append(select.kevent(fd, kind, select.KQ_EV_ADD if mask & bit else select.KQ_EV_DELETE))
        if changes:
            self._kqueue.control(changes, 0)

    def remove(self, fd: int, before: int) -> None:
        self.change(fd, before, 0)

    def poll(self, wait_s: float) -> list[tuple[int, int]]:
        ready: dict[int, int] = {}
        for event in self._kqueue.control(None, EVENTS_LIMIT, wait_s):
            mask = READ if event.filter == select.KQ_FILTER_READ else WRITE
            ready[event.ident] = ready.get(event.ident, 0) | mask
        return list(ready.items())

    def close(self) -> None:
        self._kqueue.close()
