"""The interface of a store. `tests/core/store/conformance.py` shows what each implementation must do.

A store belongs to one thread at a time: it is opened and read at the start, and from then on used by whoever commits. Others read
entries through a `Reader`.
"""

from collections.abc import Iterable

from mypy_extensions import mypyc_attr

from core.store.batch import Batch
from core.store.reader import Reader, Row


@mypyc_attr(allow_interpreted_subclasses=True)
class Store:
    """Keeps definitions and entries. Every method raises StoreError when the medium fails."""

    def stopped_cleanly(self) -> bool:
        """Tell whether the last process closed the store in order; a new store counts as closed in order."""
        raise AssertionError("stopped_cleanly is the store's")

    def begin(self) -> None:
        """Note that the store is in use, so that an end without `close` can be told from one with it."""
        raise AssertionError("begin is the store's")

    def definitions(self) -> Iterable[tuple[int, str, bytes]]:
        """Return every definition: kind, key and record, by kind and key.

        Where damage has made something else of a kind, it is one that there is not; of a key, its bytes are `surrogateescape`.
        """
        raise AssertionError("definitions is the store's")

    def quarantined(self) -> int:
        """Return how many records were set aside."""
        raise AssertionError("quarantined is the store's")

    def rows(self, queue_number: int, after: int, limit: int) -> list[Row]:
        """Return up to `limit` rows of a queue behind the row `after` (0: from its first), in order."""
        raise AssertionError("rows is the store's")

    def tallies(self) -> list[tuple[int, bytes]]:
        """Return what was counted for queues: number and record (`core.store.shelf`). A queue may have none."""
        raise AssertionError("tallies is the store's")

    def last_row(self, queue_number: int) -> int:
        """Return the last row of a queue; 0 when it has none."""
        raise AssertionError("last_row is the store's")

    def queue_numbers(self) -> list[int]:
        """Return the numbers of the queues that have rows, in order."""
        raise AssertionError("queue_numbers is the store's")

    def commit(self, batch: Batch) -> None:
        """Write a batch, all or nothing; it is on stable storage when this returns.

        StoreFull leaves the store as it was. Any other StoreError ends it: nothing more is written.
        """
        raise AssertionError("commit is the store's")

    def tidy(self) -> bool:
        """Give some space back that is not needed, because there is nothing to commit; return whether there may be more."""
        raise AssertionError("tidy is the store's")

    def reader(self) -> Reader:
        """Return a way to read entries while this store is used by another thread. It ends with the store."""
        raise AssertionError("reader is the store's")

    def close(self) -> None:
        """Note that everything is written, and release the medium."""
        raise AssertionError("close is the store's")
