"""Chance for exchanges that need it: a small generator, started by a word that comes in from outside.

It spreads messages evenly and keeps no secrets: whoever sees enough of its choices can tell the next.
"""

from collections.abc import Callable
from typing import Final
from zlib import crc32

_MASK: Final = 0xFFFF_FFFF


class Chance:
    """Marsaglia's xorshift of 32 bits. `unique` is asked for one word, when the first choice is made."""

    def __init__(self, unique: Callable[[], str]) -> None:
        self._unique = unique
        self._state = 0  # 0 is no state of the generator: it has not started

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        state = self._state or crc32(self._unique().encode()) or 1
        state ^= state << 13 & _MASK
        state ^= state >> 17
        state ^= state << 5 & _MASK
        self._state = state
        return state * count >> 32
