"""The poller of Linux."""

import select
import sys

from gateway.poller import EVENTS_LIMIT, Poller

assert sys.platform == "linux"  # also tells the type checker so


class EpollPoller(Poller):
    """Sockets watched by epoll, whose bits are those of the masks."""

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
