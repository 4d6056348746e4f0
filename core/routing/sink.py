"""The end of a binding: whatever takes a message."""

from mypy_extensions import mypyc_attr

from core.model.message import Message


@mypyc_attr(allow_interpreted_subclasses=True)
class Sink:
    """Takes messages: a queue keeps them, a direct subscription passes them on, an exchange routes them further.

    Sinks with the same `group` receive one copy of a message however many of them match. What that one copy looks
    like is decided by `merged`, once for each route and not for each message. A sink without a group stands alone.
    """

    def __init__(self) -> None:
        self.name = ""  # of a queue or an exchange
        self.group: object = None

    def take(self, message: Message) -> bool:
        """Take responsibility for the message; False means that it was refused and the publisher must be told."""
        raise AssertionError(f"{type(self).__name__} does not say what it does with a message")

    def admits(self, count: int, size_bytes: int) -> bool:
        """Tell whether so many messages, of so many bytes together, would all be taken now."""
        return True

    def stored_note(self) -> bytes:
        """Return what a store must keep of this sink with an entry that came in by it (`Entry.via`)."""
        return b""

    def failed(self, error: Exception) -> None:
        """Learn that `take` raised: a bug, which costs this sink's connection and not the publisher's."""
        raise error

    def merged(self, others: "list[Sink]") -> "Sink":
        """Return the sink that stands for this one and the `others` of the same group."""
        return self


def take_all(sinks: list[Sink], message: Message) -> bool:
    """Give the message to every sink; False when one of them refused it."""
    accepted = True
    for sink in sinks:
        try:
            if not sink.take(message):
                accepted = False
        except Exception as error:  # noqa: BLE001 - a bug in one receiving connection must not cost anybody else
            sink.failed(error)
    return accepted
