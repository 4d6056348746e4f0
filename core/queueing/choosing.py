"""The choice of consumers on a queue where it depends on the message: who may have which of what is ready.

The entries are in an `OrderedBacklog` then, since those in front may have to wait for somebody while others behind do not.
"""

from typing import TYPE_CHECKING

from core.queueing.consumer import Consumer
from core.queueing.entry import Entry
from core.queueing.turns import Turns

if TYPE_CHECKING:
    from core.queueing.queue import Queue


class ChoosingTurns(Turns):
    """What a queue asks of such a choice."""

    @property
    def idle(self) -> bool:
        """Whether the usual turns would do as well."""
        return False

    @property
    def due(self) -> bool:
        """Whether a run of the queue may have something to hand over."""
        raise AssertionError(f"{type(self).__name__} does not say whether anything is due")

    @property
    def turns_of_everyone(self) -> Turns:
        """The turns of those who take what comes."""
        raise AssertionError(f"{type(self).__name__} has no usual turns")

    def join(self, consumer: Consumer) -> None:
        """Learn of a new consumer of the queue, which is counted on when it enters."""
        raise AssertionError(f"{type(self).__name__} takes in nobody")

    def part(self, consumer: Consumer) -> None:
        """Learn that a consumer, which has left, is no more one of the queue."""

    def choose_for(self, entry: Entry) -> Consumer | None:
        """Return who gets an entry that has just come; None when it has to wait, as it does behind older ones."""
        raise AssertionError(f"{type(self).__name__} chooses nobody")

    def added(self, entry: Entry, place: int) -> None:
        """Learn that an entry is ready at a place of the backlog."""

    def hand_over(self, queue: "Queue") -> None:
        """Give out what there is for whoever is willing; the end of a long search is left to the next run."""

    def clear(self) -> None:
        """Forget all entries, because the queue was emptied."""
