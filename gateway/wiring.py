"""What all links of a reactor share: the broker, the poller, who decides about logins, and what this turn has to do."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from core.access import User
from core.broker import Broker
from gateway.notes import LINES_OF_ALL, Throttle
from gateway.poller import Poller

if TYPE_CHECKING:
    from gateway.link import Link


@mypyc_attr(allow_interpreted_subclasses=True)
class Authenticator:
    """Decides about logins."""

    def check(self, link: "Link", username: str, password: bytes | None) -> None:
        """Have `link.answer` called, at once, or by an `Answer` that is left in `Wiring.answers`.

        Without a `password` the certificate of the link's peer must name the user.
        """
        raise AssertionError(f"{type(self).__name__} lets nobody in")


class Answer:
    """The late result of a login."""

    def __init__(self, link: "Link", user: User | None, reason: str) -> None:
        self.link = link
        self.user = user
        self.reason = reason


class Wiring:
    """What all links of a reactor share."""

    def __init__(self, broker: Broker, poller: Poller, authenticator: Authenticator) -> None:
        self.broker = broker
        self.poller = poller
        self.authenticator = authenticator
        self.links: dict[int, Link] = {}  # by file descriptor
        self.dirty: list[Link] = []  # links to flush at the end of this turn
        self.answers: list[Answer] = []  # of logins, for the next turn
        self.behind: list[Link] = []  # links whose machines have more to do than fitted into this turn
        self.alarm = ""  # why publishers are not read now
        self.handshakes = 0  # links on which nobody has logged in yet
        self.notes = Throttle(LINES_OF_ALL)  # lines of the log about what clients do wrong
        self.stopwatch: Callable[[], float] = time.perf_counter  # what a chunk costs to handle, in seconds
