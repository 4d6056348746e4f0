"""What all links of a reactor share: the broker, the poller, who decides about logins, and what this turn has to do."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from core.access import User
from core.broker import Broker
from gateway.connection_log import ConnectionLog
from gateway.notes import LINES_OF_ALL, Throttle
from gateway.poller import Poller
from protocols.exchange import Exchange

if TYPE_CHECKING:
    from gateway.applicant import Applicant
    from gateway.link import Link


@mypyc_attr(allow_interpreted_subclasses=True)
class Authenticator:
    """Decides about logins."""

    def check(self, link: "Applicant", username: str, password: bytes | None) -> None:
        """Have `link.answer` called, at once, or by an `Answer` that is left in `Wiring.answers`.

        Without a `password` the certificate of the link's peer must name the user.
        """
        raise AssertionError(f"{type(self).__name__} lets nobody in")

    def exchange(self, method: str) -> Exchange | None:
        """Begin to authenticate a client by a method, or return None when that is not served."""

    def judge(self, link: "Applicant", username: str, reason: str) -> None:
        """Have `link.answer` called as by `check`, about a client whose exchange is over: it failed for a `reason`, if any."""
        raise AssertionError(f"{type(self).__name__} lets nobody in")


@mypyc_attr(allow_interpreted_subclasses=True)
class TurnEnd:
    """Acts between the work of a turn and its output."""

    def turn_ended(self) -> None:
        """Learn that everything that came in this turn is done."""
        raise AssertionError(f"{type(self).__name__} does nothing at the end of a turn")

    def wants_another(self) -> bool:
        """Tell whether what was done since has to end another turn at once."""
        return False

    def is_writing(self) -> bool:
        """Tell whether another thread is at work for it."""
        return False


class Answer:
    """The late result of a login."""

    def __init__(self, link: "Applicant", user: User | None, reason: str) -> None:
        self.link = link
        self.user = user
        self.reason = reason


class Wiring:
    """What all links of a reactor share."""

    def __init__(self, broker: Broker, poller: Poller, authenticator: Authenticator) -> None:
        self.broker = broker
        self.poller = poller
        self.authenticator = authenticator
        self.journal = broker.surroundings.journal
        self.turn_end: TurnEnd | None = None
        self.holding: dict[Link, None] = {}  # links with output that waits for a commit
        self.links: dict[int, Link] = {}  # by file descriptor
        self.dirty: list[Link] = []  # links to flush at the end of this turn
        self.answers: list[Answer] = []  # of logins, for the next turn
        self.behind: list[Link] = []  # links that have more to do than fitted into this turn
        self.alarm = ""  # why publishers are not read now
        self.handshakes = 0  # links on which nobody has logged in yet
        self.connection_log = ConnectionLog()  # lines of the log about every connection
        self.notes = Throttle(LINES_OF_ALL)  # lines of the log about what clients do wrong
        self.stopwatch: Callable[[], float] = time.perf_counter  # what a chunk costs to handle, in seconds
