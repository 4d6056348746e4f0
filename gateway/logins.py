"""Logins: at once where no hash is needed, else in a worker thread, so that hashing never holds up the data plane.

A refusal is told after a moment, which is a deadline like any other: whoever guesses passwords has to wait for it.
"""

import os
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


class Logins(Authenticator):
    """Asks the accounts. `start` is called before the first connection comes."""

    def __init__(self, accounts: Accounts, timers: Timers) -> None:
        self._accounts = accounts
        self._timers = timers
        self._hashers = trio.CapacityLimiter(HASHERS)
        self._nursery: trio.Nursery | None = None
        self._loop: Loop | None = None

    def start(self, nursery: trio.Nursery, loop: Loop) -> None:
        """Say where hashing may run, and whom its results wake."""
        self._nursery = nursery
        self._loop = loop

    def check(self, link: Link, username: str, password: bytes) -> None:
        verdict = self._accounts.cached(username, password, loopback=link.peer.loopback)
        if verdict is None:
            assert self._nursery is not None
            self._nursery.start_soon(self._check_slowly, link, username, password)
        elif verdict.user is not None:
            link.answer(verdict.user, "")
        else:
            self._refuse(link, verdict.reason)

    async def _check_slowly(self, link: Link, username: str, password: bytes) -> None:
        async with self._hashers:
            if not link.login_pending:
                return  # gone while it waited: no thread for it
            verdict = await trio.to_thread.run_sync(self._hash, username, password, link.peer.loopback)
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
