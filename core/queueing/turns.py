"""The choice of the consumer: whoever is willing, in turn, and those of a higher priority before all others.

A consumer that is not willing is left out, so that it costs nothing, until its queue counts on it again.
"""

from bisect import insort

from core.queueing.consumer import Consumer
from core.queueing.rota import Rota


class Turns:
    """The consumers of one queue that it counts on, all of the same rank."""

    def __init__(self) -> None:
        self._rota = Rota()

    def choose(self) -> Consumer | None:
        """Return who is next and willing; None when nobody is, and then nobody is left here."""
        consumer = self.peek()
        if consumer is not None:
            self._rota.turn()
        return consumer

    def peek(self) -> Consumer | None:
        """Return whom `choose` would, without having served anybody."""
        rota = self._rota
        while (consumer := rota.first()) is not None:
            if consumer.willing():
                return consumer
            consumer.in_ring = False
            rota.remove_first()
            wait_for_shared(consumer)
        return None

    def enter(self, consumer: Consumer) -> None:
        """Count on a consumer that is willing."""
        consumer.in_ring = True
        self._rota.add(consumer)

    def leave(self, consumer: Consumer) -> None:
        """Count on a consumer no more."""
        if consumer.in_ring:
            consumer.in_ring = False
            self._rota.remove(consumer)

    def members(self) -> list[Consumer]:
        """Return whoever is counted on, the next one first."""
        return self._rota.members()


class RankedTurns(Turns):
    """The same for consumers with priorities (RabbitMQ `x-priority`): a ring for each that is there."""

    def __init__(self, members: list[Consumer]) -> None:
        super().__init__()
        self._rings: dict[int, Turns] = {}
        self._order: list[int] = []  # priorities with the sign turned, so that the highest is first
        for consumer in members:
            self.enter(consumer)

    def choose(self) -> Consumer | None:
        return self._rings[self._order[0]].choose() if self.peek() is not None else None

    def peek(self) -> Consumer | None:
        while self._order:
            consumer = self._rings[self._order[0]].peek()
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
