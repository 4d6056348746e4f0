"""The deliveries of one channel that its client has not settled yet, by delivery tag (AMQP 0-9-1 §1.8.3.13).

Tags count up by one with every delivery of the channel. `multiple` visits each tag once in the channel's life, since
everything up to the oldest is known to be settled.
"""

from core.queueing.entry import Entry


class Unsettled:
    """Entries by delivery tag."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._last = 0
        self._oldest = 1  # no smaller tag is unsettled

    def __len__(self) -> int:
        return len(self._entries)

    def lend(self, entry: Entry) -> int:
        """File an entry that is delivered now and return its tag."""
        tag = self._last = self._last + 1
        self._entries[tag] = entry
        return tag

    def skip(self) -> int:
        """Return the tag of a delivery that nobody will settle."""
        tag = self._last = self._last + 1
        return tag

    def take(self, tag: int) -> Entry | None:
        """Take out the entry with this tag; None when it is not unsettled."""
        return self._entries.pop(tag, None)

    def take_through(self, tag: int) -> list[tuple[int, Entry]] | None:
        """Take out all up to and including `tag` (0: all there are), oldest first; None when `tag` is not unsettled."""
        entries = self._entries
        if tag == 0:
            tag = self._last
        elif tag not in entries:
            return None
        taken: list[tuple[int, Entry]] = []
        for number in range(self._oldest, tag + 1):
            entry = entries.pop(number, None)
            if entry is not None:
                taken.append((number, entry))
        self._oldest = tag + 1
        return taken

    def restore(self, tag: int, entry: Entry) -> None:
        """Put back an entry that was taken out."""
        self._entries[tag] = entry
        self._oldest = min(self._oldest, tag)

    def entries(self) -> list[Entry]:
        """Return all entries."""
        return list(self._entries.values())

    def drain(self) -> list[Entry]:
        """Take out all entries."""
        entries = self.entries()
        self._entries.clear()
        self._oldest = self._last + 1
        return entries
