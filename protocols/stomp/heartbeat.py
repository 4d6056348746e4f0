"""Heart-beats: how often each side says something at least (STOMP 1.2 "Heart-beating").

The server offers what the client asks for, within bounds. It beats twice in the agreed interval and forgives the
client one missed beat, so that neither is late only because the network is.
"""

from typing import Final

from core.timers import NEVER
from protocols.stomp.errors import PeerError

SHORTEST_MS: Final = 250
LONGEST_MS: Final = 1 << 31
DIGITS: Final = 18
NONE: Final = "0,0"


class HeartBeat:
    """The agreement of one connection. Times are monotonic seconds."""

    def __init__(self, header: str | None, now: float) -> None:
        first, comma, second = (header if header is not None else NONE).partition(",")
        client_sends_ms, client_wants_ms = _milliseconds(first.strip()), _milliseconds(second.strip())
        if not comma or client_sends_ms < 0 or client_wants_ms < 0:
            raise PeerError("Invalid header", f"heart-beat must be two numbers of milliseconds, not '{header}'")
        self.sends_ms = _bounded(client_wants_ms)
        self.expects_ms = _bounded(client_sends_ms)
        self.beat_at = now + self.sends_ms / 2000 if self.sends_ms else NEVER
        self.heard_at = now

    @property
    def offer(self) -> str:
        """The server's header: what it can do, and what it would like to get."""
        return f"{self.sends_ms},{self.expects_ms}"

    @property
    def missed_at(self) -> float:
        """When the client has been silent for too long."""
        return self.heard_at + self.expects_ms / 500 if self.expects_ms else NEVER

    @property
    def deadline(self) -> float:
        """When one of the two is to be looked at next."""
        return min(self.beat_at, self.missed_at)

    def beaten(self, now: float) -> None:
        """Note that the beat which was due has been sent, or need not be."""
        self.beat_at = now + self.sends_ms / 2000


def _milliseconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else -1


def _bounded(ms: int) -> int:
    return min(max(ms, SHORTEST_MS), LONGEST_MS) if ms else 0
