"""A head that is expected again: what stands before the value of `receipt` and behind it, up to the body.

Who sends much sends the same head each time, or one that differs in its receipt alone. Such a frame is known by its
bytes where it begins, before its end was looked for: a third of the instructions of a SEND with a receipt were spent on
cutting its head out and looking it up.
"""

from typing import Final

RECEIPT: Final = b"\nreceipt:"
PLAIN_MARKS: Final = b"-_."  # in a receipt, beside letters and digits, that mean nothing in any version
WORD_LIMIT: Final = 256  # bytes of a receipt that is looked for like this


class Form:
    """A head but for its receipt, or, when it has none (`varies` is false), all of it. `length` is of the body."""

    def __init__(self, start: bytes, rest: bytes, length: int, *, varies: bool) -> None:
        self.start = start
        self.rest = rest  # with the empty line
        self.length = length
        self.varies = varies
        self.word_bytes = 0  # of the last receipt: most are as long as the one before; written by FrameReader only


def form_of(head: bytes, length: int) -> Form:
    """Return the form of a head as it was received."""
    end = b"\n\r\n" if head.endswith(b"\r") else b"\n\n"
    before, receipt, after = head.partition(RECEIPT)
    if not receipt:
        return Form(head + end, b"", length, varies=False)
    value, line_end, lines = after.partition(b"\n")
    rest = (b"\r" if value.endswith(b"\r") else b"") + line_end + lines + end
    return Form(before + RECEIPT, rest, length, varies=True)


def is_plain(receipt: bytes) -> bool:
    """Tell whether a receipt is nothing but a word, so that it can be repeated as it is."""
    return receipt.isalnum() or receipt.translate(None, PLAIN_MARKS).isalnum()
