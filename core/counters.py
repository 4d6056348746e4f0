"""What the broker has done so far, as plain integers: cheap to write on the hot path, read by metrics and pages."""


class Counters:
    """Totals since the start. Reasons are constants of the code, never text of a client, so the table stays small."""

    def __init__(self) -> None:
        self.published = 0
        self.unroutable = 0
        self.delivered = 0
        self.work = 0  # steps of routing, deliveries, changes of bindings: what turns are bounded by
        self.connections_opened = 0
        self.connections_closed = 0
        self.internal_errors = 0  # bugs that cost a connection; each is in the log
        self.dropped: dict[str, int] = {}  # messages given up, by reason
        self.dead_lettered: dict[str, int] = {}  # messages that left a queue for its dead-letter exchange, by reason
        self.lost: dict[str, int] = {}  # properties that another protocol could not carry, by reason

    def drop(self, reason: str, count: int = 1) -> None:
        """Count messages that were given up."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def bury(self, reason: str) -> None:
        """Count a message that became a dead letter."""
        self.dead_lettered[reason] = self.dead_lettered.get(reason, 0) + 1

    def lose(self, reason: str, count: int = 1) -> None:
        """Count properties that a conversion could not carry."""
        self.lost[reason] = self.lost.get(reason, 0) + count
