"""The ack modes, and how an ACK or NACK names what it settles (STOMP 1.2 "ACK", "NACK").

A message's id is what its dialect begins ids of the subscription with, and a number. Messages of a subscription are
numbered from 1, so with cumulative acknowledgement a number stands for all before it.
"""

from typing import Final

from protocols.stomp.errors import PeerError

AUTO: Final = 0  # settled by delivering
CLIENT: Final = 1  # an ACK covers everything before it
INDIVIDUAL: Final = 2  # an ACK covers one message

MODES: Final[dict[str, int]] = {"auto": AUTO, "client": CLIENT, "client-individual": INDIVIDUAL}
NUMBER_DIGITS: Final = 18
DIGITS: Final = b"0123456789"


def split_id(message_id: bytes) -> tuple[bytes, int]:
    """Return the name of the subscription's writer and the number, or raise PeerError."""
    name = message_id.rstrip(DIGITS)
    digits = message_id[len(name) :]
    if not digits or len(digits) > NUMBER_DIGITS:
        raise unknown_message(message_id)
    return name, int(digits)


def unknown_message(message_id: bytes) -> PeerError:
    """Return the error for an id that names no message that can be acknowledged now."""
    return PeerError("Invalid header", f"no message '{message_id.decode(errors='replace')}' waits to be acknowledged")
