"""Lines of the log about what clients do wrong, so many in a minute and no more: a log is not theirs to fill."""

from typing import Final

import structlog

PERIOD_S: Final = 60.0
LINES_OF_ONE: Final = 10  # about one connection, in a period
LINES_OF_ALL: Final = 600  # about all connections together

ALLOWED: Final = 0
FIRST_REFUSED: Final = 1  # the first that is one too many: worth a word that there are more
REFUSED: Final = 2

MORE: Final = "more of the same"

log = structlog.get_logger("dragoman.connection")


class Throttle:
    """Counts within a period that begins with the first event in it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._ends_at = 0.0

    def ask(self, now: float) -> int:
        """Count one more at `now` (monotonic seconds) and tell whether it is ALLOWED, FIRST_REFUSED or REFUSED."""
        if now >= self._ends_at:
            self._ends_at = now + PERIOD_S
            self._count = 0
        self._count += 1
        if self._count <= self._limit:
            return ALLOWED
        return FIRST_REFUSED if self._count == self._limit + 1 else REFUSED


class Notes:
    """What is logged about one connection. `everybody` is the share of all connections together."""

    def __init__(self, peer: str, everybody: Throttle) -> None:
        self._peer = peer
        self._everybody = everybody
        self._own = Throttle(LINES_OF_ONE)

    def write(self, now: float, protocol: str, event: str, detail: str) -> None:
        """Log an event, unless there were too many, which is said once in a period."""
        answer = self._own.ask(now)
        if answer == FIRST_REFUSED:
            event, detail = MORE, "what else this connection does wrong is not logged for a while"
        elif answer == ALLOWED:
            answer = self._everybody.ask(now)
            if answer == FIRST_REFUSED:
                event, detail = MORE, "what else clients do wrong is not logged for a while"
        if answer != REFUSED:
            log.warning(event, peer=self._peer, protocol=protocol, detail=detail)
