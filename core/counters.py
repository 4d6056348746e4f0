"""What the broker has done so far, as plain integers: cheap to write on the hot path, read by metrics and pages."""


class Traffic:
    """What the clients of one protocol have sent and were sent. Written once for each batch of a connection.

    Packets are those of MQTT, and `other` are those of them that are no messages. Of the other protocols only sockets and
    bytes sent are counted.
    """

    def __init__(self) -> None:
        self.sockets = 0  # that its machine was attached to
        self.logins = 0  # that clients have asked for
        self.expired = 0  # sessions whose client has not come back in time
        self.received_bytes = 0
        self.received_packets = 0
        self.received_messages = 0
        self.received_message_bytes = 0  # of their packets
        self.sent_bytes = 0
        self.sent_packets = 0
        self.sent_other = 0
        self.sent_other_bytes = 0

    def answered(self, size_bytes: int, count: int = 1) -> None:
        """Count packets that are no messages; they are written in one piece, and that is counted as one already."""
        self.sent_packets += count - 1
        self.sent_other += count
        self.sent_other_bytes += size_bytes


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
        self.commits = 0  # of the store, each with one sync
        self.committed_messages = 0  # that those have put into queues; one in two queues counts twice
        self.traffic: dict[str, Traffic] = {}  # by protocol
        self.dropped: dict[str, int] = {}  # messages given up, by reason
        self.dead_lettered: dict[str, int] = {}  # messages that left a queue for its dead-letter exchange, by reason
        self.lost: dict[str, int] = {}  # properties that another protocol could not carry, by reason

    def traffic_of(self, protocol: str) -> Traffic:
        """Return what is counted for the clients of a protocol."""
        traffic = self.traffic.get(protocol)
        if traffic is None:
            traffic = self.traffic[protocol] = Traffic()
        return traffic

    def drop(self, reason: str, count: int = 1) -> None:
        """Count messages that were given up."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def bury(self, reason: str) -> None:
        """Count a message that became a dead letter."""
        self.dead_lettered[reason] = self.dead_lettered.get(reason, 0) + 1

    def lose(self, reason: str, count: int = 1) -> None:
        """Count properties that a conversion could not carry."""
        self.lost[reason] = self.lost.get(reason, 0) + count
