"""Load averages: how much happens in a minute, over the last one, five and fifteen, as Mosquitto and Unix reckon it.

Each is an exponential moving average: what lies as far back as its time counts 1/e.
"""

import math
from typing import Final

AVERAGED_MIN: Final = (1, 5, 15)


class Load:
    """The averages of one total that only grows."""

    def __init__(self) -> None:
        self._total = 0
        self._averages = [0.0 for _ in AVERAGED_MIN]  # a minute

    def update(self, total: int, elapsed_s: float) -> None:
        """Take in what the total is, `elapsed_s` after the last time."""
        per_minute = (total - self._total) * 60.0 / elapsed_s
        self._total = total
        for index, minutes in enumerate(AVERAGED_MIN):
            weight = math.exp(-elapsed_s / (60.0 * minutes))
            self._averages[index] = per_minute + weight * (self._averages[index] - per_minute)

    def texts(self) -> list[tuple[str, str]]:
        """Return the averages as they are published: `1min` and so on, and a number with two decimals."""
        return [(f"{minutes}min", f"{self._averages[index]:.2f}") for index, minutes in enumerate(AVERAGED_MIN)]
