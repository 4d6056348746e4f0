"""What MQTT does about mistakes: the peer's (`PeerError`) and requests that the broker cannot meet (`OUTCOMES`).

MQTT 3.1.1 has few words for errors: a code in CONNACK, a failure in SUBACK, and the closed connection for all else.
"""

from typing import Final

from core.model.errors import (
    BrokerError,
    Denied,
    ExclusiveUse,
    InUse,
    Invalid,
    Limit,
    Locked,
    Mismatch,
    NotFound,
    Unsupported,
)

ACCEPTED: Final = 0x00  # CONNACK return codes, MQTT 3.1.1 table 3.1
UNACCEPTABLE_PROTOCOL: Final = 0x01
IDENTIFIER_REJECTED: Final = 0x02
SERVER_UNAVAILABLE: Final = 0x03
BAD_CREDENTIALS: Final = 0x04
NOT_AUTHORIZED: Final = 0x05

SUBSCRIPTION_FAILED: Final = 0x80  # SUBACK return code, [MQTT-3.9.3-2]


class PeerError(Exception):
    """The peer broke the rules of the protocol; the connection is closed [MQTT-4.8.0-1]."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Malformed(PeerError):
    """The bytes are not a packet."""


class Forbidden(PeerError):
    """The packet is well formed but must not come, or not now, or not of this size."""


class Refused(PeerError):
    """A CONNECT that is answered with a return code before the connection is closed [MQTT-3.2.2-5]."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Outcome:
    """What becomes of a request that raised a BrokerError.

    `publish_closes`: a PUBLISH that raised it closes the connection; otherwise it is acknowledged and dropped
    [MQTT-3.3.5-2], as Mosquitto does.
    """

    def __init__(self, connack: int, suback: int, *, publish_closes: bool) -> None:
        self.connack = connack
        self.suback = suback
        self.publish_closes = publish_closes


OUTCOMES: Final[dict[type[BrokerError], Outcome]] = {
    NotFound: Outcome(NOT_AUTHORIZED, SUBSCRIPTION_FAILED, publish_closes=True),
    Denied: Outcome(NOT_AUTHORIZED, SUBSCRIPTION_FAILED, publish_closes=False),
    Locked: Outcome(NOT_AUTHORIZED, SUBSCRIPTION_FAILED, publish_closes=True),
    Mismatch: Outcome(NOT_AUTHORIZED, SUBSCRIPTION_FAILED, publish_closes=True),
    InUse: Outcome(SERVER_UNAVAILABLE, SUBSCRIPTION_FAILED, publish_closes=True),
    ExclusiveUse: Outcome(SERVER_UNAVAILABLE, SUBSCRIPTION_FAILED, publish_closes=True),
    Invalid: Outcome(IDENTIFIER_REJECTED, SUBSCRIPTION_FAILED, publish_closes=True),
    Limit: Outcome(SERVER_UNAVAILABLE, SUBSCRIPTION_FAILED, publish_closes=True),
    Unsupported: Outcome(SERVER_UNAVAILABLE, SUBSCRIPTION_FAILED, publish_closes=True),
}


def outcome_of(error: BrokerError) -> Outcome:
    """Return what MQTT does about the error."""
    return OUTCOMES[type(error)]
