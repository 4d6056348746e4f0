"""How many unsettled messages somebody is ready to hold."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from core.queueing.consumer import Consumer

UNLIMITED: Final = 1 << 60


class Credit:
    """A number of messages that several consumers share (AMQP `basic.qos` with `global`).

    The consumers may be on different queues. Those that found nothing left wait here, and whoever was served longest ago
    is first when something comes back.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit  # messages; UNLIMITED for none
        self.available = limit
        self._waiting: dict[Consumer, None] = {}
        self._turns = 0

    def resize(self, limit: int) -> None:
        """Change the limit; what is held already counts against the new one."""
        self.available += limit - self.limit
        self.limit = limit
        self._relieve()

    def take(self, consumer: "Consumer") -> None:
        """Count one message as lent to `consumer`."""
        self.available -= 1
        self._turns += 1
        consumer.turn = self._turns

    def give_back(self) -> None:
        """Count one message as settled."""
        self.available += 1
        if self._waiting:
            self._relieve()

    def wait(self, consumer: "Consumer") -> None:
        """Have the consumer's queue count on it again as soon as something is available."""
        self._waiting[consumer] = None

    def forget(self, consumer: "Consumer") -> None:
        """Wait for this consumer no more."""
        self._waiting.pop(consumer, None)

    def _relieve(self) -> None:
        if self.available <= 0:
            return
        waiting = sorted(self._waiting, key=lambda consumer: consumer.turn)
        self._waiting.clear()
        for consumer in waiting:
            lender = consumer.lender
            if lender is not None:
                lender.resume(consumer)
