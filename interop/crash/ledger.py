"""What was attempted, confirmed and received, and the verdict: the semantics of a total queue.

*Lost* is what was confirmed and never received, after a final drain. *Unexpected* is what was received and never attempted.
*Unmarked* is what was received twice without the second delivery saying that it may not be the first. A publish whose confirm
never came may have happened or not.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

ATTEMPT, CONFIRM, RECEIVE, RECEIVE_MARKED = "a", "c", "r", "m"  # a line for each: its letter, a space, the message

WAYS: Final = ("amqp", "tx", "mqtt", "session", "stomp", "exact")  # of publishing, as the names of messages have them

BACKLOG_LIMIT: Final = 5_000  # messages; a thousand rounds must not fill the broker
PACE_S: Final = 0.01  # between publishes beyond it


@dataclass
class Verdict:
    """What the ledger shows."""

    attempted: int
    confirmed: int
    received: int
    again: int  # deliveries beyond the first, which said so
    ways: dict[str, int] = field(default_factory=dict)  # how many were confirmed, by the way that they were published
    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.unexpected or self.unmarked)

    def __str__(self) -> str:
        text = (
            f"{self.attempted} attempted, {self.confirmed} confirmed, {self.received} received, {self.again} more than once; "
            f"lost {len(self.lost)}, unexpected {len(self.unexpected)}, twice without the mark {len(self.unmarked)}"
        )
        text += f"\n  confirmed by way: {', '.join(f'{way} {count}' for way, count in self.ways.items())}"
        for name in ("lost", "unexpected", "unmarked"):
            found = getattr(self, name)
            if found:
                text += f"\n  {name}: {', '.join(found[:10])}{' …' if len(found) > 10 else ''}"
        return text


class Ledger:
    """Written by every client, from threads of their own. `write` gets each line, for a run that is resumed."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._attempted: set[str] = set()
        self._confirmed: set[str] = set()
        self._received: dict[str, int] = {}
        self._unmarked: list[str] = []

    def attempt(self, name: str) -> None:
        """Note that a message is about to be published; wait a little where consumers are far behind."""
        if len(self._confirmed) - len(self._received) > BACKLOG_LIMIT:
            time.sleep(PACE_S)
        self._note(ATTEMPT, name)

    def confirm(self, name: str) -> None:
        """Note that the broker has taken responsibility for a message."""
        self._note(CONFIRM, name)

    def receive(self, name: str, *, marked: bool) -> None:
        """Note a delivery; `marked` says that it called itself a redelivery."""
        self._note(RECEIVE_MARKED if marked else RECEIVE, name)

    def _note(self, letter: str, name: str) -> None:
        with self._lock:
            self.enter(letter, name)
            if self._write is not None:
                self._write(f"{letter} {name}\n")

    def enter(self, letter: str, name: str) -> None:
        """Take over a line that was written before."""
        if letter == ATTEMPT:
            self._attempted.add(name)
        elif letter == CONFIRM:
            self._confirmed.add(name)
        else:
            count = self._received.get(name, 0)
            if count and letter == RECEIVE:
                self._unmarked.append(name)
            self._received[name] = count + 1

    @property
    def confirmed(self) -> int:
        """How many messages were confirmed so far."""
        return len(self._confirmed)

    def verdict(self) -> Verdict:
        """Judge, once everything that the broker has was drained."""
        with self._lock:
            return Verdict(
                attempted=len(self._attempted),
                confirmed=len(self._confirmed),
                received=len(self._received),
                again=sum(self._received.values()) - len(self._received) - len(self._unmarked),
                ways={way: sum(f"-{way}-" in name for name in self._confirmed) for way in WAYS},
                lost=sorted(self._confirmed - self._received.keys()),
                unexpected=sorted(self._received.keys() - self._attempted),
                unmarked=list(self._unmarked),
            )
