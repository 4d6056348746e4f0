"""The versions of STOMP, and which of them a connection speaks (STOMP 1.2 "Protocol Negotiation")."""

from typing import Final

V1_0: Final = 0
V1_1: Final = 1
V1_2: Final = 2

NAMES: Final = ("1.0", "1.1", "1.2")  # by version
SUPPORTED: Final = ",".join(NAMES)


def negotiated(accept_version: str | None) -> int | None:
    """Return the highest version that both sides speak; None when there is none. No header means 1.0."""
    if accept_version is None:
        return V1_0
    accepted = [name.strip() for name in accept_version.split(",")]
    for version in (V1_2, V1_1, V1_0):
        if NAMES[version] in accepted:
            return version
    return None
