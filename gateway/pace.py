"""How much to receive from one connection in one turn, so that its work does not make the others wait.

As a rule that is a full chunk. But a few bytes can be a lot of work: a message to ten thousand subscribers, a filter that
every retained message is compared with. Who gives more work than fits into a turn is given less to say in the next one.
"""

from typing import Final

RECEIVE_BYTES: Final = 65_536  # from one connection in one turn
FIRST_RECEIVE_BYTES: Final = 448  # from one that nothing is known about yet; CPython keeps blocks of 512 bytes at hand
LEAST_RECEIVE_BYTES: Final = 64  # from one whose bytes are a lot of work
CHUNK_LIMIT_S: Final = 0.02  # of work, for one chunk
GROWTH: Final = 4  # of what is asked for, from one full chunk that was little work to the next


def paced(asked: int, size: int, spent_s: float) -> int:
    """Return how much to ask for next, when `asked` was the last time and `size` bytes took `spent_s` to handle."""
    if spent_s > CHUNK_LIMIT_S:
        return max(LEAST_RECEIVE_BYTES, int(size * CHUNK_LIMIT_S / spent_s))
    if size == asked and spent_s < CHUNK_LIMIT_S / GROWTH:
        return min(RECEIVE_BYTES, GROWTH * asked)
    return asked
