"""The threads that check passwords, so that hashing never holds up the data plane."""

import os
from typing import Final

import structlog
import trio

from core.timers import Timers
from gateway.accounts import Accounts, Verdict
from gateway.logins import Logins
from gateway.loop import Loop
from gateway.wiring import Answer

HASHERS: Final = max(1, min(4, (os.cpu_count() or 1) - 1))  # threads: one core stays with the data plane

log = structlog.get_logger("dragoman.logins")


class Hashers:
    """Take who waits for a hash. `start` is called before the first connection comes."""

    def __init__(self, accounts: Accounts, timers: Timers) -> None:
        self._accounts = accounts
        self._idle = trio.lowlevel.ParkingLot()  # those with nothing to do
        self.logins = Logins(accounts, timers, self._wake_one)

    def _wake_one(self) -> None:
        self._idle.unpark()

    def start(self, nursery: trio.Nursery, loop: Loop) -> None:
        """Hash in this nursery; results wake `loop`."""
        for _ in range(HASHERS):
            nursery.start_soon(self._check_slowly, loop)

    async def _check_slowly(self, loop: Loop) -> None:
        while True:
            candidate = self.logins.lines.next()
            if candidate is None:
                await self._idle.park()
                continue
            link = candidate.link
            verdict = await trio.to_thread.run_sync(
                self._hash, candidate.username, candidate.password, link.peer.loopback
            )
            if verdict.user is not None:
                loop.answer(Answer(link, verdict.user, ""))
            else:
                self.logins.refuse(link, verdict.reason)
                loop.wake()

    def _hash(self, username: str, password: bytes, loopback: bool) -> Verdict:
        try:
            return self._accounts.check(username, password, loopback=loopback)
        except Exception:
            log.exception("internal error")  # a bug: it lets nobody in and stops nobody else
            return Verdict(None, "the login could not be checked")
