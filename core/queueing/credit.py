"""How many unsettled messages somebody is ready to hold."""

from typing import Final

UNLIMITED: Final = 1 << 60


class Credit:
    """A number of messages that several consumers share (AMQP `basic.qos` with `global`)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # messages; UNLIMITED for none
        self.available = limit

    def resize(self, limit: int) -> None:
        """Change the limit; what is held already counts against the new one."""
        self.available += limit - self.limit
        self.limit = limit
