"""What a peer did wrong, and how it is told: the ERROR frame (STOMP 1.2 "ERROR").

The `message` header is one of RabbitMQ's short texts, the body says what it is about. After ERROR the connection
closes. `BROKER_ERRORS` of the core are mapped in one total table.
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
from protocols.stomp.versions import SUPPORTED

DETAIL_LIMIT_BYTES: Final = 1 << 10  # of the body, which quotes the peer

# For each BrokerError: the `message` header. Names as in AMQP 0-9-1's reply codes, which RabbitMQ shows here too.
MESSAGES: Final[dict[type[BrokerError], str]] = {
    NotFound: "not_found",
    Denied: "access_refused",
    Locked: "resource_locked",
    Mismatch: "precondition_failed",
    InUse: "precondition_failed",
    ExclusiveUse: "access_refused",
    Invalid: "precondition_failed",
    InvalidSelector: "precondition_failed",
    Limit: "resource_error",
    Unsupported: "not_implemented",
}


class PeerError(Exception):
    """The peer broke a rule of the protocol or asked for something that cannot be."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message, detail)
        self.message = message  # short and constant: the `message` header
        self.detail = detail  # what it is about: the body


def translated(error: BrokerError) -> PeerError:
    """Return what the peer is told about a request that the broker cannot meet."""
    message = MESSAGES[type(error)]
    return PeerError(message, f"{message.upper()} - {error.text}")


def error_frame(error: PeerError, receipt: bytes | None) -> bytes:
    """Return the ERROR frame; `receipt` is the escaped receipt header of the frame that failed, if it has one."""
    body = shown(error.detail).encode()
    receipt_line = b"receipt-id:" + receipt + b"\n" if receipt is not None else b""
    return (
        f"ERROR\nmessage:{error.message}\ncontent-type:text/plain\nversion:{SUPPORTED}\n".encode()
        + receipt_line
        + b"content-length:%d\n\n" % len(body)
        + body
        + b"\0"
    )


def shown(text: str) -> str:
    """Return a text that quotes the peer, cut to a bearable length and without control characters."""
    text = text[:DETAIL_LIMIT_BYTES]
    if not text.isprintable():
        text = "".join([c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text])
    return text.encode()[:DETAIL_LIMIT_BYTES].decode(errors="ignore")
