"""Logins: at once where no hash is needed, else in line for one (`gateway.hashers`).

There is a line for each host, and the lines are served in turn: a host that tries ten thousand passwords makes others
wait for one of them. A line has a limit too, since nobody waits longer than a handshake may take.
A refusal is told after a moment, which is a deadline like any other: whoever guesses passwords has to wait for it.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from core.timers import NEVER, Timed, Timers
from gateway.accounts import Accounts, Verdict
from gateway.applicant import Applicant
from gateway.wiring import Authenticator
from protocols.exchange import Exchange

REFUSAL_DELAY_S: Final = 1.0
LINE_LIMIT: Final = 1_024  # logins of one host; a thread checks some 40 in a second, and a handshake may take ten
LINES_LIMIT: Final = 16_384  # logins of all hosts


class Refusal(Timed):
    """A refusal that waits to be told."""

    def __init__(self, link: Applicant, reason: str, told_at: float) -> None:
        super().__init__()
        self._link = link
        self._reason = reason
        self.deadline = told_at

    def timeout(self) -> None:
        self.deadline = NEVER
        self._link.answer(None, self._reason)


class Candidate:
    """Somebody whose password has to be hashed."""

    def __init__(self, link: Applicant, username: str, password: bytes) -> None:
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
    """Asks the accounts. `somebody_waits` is called with each who needs a hash; those are in `lines`."""

    def __init__(self, accounts: Accounts, timers: Timers, somebody_waits: Callable[[], None]) -> None:
        self.lines = Lines()
        self._accounts = accounts
        self._timers = timers
        self._somebody_waits = somebody_waits

    def check(self, link: Applicant, username: str, password: bytes | None) -> None:
        peer = link.peer
        if password is None:
            verdict: Verdict | None = self._accounts.certified(username, peer.certificate_user, loopback=peer.loopback)
        else:
            verdict = self._accounts.cached(username, password, loopback=peer.loopback)
        if verdict is None:
            assert password is not None
            if self.lines.add(Candidate(link, username, password)):
                self._somebody_waits()
            else:
                self.refuse(link, "too many logins are waiting to be checked")
        elif verdict.user is not None:
            link.answer(verdict.user, "")
        else:
            self.refuse(link, verdict.reason)

    def exchange(self, method: str) -> Exchange | None:
        return self._accounts.exchange(method)

    def judge(self, link: Applicant, username: str, reason: str) -> None:
        verdict = self._accounts.proven(username, loopback=link.peer.loopback)
        if reason or verdict.user is None:
            self.refuse(link, reason or verdict.reason)
        else:
            link.answer(verdict.user, "")

    def refuse(self, link: Applicant, reason: str) -> None:
        """Tell somebody no, after a moment."""
        self._timers.watch(Refusal(link, reason, self._timers.clock.now + REFUSAL_DELAY_S))
