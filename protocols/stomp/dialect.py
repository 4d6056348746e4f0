"""Where RabbitMQ and ActiveMQ contradict each other: what the `dialect` of a listener decides (docs/stomp.md).

What does not contradict is understood in both. The header `requeue` of a NACK wins over its dialect's default.
"""

from typing import Final

from core.queueing.transaction import DISCARD, REQUEUE
from protocols.stomp.versions import V1_0


class Dialect:
    """Whose words a client expects. `number` is its place in `DIALECTS`."""

    def __init__(self, number: int, name: str) -> None:
        activemq = number == 1
        self.number = number
        self.name = name
        self.host_is_vhost = not activemq  # or what clients call the server, which may be a virtual host's name too
        self.wildcard_of_rest = ">" if activemq else "#"
        self.queue_wildcards = activemq  # whether `/queue/a.*` is every queue that matches, or the queue of that name
        self.slashes = activemq  # whether a name may hold a slash as it is
        self.nack = DISCARD if activemq else REQUEUE
        self.dead_letter_queue = "ActiveMQ.DLQ" if activemq else ""  # for queues without a place for dead letters
        self.prefetch_headers = (
            ("activemq.prefetchSize", "prefetch-count") if activemq else ("prefetch-count", "activemq.prefetchSize")
        )
        self.prefetch_default = 1_000 if activemq else 0  # ActiveMQ's queuePrefetch; RabbitMQ has no limit
        self.says_first_delivery = not activemq  # `redelivered:false`
        self.milliseconds = activemq  # in `timestamp`, where RabbitMQ counts seconds
        self.says_defaults = activemq  # `priority:4` and `expires:0`, where nothing was said
        # A temporary queue that is only a `reply-to` is subscribed to, and ends with its last subscription:
        self.answers_unasked = not activemq
        self.shows_temporary = activemq  # to its owner, under the name that it gave

    def id_start(self, number: int, session_id: str, version: int) -> bytes:
        """Return what the ids of a subscription's messages begin with, as header values of this version.

        The number of the message stands behind it.
        """
        if not self.milliseconds:
            return f"T_{number}@@{session_id}@@".encode()
        colon = ":" if version == V1_0 else "\\c"
        return f"ID:{session_id}:{number}:".replace(":", colon).encode()

    def count_line(self, attempts: int) -> bytes:
        """Return the header of a message that was delivered before."""
        if self.milliseconds:
            return b"JMSXDeliveryCount:%d\n" % attempts
        return b"x-delivery-count:%d\n" % (attempts - 1)


RABBITMQ: Final = Dialect(0, "rabbitmq")
ACTIVEMQ: Final = Dialect(1, "activemq")
DIALECTS: Final = (RABBITMQ, ACTIVEMQ)
