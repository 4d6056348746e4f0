"""Logins: at once where no hash is needed, else in a worker thread, so that hashing never holds up the data plane.

Who needs a hash waits in a line, one for each host, and the lines are served in turn: a host that tries ten thousand
passwords makes others wait for one of them. A line has a limit too, since nobody waits longer than a handshake may take.
A refusal is told after a moment, which is a deadline like any other: whoever guesses passwords has to wait for it.
"""

import os
from collections import deque
from typing import Final

import structlog
import trio

from core.timers import NEVER, Timed, Timers
from gateway.accounts import Accounts, Verdict
from gateway.link import Link
from gateway.loop import Loop
from gateway.wiring import Answer, Authenticator

REFUSAL_DELAY_S: Final = 1.0
HASHERS: Final = max(1, min(4, (os.cpu_count() or 1) - 1))  # threads: one core stays with the data plane
LINE_LIMIT: Final = 1_024  # logins of one host; a thread checks some 40 in a second, and a handshake may take ten
LINES_LIMIT: Final = 16_384  # logins of all hosts

log = structlog.get_logger("dragoman.logins")


class Refusal(Timed):
    """A refusal that waits to be told."""

    def __init__(self, link: Link, reason: str, told_at: float) -> None:
        super().__init__()
        self._link = link
        self._reason = reason
        self.deadline = told_at

    def timeout(self) -> None:
        self.deadline = NEVER
        self._link.answer(None, self._reason)


class Candidate:
    """Somebody whose password has to be hashed."""

    def __init__(self, link: Link, username: str, password: bytes) -> None:
        self.link = link
        self.username = username
        self.password = password


class Lines:
    """Who waits for a hash, by host. The hosts take turns."""

    def __init__(self) -> None:
        self.count = 0
        self._by_host: dict[str, deque[Candidate]] = {}  # in the order of their turns

    def add(self, candidate: Candidate) -> bool:
        """Let somebody wait; False when there are too many."""
        host = candidate.link.peer.address.rpartition(":")[0]
        line = self._by_host.get(host)
        if self.count >= LINES_LIMIT or (line is not None and len(line) >= LINE_LIMIT):
            return False
        if line is None:
            line = self._by_host[host] = deque()
        line.append(candidate)
        self.count += 1
        return True

    def next(self) -> Candidate | None:
        """Return whose turn it is, or None when nobody waits."""
        while self._by_host:
            host = next(iter(self._by_host))
            line = self._by_host.pop(host)
            candidate = line.popleft()
            self.count -= 1
            if line:
                self._by_host[host] = line
            if candidate.link.login_pending:
                return candidate  # others are gone since: no thread for them
        return None


class Logins(Authenticator):
    """Asks the accounts. `start` is called before the first connection comes."""

    def __init__(self, accounts: Accounts, timers: Timers) -> None:
        self._accounts = accounts
        self._timers = timers
        self._lines = Lines()
        self._idle = trio.lowlevel.ParkingLot()  # hashers with nothing to do
        self._loop: Loop | None = None

    def start(self, nursery: trio.Nursery, loop: Loop) -> None:
        """Say where hashing may run, and whom its results wake."""
        self._loop = loop
        for _ in range(HASHERS):
            nursery.start_soon(self._check_slowly)

    def check(self, link: Link, username: str, password: bytes | None) -> None:
        peer = link.peer
        if password is None:
            verdict: Verdict | None = self._accounts.certified(username, peer.certificate_user, loopback=peer.loopback)
        else:
            verdict = self._accounts.cached(username, password, loopback=peer.loopback)
        if verdict is None:
            assert password is not None
            if self._lines.add(Candidate(link, username, password)):
                self._idle.unpark()
            else:
                self._refuse(link, "too many logins are waiting to be checked")
        elif verdict.user is not None:
            link.answer(verdict.user, "")
        else:
            self._refuse(link, verdict.reason)

    async def _check_slowly(self) -> None:
        while True:
            candidate = self._lines.next()
            if candidate is None:
                await self._idle.park()
                continue
            link = candidate.link
            verdict = await trio.to_thread.run_sync(
                self._hash, candidate.username, candidate.password, link.peer.loopback
            )
            assert self._loop is not None
            if verdict.user is not None:
                self._loop.answer(Answer(link, verdict.user, ""))
            else:
                self._refuse(link, verdict.reason)
                self._loop.wake()

    def _hash(self, username: str, password: bytes, loopback: bool) -> Verdict:
        try:
            return self._accounts.check(username, password, loopback=loopback)
        except Exception:
            log.exception("internal error")  # a bug: it lets nobody in and stops nobody else
            return Verdict(None, "the login could not be checked")

    def _refuse(self, link: Link, reason: str) -> None:
        self._timers.watch(Refusal(link, reason, self._timers.clock.now + REFUSAL_DELAY_S))
