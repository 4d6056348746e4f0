"""Room for messages that no consumer can end: those that wait for their time, and those that are kept for later bindings.

Publishers wait while memory is low, and go on when consumers have emptied the queues. What consumers cannot empty must
be less than what makes publishers wait, or they would wait for ever.
"""

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Room:
    """Counts bytes of memory; the broker's usage says how many there may be."""

    def hold_kept(self, size: int) -> bool:
        """Count `size` bytes more; False, and nothing is counted, when there is no room for them."""
        raise AssertionError("hold_kept is the broker's usage")

    def has_room(self, size: int) -> bool:
        """Tell whether `hold_kept` would count so much."""
        raise AssertionError("has_room is the broker's usage")

    def release_kept(self, size: int) -> None:
        """Take back what `hold_kept` has counted."""
        raise AssertionError("release_kept is the broker's usage")
