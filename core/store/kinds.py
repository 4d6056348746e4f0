"""Kinds of definitions, as the store has them. Never to be numbered anew; restored in this order."""

from typing import Final

EXCHANGE: Final = 1
QUEUE: Final = 2
BINDING: Final = 3
RETAINED: Final = 4
SESSION: Final = 5  # of MQTT; what it has is told by SUBSCRIPTION and IN_FLIGHT
SEEN: Final = 6  # entries that may have been delivered before an orderly stop
DELAYED: Final = 7
SUBSCRIPTION: Final = 8  # of a session
IN_FLIGHT: Final = 9  # packet ids of a session, 256 in a record
GROUP: Final = 10  # of shared subscriptions; its members are told by SUBSCRIPTION

NAMES: Final = {
    EXCHANGE: "exchange",
    QUEUE: "queue",
    BINDING: "binding",
    RETAINED: "retained message",
    SESSION: "session",
    SEEN: "deliveries",
    DELAYED: "delayed message",
    SUBSCRIPTION: "subscription",
    IN_FLIGHT: "page of packet ids",
    GROUP: "group",
}

SEPARATOR: Final = "\x00"  # between the parts of a key; no name has one, but the key of a binding may


def key_of(*parts: str) -> str:
    """Return the key of a definition."""
    return SEPARATOR.join(parts)


def parts_of(key: str) -> list[str]:
    """Return what `key_of` was given."""
    return key.split(SEPARATOR)
