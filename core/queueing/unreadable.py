"""The first row that can be read behind some that cannot: these stay where they are, and cost nothing else."""

from typing import TYPE_CHECKING

from core.store.errors import StoreError
from core.store.reader import Row

if TYPE_CHECKING:
    from core.queueing.windows import Windows


def first_readable(windows: "Windows", after: int, last: int) -> list[Row]:
    """Return the first row behind the one that follows `after` which can be read; none when there is none up to `last`."""
    unreadable, step = after + 1, 1
    rows: list[Row] = []
    while not rows and unreadable < last:
        behind = min(unreadable + step, last)
        rows = _rows_from(windows, behind, last)
        if not rows:
            unreadable = behind
            step *= 2
    readable = rows[0][0] if rows else 0
    while readable - unreadable > 1:
        middle = (unreadable + readable) // 2
        found = _rows_from(windows, middle, last)
        if found:
            rows = found
            readable = middle
        else:
            unreadable = middle
    return rows


def _rows_from(windows: "Windows", row: int, last: int) -> list[Row]:
    """Return the first row from one on, or nothing where it cannot be read."""
    try:
        return windows.read(row - 1, last, 1)
    except StoreError:
        return []
