"""The packet ids of QoS 2 that a client has sent and not released: what they name was published and is not published again.

An id is taken in the same turn as its message is published, so that a store has both or neither; PUBREC and PUBCOMP wait for
it [MQTT-4.3.3-2].
"""

from core.store.stating import Line
from protocols.mqtt.lasting import PAGE_BITS, PAGE_IDS, UNDER_WAY, Lasting


class Received:
    """Such ids of one session."""

    def __init__(self) -> None:
        self.lasting: Lasting | None = None  # where the session outlives the process
        self._ids: set[int] = set()

    def __contains__(self, packet_id: int) -> bool:
        return packet_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, packet_id: int) -> None:
        """Take an id."""
        self._ids.add(packet_id)
        if self.lasting is not None:
            self.lasting.received(packet_id)

    def discard(self, packet_id: int) -> None:
        """Release an id; one that is not taken is let pass."""
        if packet_id in self._ids:
            self._ids.discard(packet_id)
            if self.lasting is not None:
                self.lasting.received(packet_id)

    def clear(self) -> None:
        """Release all ids."""
        self._ids.clear()

    def restore(self, packet_id: int) -> None:
        """Take an id that was taken in an earlier process."""
        self._ids.add(packet_id)

    def taken(self, page: int) -> list[Line]:
        """Return what a store is to know of a page of ids."""
        first = page << PAGE_BITS
        if len(self._ids) > PAGE_IDS:
            found = [number for number in range(first, first + PAGE_IDS) if number in self._ids]
        else:
            found = [number for number in self._ids if number >> PAGE_BITS == page]
        return [Line(number, UNDER_WAY, None) for number in found]
