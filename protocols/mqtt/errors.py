"""What MQTT does about mistakes: the peer's (`PeerError`) and requests that the broker cannot meet (`OUTCOMES`).

Both are said with the reason codes of MQTT 5.0. A dialect without reason codes says what it has a word for: 3.1.1 knows a
code in CONNACK, a failure in SUBACK, and the closed connection for all else.
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

# Reason codes, MQTT 5.0 §2.4.
SUCCESS: Final = 0x00
DISCONNECT_WITH_WILL: Final = 0x04
NO_MATCHING_SUBSCRIBERS: Final = 0x10
NO_SUBSCRIPTION_EXISTED: Final = 0x11
FAILURE: Final = 0x80  # this and all above mean that something failed
MALFORMED: Final = 0x81
PROTOCOL_ERROR: Final = 0x82
IMPLEMENTATION_ERROR: Final = 0x83
UNSUPPORTED_VERSION: Final = 0x84
CLIENT_ID_NOT_VALID: Final = 0x85
BAD_CREDENTIALS: Final = 0x86
NOT_AUTHORIZED: Final = 0x87
SERVER_UNAVAILABLE: Final = 0x88
SHUTTING_DOWN: Final = 0x8B
BAD_AUTHENTICATION_METHOD: Final = 0x8C
KEEP_ALIVE_TIMEOUT: Final = 0x8D
TAKEN_OVER: Final = 0x8E
FILTER_INVALID: Final = 0x8F
TOPIC_INVALID: Final = 0x90
UNKNOWN_PACKET_ID: Final = 0x92
RECEIVE_MAXIMUM_EXCEEDED: Final = 0x93
TOPIC_ALIAS_INVALID: Final = 0x94
PACKET_TOO_LARGE: Final = 0x95
QUOTA_EXCEEDED: Final = 0x97
ADMINISTRATIVE_ACTION: Final = 0x98


class PeerError(Exception):
    """The peer broke the rules of the protocol; the connection is closed [MQTT-4.8.0-1], [MQTT-4.13.1-1]."""

    def __init__(self, text: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class Malformed(PeerError):
    """The bytes are not a packet."""

    def __init__(self, text: str) -> None:
        super().__init__(text, MALFORMED)


class Forbidden(PeerError):
    """The packet is well formed but must not come, or not now, or not of this size."""


class Refused(PeerError):
    """A CONNECT that is answered with a code before the connection is closed [MQTT-3.2.2-5], [MQTT-3.2.2-7]."""


class Outcome:
    """What becomes of a request that raised a BrokerError.

    `connack` and `reason` are reason codes, for a login and for what is published or subscribed to. `publish_closes`: a
    PUBLISH that raised it closes the connection; otherwise it is acknowledged and dropped [MQTT-3.3.5-2], as Mosquitto does.
    """

    def __init__(self, connack: int, reason: int, *, publish_closes: bool) -> None:
        self.connack = connack
        self.reason = reason
        self.publish_closes = publish_closes


OUTCOMES: Final[dict[type[BrokerError], Outcome]] = {
    NotFound: Outcome(NOT_AUTHORIZED, IMPLEMENTATION_ERROR, publish_closes=True),
    Denied: Outcome(NOT_AUTHORIZED, NOT_AUTHORIZED, publish_closes=False),
    Locked: Outcome(NOT_AUTHORIZED, NOT_AUTHORIZED, publish_closes=True),
    Mismatch: Outcome(NOT_AUTHORIZED, IMPLEMENTATION_ERROR, publish_closes=True),
    InUse: Outcome(SERVER_UNAVAILABLE, IMPLEMENTATION_ERROR, publish_closes=True),
    ExclusiveUse: Outcome(SERVER_UNAVAILABLE, IMPLEMENTATION_ERROR, publish_closes=True),
    Invalid: Outcome(CLIENT_ID_NOT_VALID, FILTER_INVALID, publish_closes=True),
    InvalidSelector: Outcome(CLIENT_ID_NOT_VALID, FILTER_INVALID, publish_closes=True),
    Limit: Outcome(SERVER_UNAVAILABLE, QUOTA_EXCEEDED, publish_closes=True),
    Unsupported: Outcome(SERVER_UNAVAILABLE, IMPLEMENTATION_ERROR, publish_closes=True),
}


def outcome_of(error: BrokerError) -> Outcome:
    """Return what MQTT does about the error."""
    return OUTCOMES[type(error)]
