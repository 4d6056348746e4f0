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
VOLATILE: Final = 11  # the number of a queue that ends with the process, while some of it is on disk
USER: Final = 12  # of the store, beside those of the configuration
PERMISSION: Final = 13  # of a user in a virtual host
POLICY: Final = 14

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
    VOLATILE: "transient queue",
    USER: "user",
    PERMISSION: "permission",
    POLICY: "policy",
}

OPERATOR: Final = "operator"  # the last part of the key of a policy, if it is an operator policy
SEPARATOR: Final = "\x00"  # between the parts of a key; no name has one, but the key of a binding may


def key_of(*parts: str) -> str:
    """Return the key of a definition."""
    return SEPARATOR.join(parts)


def described(kind: int, key: str) -> str:
    """Return what a definition is of, as people know it; its kind or key may be damaged."""
    name = NAMES.get(kind, f"definition of kind {kind}")
    first, *others = [repr(part) for part in parts_of(key)]
    if kind in (SEEN, USER, PERMISSION, VOLATILE) or not others:
        return " ".join([name, *[part for part in (first, *others) if part != "''"]])
    return f"{name} {' '.join(others)} in vhost {first}"


def parts_of(key: str) -> list[str]:
    """Return what `key_of` was given."""
    return key.split(SEPARATOR)
