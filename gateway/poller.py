"""Which sockets are ready: epoll on Linux, kqueue on BSD and macOS, behind one small face.

A poller has a file descriptor of its own, so that one trio task can wait for all sockets of the reactor at once. It is
level-triggered: what is not read now is reported again, behind what else is ready, so nobody starves.
"""

import select
import sys
from typing import Final

READ: Final = 1  # the bits are epoll's own: nothing is translated on Linux
WRITE: Final = 4
GONE: Final = 8 | 16  # an error, or both directions are closed; epoll reports it whatever was asked for

EVENTS_LIMIT: Final = 512  # in one turn: with one receive for each it bounds how long a turn takes


class Poller:
    """The sockets that are watched. A mask says what for: READ, WRITE, both or nothing."""

    def fileno(self) -> int:
        """Return the descriptor that is readable while a watched socket is ready."""
        raise AssertionError(f"{type(self).__name__} has no descriptor")

    def add(self, fd: int, mask: int) -> None:
        """Watch a socket."""
        raise AssertionError(f"{type(self).__name__} watches nothing")

    def change(self, fd: int, before: int, mask: int) -> None:
        """Watch a socket for something else than `before`."""
        raise AssertionError(f"{type(self).__name__} watches nothing")

    def remove(self, fd: int, before: int) -> None:
        """Watch a socket no longer; called before the socket is closed."""
        raise AssertionError(f"{type(self).__name__} watches nothing")

    def poll(self, wait_s: float) -> list[tuple[int, int]]:
        """Return what is ready, as descriptors and masks. When nothing is, wait so long at most."""
        raise AssertionError(f"{type(self).__name__} watches nothing")

    def close(self) -> None:
        """Give the descriptor back."""


if sys.platform == "linux":

    class EpollPoller(Poller):
        """The poller of Linux."""

        def __init__(self) -> None:
            self._epoll = select.epoll()

        def fileno(self) -> int:
            return self._epoll.fileno()

        def add(self, fd: int, mask: int) -> None:
            self._epoll.register(fd, mask)

        def change(self, fd: int, before: int, mask: int) -> None:
            self._epoll.modify(fd, mask)

        def remove(self, fd: int, before: int) -> None:
            self._epoll.unregister(fd)

        def poll(self, wait_s: float) -> list[tuple[int, int]]:
            return self._epoll.poll(wait_s, EVENTS_LIMIT)

        def close(self) -> None:
            self._epoll.close()

else:

    class KqueuePoller(Poller):
        """The poller of BSD and macOS. A socket that is watched for nothing does not tell that it is gone."""

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


def open_poller() -> Poller:
    """Return the poller of this platform."""
    if sys.platform == "linux":
        return EpollPoller()
    else:  # noqa: RET505 - only as a branch does the type checker see that one platform runs one of the two
        return KqueuePoller()
