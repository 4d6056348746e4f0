"""Which sockets are ready: the face of `gateway.epoll` on Linux and of `gateway.kqueue` on BSD and macOS.

A poller has a file descriptor of its own, so that one trio task can wait for all sockets of the reactor at once. It is
level-triggered: what is not read now is reported again, behind what else is ready, so nobody starves.
"""

import sys
from typing import Final

from mypy_extensions import mypyc_attr

READ: Final = 1  # the bits are epoll's own: nothing is translated on Linux
WRITE: Final = 4
GONE: Final = 8 | 16  # an error, or both directions are closed; epoll reports it whatever was asked for

EVENTS_LIMIT: Final = 512  # in one turn: with one receive for each it bounds how long a turn takes


@mypyc_attr(allow_interpreted_subclasses=True)
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
        """Watch a socket no longer. Not needed for one that is closed next, if it has no second descriptor."""
        raise AssertionError(f"{type(self).__name__} watches nothing")

    def poll(self, wait_s: float) -> list[tuple[int, int]]:
        """Return what is ready, as descriptors and masks. When nothing is, wait so long at most."""
        raise AssertionError(f"{type(self).__name__} watches nothing")

    def close(self) -> None:
        """Give the descriptor back."""


def open_poller() -> Poller:
    """Return the poller of this platform."""
    if sys.platform == "linux":
        from gateway.epoll import EpollPoller

        return EpollPoller()
    else:  # noqa: RET505 - only as a branch does the type checker see that one platform runs one of the two
        from gateway.kqueue import KqueuePoller

        return KqueuePoller()
