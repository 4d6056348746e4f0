"""Where the entries of a durable queue are in the store."""

from core.store.batch import rows_of


class Shelf:
    """The rows of one durable queue."""

    def __init__(self, number: int, next_row: int = 0) -> None:
        self.number = number
        self.next_row = next_row or rows_of(number)[0] + 1
