"""What is kept of a password for SCRAM-SHA-256, and its text in the configuration, which is PostgreSQL's.

`SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY`, the last three in Base64. It is never shown in an error.
"""

import base64
import re
from typing import Final

MECHANISM: Final = "SCRAM-SHA-256"
KEY_BYTES: Final = 32  # of a StoredKey and of a ServerKey
SALT_BYTES: Final = 16  # of a new secret, as PostgreSQL
SALT_LEAST_BYTES: Final = 12  # what scramp takes; PostgreSQL's have 16
ITERATIONS_LEAST: Final = 4_096  # RFC 7677 §4
ITERATIONS_MOST: Final = 10_000_000  # what scramp takes
ITERATIONS: Final = 15_000  # unless said otherwise: RFC 7677 §4, for clients that are no small devices

FORM: Final = re.compile(r"SCRAM-SHA-256\$([1-9][0-9]{0,7}):([^$:]+)\$([^$:]+):([^$:]+)")


class Secret:
    """Enough to check a proof of a password, and not enough to make one (RFC 5802 §3)."""

    def __init__(self, salt: bytes, iterations: int, stored_key: bytes, server_key: bytes) -> None:
        self.salt = salt
        self.iterations = iterations
        self.stored_key = stored_key
        self.server_key = server_key

    def __str__(self) -> str:
        """Return the text for the configuration."""
        salt, stored_key, server_key = (
            base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key)
        )
        return f"{MECHANISM}${self.iterations}:{salt}${stored_key}:{server_key}"


def parse_secret(text: str) -> Secret:
    """Return what the text says; ValueError when it is none."""
    found = FORM.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        secret = Secret(_base64(found[2]), int(found[1]), _base64(found[3]), _base64(found[4]))
        if not _is_usable(secret):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"is not a secret of SCRAM-SHA-256 with {ITERATIONS_LEAST} iterations or more: "
            "make one with `dragoman hash-password --scram`"
        ) from None
    return secret


def _is_usable(secret: Secret) -> bool:
    return (
        ITERATIONS_LEAST <= secret.iterations <= ITERATIONS_MOST
        and len(secret.salt) >= SALT_LEAST_BYTES
        and len(secret.stored_key) == KEY_BYTES
        and len(secret.server_key) == KEY_BYTES
    )


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
