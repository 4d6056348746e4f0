"""Reading entries back while others are written: what a store has for the thread that the queues live in.

A reader sees what is committed, whatever the thread that writes does meanwhile. Whoever reads asks for rows of which he knows that
they are committed.
"""

from mypy_extensions import mypyc_attr

Row = tuple[int, bytes]  # the row of an entry, and its record


@mypyc_attr(allow_interpreted_subclasses=True)
class Reader:
    """Reads rows of a store, in one thread."""

    def read(self, after: int, last: int, limit: int, limit_bytes: int) -> list[Row]:
        """Return rows behind `after` up to `last`, in order: no more than `limit`, and none behind `limit_bytes` of records.

        Nothing is there when nothing is left. Where the medium fails, what comes before that is returned, or StoreError raised
        when there is nothing before it.
        """
        raise AssertionError("read is the store's")

    def close(self) -> None:
        """Release the medium. The store closes its readers itself."""
