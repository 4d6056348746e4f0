"""What a queue has, whether it is in memory or in the store, seen without changing where it is."""

from core.broker import Broker
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.queueing.usage import ENTRY_COST_BYTES
from core.store.interface import Store
from core.store.sealing import unseal_row
from tests.core.store import filling

ENTRY_BYTES = ENTRY_COST_BYTES + 16  # of memory, for a message of a few bytes


def make_small(broker: Broker, entries: int = 3) -> None:
    """Have windows of a few entries, read in twos; twice as many that nobody was promised anything of leave memory in a batch."""
    windows = broker.surroundings.windows
    windows.window_bytes = entries * ENTRY_BYTES
    windows.read_rows = 2
    broker.surroundings.journal.paged_at_once_bytes = 2 * entries * ENTRY_BYTES


def all_of(queue: Queue) -> list[Entry]:
    """Return all ready entries in order, copies of those that are in the store only."""
    found = queue.backlog.present()
    window = queue.window
    if window is not None and window.stored_count:
        windows = queue._surroundings.windows
        rows = windows.read(window._after, window._last, 1 << 30)
        for sequence, (row, record) in enumerate(rows, window._sequence):
            entry = Entry(queue, windows.codec.decode(unseal_row(record, row)), sequence, None)
            entry.row = row
            found.append(entry)
    return sorted(found, key=sequence_of)


def sequence_of(entry: Entry) -> int:
    return entry.sequence


def commit(broker: Broker, store: Store) -> None:
    """End the turn, with everything on stable storage."""
    filling.commit(broker, store)
    broker.surroundings.windows.turn_ended()


def in_memory(queue: Queue) -> int:
    """Return how many ready entries are in memory."""
    return len(queue.backlog.present())
