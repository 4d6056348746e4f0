"""The requests that the broker cannot meet.

Each protocol maps every class of `BROKER_ERRORS` to its own code in one total table; a test checks that it is total.
The text names the thing and the value and may be shown to the client.
"""

from typing import Final


class BrokerError(Exception):
    """A request that is well formed but cannot be met."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class NotFound(BrokerError):
    """The named exchange, queue or virtual host does not exist."""


class Denied(BrokerError):
    """The principal lacks the permission, or the name is reserved to the broker."""


class Locked(BrokerError):
    """The queue is exclusive to another connection."""


class Mismatch(BrokerError):
    """The thing exists with other attributes, or its state forbids the request."""


class InUse(BrokerError):
    """The thing still has consumers, bindings or messages, and the request was conditional on their absence."""


class ExclusiveUse(BrokerError):
    """A consumer wants, or another consumer has, the queue for itself."""


class Invalid(BrokerError):
    """A name, argument or pattern that the broker does not accept."""


class InvalidSelector(BrokerError):
    """A selector that is no expression of the language, or is too large; `column` is where, from 1."""

    def __init__(self, text: str, column: int = 1) -> None:
        super().__init__(text)
        self.column = column


class Limit(BrokerError):
    """A configured limit would be exceeded."""


class Unsupported(BrokerError):
    """The request is known, and this broker does not do what it asks for."""


BROKER_ERRORS: Final[tuple[type[BrokerError], ...]] = (
    NotFound,
    Denied,
    Locked,
    Mismatch,
    InUse,
    ExclusiveUse,
    Invalid,
    InvalidSelector,
    Limit,
    Unsupported,
)
