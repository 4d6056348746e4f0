"""Reply codes: which mistake closes the channel, which the connection, and with which words (AMQP 0-9-1 §1.2).

A text is RabbitMQ's: the name of the code, a dash, and what is wrong with which thing.
"""

from typing import Final

from core.model.errors import (
    BrokerError,
    Denied,
    ExclusiveUse,
    InUse,
    Invalid,
    InvalidSelector,
    Limit,
    Locked,
    Mismatch,
    NotFound,
    Unsupported,
)

NO_ROUTE: Final = 312
CONNECTION_FORCED: Final = 320
ACCESS_REFUSED: Final = 403
NOT_FOUND: Final = 404
RESOURCE_LOCKED: Final = 405
PRECONDITION_FAILED: Final = 406
FRAME_ERROR: Final = 501
SYNTAX_ERROR: Final = 502
COMMAND_INVALID: Final = 503
CHANNEL_ERROR: Final = 504
UNEXPECTED_FRAME: Final = 505
RESOURCE_ERROR: Final = 506
NOT_ALLOWED: Final = 530
NOT_IMPLEMENTED: Final = 540
INTERNAL_ERROR: Final = 541

NAMES: Final[dict[int, str]] = {
    NO_ROUTE: "NO_ROUTE",
    CONNECTION_FORCED: "CONNECTION_FORCED",
    ACCESS_REFUSED: "ACCESS_REFUSED",
    NOT_FOUND: "NOT_FOUND",
    RESOURCE_LOCKED: "RESOURCE_LOCKED",
    PRECONDITION_FAILED: "PRECONDITION_FAILED",
    FRAME_ERROR: "FRAME_ERROR",
    SYNTAX_ERROR: "SYNTAX_ERROR",
    COMMAND_INVALID: "COMMAND_INVALID",
    CHANNEL_ERROR: "CHANNEL_ERROR",
    UNEXPECTED_FRAME: "UNEXPECTED_FRAME",
    RESOURCE_ERROR: "RESOURCE_ERROR",
    NOT_ALLOWED: "NOT_ALLOWED",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    INTERNAL_ERROR: "INTERNAL_ERROR",
}

# Codes that close the channel only; all others close the connection.
SOFT: Final = frozenset({NO_ROUTE, ACCESS_REFUSED, NOT_FOUND, RESOURCE_LOCKED, PRECONDITION_FAILED})

CODES: Final[dict[type[BrokerError], int]] = {
    NotFound: NOT_FOUND,
    Denied: ACCESS_REFUSED,
    Locked: RESOURCE_LOCKED,
    Mismatch: PRECONDITION_FAILED,
    InUse: PRECONDITION_FAILED,
    ExclusiveUse: ACCESS_REFUSED,
    Invalid: PRECONDITION_FAILED,
    InvalidSelector: PRECONDITION_FAILED,
    Limit: PRECONDITION_FAILED,
    Unsupported: NOT_IMPLEMENTED,
}

UNSAID: Final = -1
TEXT_LIMIT_BYTES: Final = 255  # AMQP 0-9-1 §4.2.5.3: a reply text is a short string


class PeerError(Exception):
    """What the peer did that ends its channel or its connection, by `code`.

    `offender` is the class and method id to name, 0 for none; without it, that of the method that was being handled.
    `lost`: where the next frame begins is unknown, so nothing more can be read from this peer.
    """

    def __init__(self, code: int, text: str, *, offender: int = UNSAID, lost: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.offender = offender
        self.lost = lost


def from_broker(error: BrokerError) -> PeerError:
    """Return what a request that the core could not meet is answered with."""
    return PeerError(CODES[type(error)], error.text)


def reply_text(code: int, text: str) -> str:
    """Return the text of a close: the code's name and the reason, cut to what a short string holds."""
    whole = f"{NAMES[code]} - {text}"
    encoded = whole.encode()
    if len(encoded) <= TEXT_LIMIT_BYTES:
        return whole
    return encoded[: TEXT_LIMIT_BYTES - 3].decode(errors="ignore") + "..."


def malformed(text: str) -> PeerError:
    """Return the error of a field whose bytes mean nothing."""
    return PeerError(SYNTAX_ERROR, text)
