"""Whose SCRAM secrets there are, and what nobody's look like: a name that does not exist cannot be told from one that does.

A made-up secret has salt and iterations as users have them, always the same for a name, also after a restart: they are
drawn from a key that is made of all that is secret in the configuration, and in the store when the broker starts.
"""

import hashlib
import hmac
import secrets

from gateway.config import Config
from gateway.scram_secret import ITERATIONS, KEY_BYTES, SALT_BYTES, Secret, parse_secret


class Secrets:
    """The secrets of a configuration, by the form of a name that SCRAM looks up."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._by_name: dict[str, Secret] = {}
        self._owners: dict[str, str] = {}  # names as they are configured

    @property
    def offered(self) -> bool:
        """Whether there is anybody to let in."""
        return bool(self._by_name)

    def add(self, name: str, secret: Secret) -> None:
        """Let a user prove itself."""
        from gateway.scram import prepared_name

        prepared = prepared_name(name)
        self._by_name[prepared] = secret
        self._owners[prepared] = name

    def remove(self, name: str) -> None:
        """Let a user prove itself no more."""
        if not self._owners:
            return
        from gateway.scram import prepared_name

        prepared = prepared_name(name)
        if self._owners.get(prepared) == name:
            del self._by_name[prepared]
            del self._owners[prepared]

    def draw_from(self, kept: list[str]) -> None:
        """Draw made-up secrets from these texts too, which are kept from one start to the next."""
        self._key = hashlib.sha256(self._key + "\n".join(sorted(kept)).encode()).digest()

    def owner(self, prepared: str) -> str:
        """Return the user whose name has that form, or nothing."""
        return self._owners.get(prepared, "")

    def has(self, name: str) -> bool:
        """Tell whether a user has a secret."""
        return name in self._owners.values()

    def find(self, prepared: str) -> Secret:
        """Return the secret of a user, or one that nobody has a password for."""
        made_up = self._made_up(prepared)  # in any case, since time tells too
        return self._by_name.get(prepared, made_up)

    def _made_up(self, prepared: str) -> Secret:
        iterations, salt_bytes = ITERATIONS, SALT_BYTES
        models = list(self._by_name.values())
        if models:  # else the last one is gone since the exchange began
            model = models[int.from_bytes(self._drawn(b"model", prepared)) % len(models)]
            iterations, salt_bytes = model.iterations, len(model.salt)
        salt = b""
        while len(salt) < salt_bytes:
            salt += self._drawn(b"salt %d" % len(salt), prepared)
        return Secret(
            salt[:salt_bytes],
            iterations,
            self._drawn(b"stored key", prepared),
            self._drawn(b"server key", prepared),
        )

    def _drawn(self, what: bytes, prepared: str) -> bytes:
        return hmac.digest(self._key, what + b"\0" + prepared.encode(), "sha256")


def secrets_of(config: Config) -> Secrets:
    """Return the secrets of a configuration."""
    found = Secrets(_key_of(config))
    for user in config.user:
        if user.scram_sha_256 is not None:
            found.add(user.name, parse_secret(user.scram_sha_256))
    return found


def _key_of(config: Config) -> bytes:
    kept = sorted(text for user in config.user for text in (user.scram_sha_256, user.password_hash) if text is not None)
    if not kept:
        return secrets.token_bytes(KEY_BYTES)
    return hashlib.sha256("\n".join(kept).encode()).digest()
