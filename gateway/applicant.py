"""The part of a link that lets its client in: what is asked of the authenticator, and what its answer leads to.

A client is known from its first success on, and does not count among those who are still at their handshake.
"""

from mypy_extensions import mypyc_attr

from core.access import User
from gateway import stage
from gateway.wiring import Wiring
from protocols.connection import Connection, Outlet, Peer
from protocols.exchange import Exchange


@mypyc_attr(allow_interpreted_subclasses=True)
class Applicant(Outlet):
    """One client and its machine, of whom it is to be found out who that is. The rest of a link is in `Link`."""

    connection: Connection

    def __init__(self, wiring: Wiring, peer: Peer) -> None:
        self.peer = peer
        self._wiring = wiring
        self._state = stage.OPEN
        self._broken = False  # the socket or the machine is of no more use: end it without another word
        self._known = False  # somebody has logged in
        self._login_pending = False
        self._barrier = 0  # the batch that must be on stable storage before more is said
        wiring.handshakes += 1

    def _watch(self) -> None:
        """Have the poller watch for what matters now."""
        raise AssertionError(f"{type(self).__name__} watches nothing")

    def login(self, connection: Connection, username: str, password: bytes | None) -> None:
        self._login_pending = True
        self._wiring.authenticator.check(self, username, password)
        if self._login_pending:
            self._watch()

    def exchange(self, method: str) -> Exchange | None:
        return self._wiring.authenticator.exchange(method)

    def proven(self, connection: Connection, username: str, reason: str) -> None:
        self._login_pending = True
        self._wiring.authenticator.judge(self, username, reason)
        if self._login_pending:
            self._watch()

    @property
    def login_pending(self) -> bool:
        """Whether an answer is waited for and would still be heard."""
        return self._login_pending and self._state == stage.OPEN and not self._broken

    def answer(self, user: User | None, reason: str) -> None:
        """Give the machine the result of its login; one that comes too late is dropped."""
        if not self.login_pending:
            return
        self._login_pending = False
        connection = self.connection
        promises = self._wiring.journal.promises
        try:
            connection.logged_in(user, reason)
            if user is not None and not self._known:  # once, however often it proves itself anew
                self._count_as_known()
                if self._wiring.connection_log.wanted:
                    facts = connection.facts()
                    facts["user"] = user.name
                    self._wiring.connection_log.note(self._wiring.broker.clock.wall, "logged in", facts)
                if self._wiring.alarm:
                    connection.alarm(self._wiring.alarm)
        except Exception as error:  # noqa: BLE001 - a bug in a machine costs its own connection
            self.failed(error)
            return
        self._act_on(promises)

    def hear_permissions(self, user: User, reason: str) -> None:
        """Have the machine ask again what a user may do, or say good-bye for a `reason`."""
        if self.connection.closed or self._state != stage.OPEN:
            return
        promises = self._wiring.journal.promises
        try:
            self.connection.permissions_changed(user, reason)
        except Exception as error:  # noqa: BLE001 - a bug in a machine costs its own connection
            self.failed(error)
            return
        self._act_on(promises)

    def _act_on(self, promises: int) -> None:
        """Go on as the machine wants it that has just been told something; `promises` were counted before."""
        self._heed(promises)
        if self.connection.closed:
            self.wake()
        self._watch()

    def _heed(self, promises: int) -> None:
        """Have output wait for the batch that collects, if anything was promised since `promises` were counted."""
        journal = self._wiring.journal
        if journal.promises != promises:
            self._barrier = journal.collecting

    def hold(self) -> None:
        self._barrier = self._wiring.journal.collecting

    def _count_as_known(self) -> None:
        if not self._known:
            self._known = True
            self._wiring.handshakes -= 1
