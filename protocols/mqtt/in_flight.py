"""Packet ids in use: what a store is to know of them, and the order in which they were given.

What other queues have lent is theirs again after a stop, but for what a group has lent: that has a state of its own
(`QueueFed.kept_state`).
"""

from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.store.stating import Line
from protocols.mqtt.lasting import LAST_PACKET_ID, PAGE_BITS, PAGE_IDS, RELEASED, UNDER_WAY
from protocols.mqtt.queue_fed import QueueFed


def lines_of_page(page: int, sent: dict[int, Entry], released: dict[int, Entry], own_queue: Queue | None) -> list[Line]:
    """Return the lines for one page of packet ids; entries are by packet id."""
    lines = _lines_of_page(page, UNDER_WAY, sent, own_queue)
    return lines + _lines_of_page(page, RELEASED, released, own_queue)


def _lines_of_page(page: int, state: int, entries: dict[int, Entry], own_queue: Queue | None) -> list[Line]:
    found: list[Line] = []
    if len(entries) > PAGE_IDS:
        first = page << PAGE_BITS
        numbers = [number for number in range(first, first + PAGE_IDS) if number in entries]
    else:
        numbers = [number for number in entries if number >> PAGE_BITS == page]
    for number in numbers:
        entry = entries[number]
        if entry.queue is own_queue:
            found.append(Line(number, state, entry))
        elif entry.row:
            via = entry.via
            assert isinstance(via, QueueFed)
            kept_state = via.kept_state()
            if kept_state:
                found.append(Line(number, state | kept_state, entry))
    return found


def in_order_of_giving(numbers: list[int]) -> list[int]:
    """Return packet ids in the order in which they were given. They count up and begin anew behind the last.

    Where the widest gap is, there the next one would have been given.
    """
    ordered = sorted(numbers)
    first, widest = 0, 0
    for at in range(len(ordered)):
        gap = (ordered[at] - ordered[at - 1]) % LAST_PACKET_ID
        if gap > widest:
            first, widest = at, gap
    return ordered[first:] + ordered[:first]
