"""What a broker holds in memory for its clients, and the limits on it that no single client could be held to.

Every connection has limits of its own; these are for what many connections add up to. Sizes are estimates from above:
what counts is that everything that grows is in here.
"""

from typing import Final

from core.model.errors import Limit
from core.routing.room import Room

MEMORY_LIMIT_BYTES: Final = 1 << 30  # of messages, unless configured
ENTRY_COST_BYTES: Final = 512  # of memory beside the message's own bytes, so that a flood of empty messages counts too
UNFINISHED_PARTS: Final = 2  # of the limit, one may be unfinished: the alarm that stops publishers can end without them
KEPT_PARTS: Final = 4  # of the limit, one may be kept where no consumer can end it, for the same reason
UNSENT_PARTS: Final = 4  # of the limit, one may be unsent before direct subscriptions have to do with less


class Usage(Room):
    """Bytes of memory. A body in two queues counts twice."""

    def __init__(self, limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes  # of messages, and once more of what is defined
        self.held_bytes = 0  # by messages, those that are unfinished included: past the limit, publishers must wait
        self.unfinished_bytes = 0  # by messages in open transactions, and by those of which a part is still to come
        self.kept_bytes = 0  # by messages that no consumer can end: delayed ones, and the history of exchanges
        self.unsent_bytes = 0  # of output that the kernels of the peers have not taken
        self.defined_bytes = 0  # by exchanges, queues, bindings and subscriptions

    def hold_unfinished(self, size: int) -> None:
        """Count bytes of messages that are not published yet; Limit when all connections together have too many.

        Nothing but their own clients can end them, so there must be less of them than raises the alarm.
        """
        if self.unfinished_bytes + size > self.limit_bytes // UNFINISHED_PARTS:
            raise Limit(
                f"all unfinished messages together are larger than {self.limit_bytes // UNFINISHED_PARTS} bytes"
            )
        self.unfinished_bytes += size
        self.held_bytes += size

    def release_unfinished(self, size: int) -> None:
        """Take back what `hold_unfinished` has counted."""
        self.unfinished_bytes -= size
        self.held_bytes -= size

    def hold_kept(self, size: int) -> bool:
        if not self.has_room(size):
            return False
        self.kept_bytes += size
        self.held_bytes += size
        return True

    def has_room(self, size: int) -> bool:
        return self.kept_bytes + size <= self.limit_bytes // KEPT_PARTS

    def release_kept(self, size: int) -> None:
        self.kept_bytes -= size
        self.held_bytes -= size

    def define(self, size: int) -> None:
        """Count something that stays until somebody deletes it; Limit when there is no room for it."""
        if self.defined_bytes + size > self.limit_bytes:
            raise Limit(f"exchanges, queues and bindings would take more than {self.limit_bytes} bytes of memory")
        self.defined_bytes += size

    def undefine(self, size: int) -> None:
        """Take back what `define` has counted."""
        self.defined_bytes -= size

    @property
    def crowded(self) -> bool:
        """Whether so much is unsent that a slow direct subscriber cannot be given its full share of memory."""
        return self.unsent_bytes > self.limit_bytes // UNSENT_PARTS
