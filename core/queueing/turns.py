"""The choice of the consumer: whoever is willing, in turn, and those of a higher priority before all others.

A consumer that is not willing is left out, so that it costs nothing, until its queue counts on it again.
"""

from bisect import insort
from collections import deque

from core.queueing.consumer import Consumer


class Turns:
    """The consumers of one queue that it counts on, all of the same rank."""

    def __init__(self) -> None:
        self._ring: deque[Consumer] = deque()

    def choose(self) -> Consumer | None:
        """Return who is next and willing; None when nobody is, and then nobody is left here."""
        ring = self._ring
        while ring:
            consumer = ring[0]
            if consumer.willing():
                if len(ring) > 1:
                    ring.rotate(-1)
                return consumer
            consumer.in_ring = False
            ring.popleft()
            wait_for_shared(consumer)
        return None

    def enter(self, consumer: Consumer) -> None:
        """Count on a consumer that is willing."""
        consumer.in_ring = True
        self._ring.append(consumer)

    def leave(self, consumer: Consumer) -> None:
        """Count on a consumer no more."""
        if consumer.in_ring:
            consumer.in_ring = False
            self._ring.remove(consumer)

    def members(self) -> list[Consumer]:
        """Return whoever is counted on, the next one first."""
        return list(self._ring)


class RankedTurns(Turns):
    """The same for consumers with priorities (RabbitMQ `x-priority`): a ring for each that is there."""

    def __init__(self, members: list[Consumer]) -> None:
        super().__init__()
        self._rings: dict[int, Turns] = {}
        self._order: list[int] = []  # priorities with the sign turned, so that the highest is first
        for consumer in members:
            self.enter(consumer)

    def choose(self) -> Consumer | None:
        while self._order:
            consumer = self._rings[self._order[0]].choose()
            if consumer is not None:
                return consumer
            del self._rings[self._order.pop(0)]
        return None

    def enter(self, consumer: Consumer) -> None:
        rank = -consumer.priority
        ring = self._rings.get(rank)
        if ring is None:
            ring = self._rings[rank] = Turns()
            insort(self._order, rank)
        ring.enter(consumer)

    def leave(self, consumer: Consumer) -> None:
        if consumer.in_ring:
            self._rings[-consumer.priority].leave(consumer)  # an empty ring goes when its turn comes

    def members(self) -> list[Consumer]:
        return [consumer for rank in self._order for consumer in self._rings[rank].members()]


def wait_for_shared(consumer: Consumer) -> None:
    """Have the consumer's queue count on it again when its shared credit allows, if that is what is missing."""
    shared = consumer.shared
    if shared is not None and shared.available <= 0:
        shared.wait(consumer)
