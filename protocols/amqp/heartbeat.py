"""Heartbeats of one connection: when to send one, and when the peer has been silent for too long (AMQP 0-9-1 §4.2.7).

Time is looked at twice in each interval. Any traffic counts, so the hot path only sets a flag.
"""

from typing import Final

SILENT_LOOKS: Final = 4  # two intervals without any octet, as RabbitMQ


class Heartbeat:
    """Watches both directions. `interval_s` is what was negotiated; 0 turns it off."""

    def __init__(self, interval_s: int) -> None:
        self.interval_s = interval_s
        self.look_every_s = interval_s / 2
        self.heard = True  # since the last look
        self._spoke = True
        self._beat = False  # whether the next output is the heartbeat itself
        self._silent_looks = 0

    def look(self) -> bool:
        """Return False when the peer counts as gone."""
        self._silent_looks = 0 if self.heard else self._silent_looks + 1
        self.heard = False
        return self._silent_looks < SILENT_LOOKS

    def must_speak(self) -> bool:
        """Tell whether nothing was sent since the last look, so that a heartbeat is due now."""
        self._beat = not self._spoke
        self._spoke = False
        return self._beat

    def said(self) -> None:
        """Learn that there is output. A heartbeat does not put off the next one."""
        if self._beat:
            self._beat = False
        else:
            self._spoke = True

    def excuse(self) -> None:
        """Let the peer's silence start now: it was the broker that did not listen."""
        self._silent_looks = 0
        self.heard = True
