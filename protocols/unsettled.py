"""The deliveries that a client has not settled yet, by number: AMQP's delivery tags, the numbers in STOMP's message ids.

Numbers count up by one with every delivery. Settling all up to a number visits each number once as a rule, since
everything below the oldest is known to be settled; where most numbers in between are gone, only those are visited that
are there, so an old one that came back costs no walk through the gap behind it.
"""

from typing import Final

from core.queueing.entry import Entry

GAP_LIMIT: Final = 64  # numbers that may be visited in vain, beside two for each that is held


class Unsettled:
    """Entries by number."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._last = 0
        self._oldest = 1  # no smaller number is held

    def __len__(self) -> int:
        return len(self._entries)

    def lend(self, entry: Entry) -> int:
        """File an entry that is delivered now and return its number."""
        number = self._last = self._last + 1
        self._entries[number] = entry
        return number

    def skip(self) -> int:
        """Return the number of a delivery that nobody will settle."""
        number = self._last = self._last + 1
        return number

    def take(self, number: int) -> Entry | None:
        """Take out the entry with this number; None when it is not held."""
        return self._entries.pop(number, None)

    def take_through(self, number: int) -> list[tuple[int, Entry]] | None:
        """Take out all up to and including `number`, oldest first; None, and nothing is taken, when it is not held."""
        entries = self._entries
        if number not in entries:
            return None
        taken: list[tuple[int, Entry]] = []
        if number - self._oldest > 2 * len(entries) + GAP_LIMIT:
            for held in sorted([held for held in entries if held <= number]):
                taken.append((held, entries.pop(held)))
        else:
            for held in range(self._oldest, number + 1):
                entry = entries.pop(held, None)
                if entry is not None:
                    taken.append((held, entry))
        self._oldest = number + 1
        return taken

    def take_all(self) -> list[tuple[int, Entry]]:
        """Take out all there are, oldest first."""
        taken = sorted(self._entries.items(), key=_number)
        self._entries.clear()
        self._oldest = self._last + 1
        return taken

    def restore(self, number: int, entry: Entry) -> None:
        """Put back an entry that was taken out."""
        self._entries[number] = entry
        self._oldest = min(self._oldest, number)

    def entries(self) -> list[Entry]:
        """Return all entries."""
        return list(self._entries.values())


def _number(item: tuple[int, Entry]) -> int:
    return item[0]
