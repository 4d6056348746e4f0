"""What waits for a client that is away, and how much: the same for every MQTT session, and for each group that shares."""

from typing import Final

ENTRIES_LIMIT: Final = 100_000  # unless configured; Mosquitto's max_queued_messages is 1,000
LIMIT_BYTES: Final = 256 << 20  # of bodies, unless configured


class OfflineLimits:
    """What is beyond them pushes out what has waited longest. Of QoS 0 something waits only where `qos0` is set."""

    def __init__(self, entries: int = ENTRIES_LIMIT, size_bytes: int = LIMIT_BYTES, *, qos0: bool = False) -> None:
        self.entries = entries
        self.size_bytes = size_bytes
        self.qos0 = qos0
