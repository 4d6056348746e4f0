"""The interface of an authentication method that takes more than a name and a password: messages in turns (RFC 4422 §3).

The client speaks first. Methods know passwords and need randomness, so they are at home in the gateway.
"""

from mypy_extensions import mypyc_attr


class Failure(Exception):
    """An exchange that has failed. `guess` tells whether it was a proof that does not fit, which a password may be."""

    def __init__(self, text: str, *, guess: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.guess = guess


@mypyc_attr(allow_interpreted_subclasses=True)
class Exchange:
    """One exchange. `username` is who says to be there, as soon as that is known."""

    def __init__(self) -> None:
        self.username = ""
        self.finished = False  # the client has proven to be `username`, and `answer` has returned the last words

    def answer(self, data: bytes) -> bytes:
        """Return what is said to the client's next message. Failure ends the exchange."""
        raise AssertionError(f"{type(self).__name__} answers nothing")
