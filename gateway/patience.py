"""How long a peer may take: to read what it is sent, and to close in its turn."""

from typing import TYPE_CHECKING, Final

from core.timers import NEVER, Timed, Timers

if TYPE_CHECKING:
    from gateway.link import Link

PROGRESS_TIMEOUT_S: Final = 30.0  # without taking any output, past the limit of what may be unsent
CLOSING_TIMEOUT_S: Final = 10.0  # to take what is left, from the moment the machine is closed
LINGER_TIMEOUT_S: Final = 1.0  # to close, once all is said


class Patience(Timed):
    """The time that one link gives its peer. Made when it is first needed, and then moved."""

    def __init__(self, link: "Link", timers: Timers) -> None:
        super().__init__()
        self._link = link
        self._timers = timers

    def allow(self, seconds: float) -> None:
        """Wait that long from now on; NEVER does not end."""
        self.deadline = self._timers.clock.now + seconds
        self._timers.watch(self)

    def end(self) -> None:
        """Wait no more."""
        self.deadline = NEVER
        self._timers.forget(self)

    def timeout(self) -> None:
        self.deadline = NEVER
        self._link.lose_patience()
