"""Whose SCRAM secrets there are, and what nobody's look like: a name that does not exist cannot be told from one that does.

A made-up secret has salt and iterations as users have them, always the same for a name, also after a restart: they are
drawn from a key that is made of all that is secret in the configuration.
"""

import hashlib
import hmac
import secrets

from gateway.config import GUEST, Config
from gateway.scram_secret import ITERATIONS_LEAST, KEY_BYTES, Secret, parse_secret


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

    def owner(self, prepared: str) -> str:
        """Return the user whose name has that form, or nothing."""
        return self._owners.get(prepared, "")

    def find(self, prepared: str) -> Secret:
        """Return the secret of a user, or one that nobody has a password for. There must be some user with a secret."""
        made_up = self._made_up(prepared)  # in any case, since time tells too
        return self._by_name.get(prepared, made_up)

    def _made_up(self, prepared: str) -> Secret:
        models = list(self._by_name.values())
        model = models[int.from_bytes(self._drawn(b"model", prepared)) % len(models)]
        salt = b""
        while len(salt) < len(model.salt):
            salt += self._drawn(b"salt %d" % len(salt), prepared)
        return Secret(
            salt[: len(model.salt)],
            model.iterations,
            self._drawn(b"stored key", prepared),
            self._drawn(b"server key", prepared),
        )

    def _drawn(self, what: bytes, prepared: str) -> bytes:
        return hmac.digest(self._key, what + b"\0" + prepared.encode(), "sha256")


def secrets_of(config: Config) -> Secrets:
    """Return the secrets of a configuration; that of the default `guest` is made anew."""
    found = Secrets(_key_of(config))
    for user in config.user:
        if user.scram_sha_256 is not None:
            found.add(user.name, parse_secret(user.scram_sha_256))
    if config.has_default_guest:
        from gateway.scram import new_secret

        found.add(GUEST, new_secret(GUEST.encode(), ITERATIONS_LEAST))
    return found


def _key_of(config: Config) -> bytes:
    kept = sorted(text for user in config.user for text in (user.scram_sha_256, user.password_hash) if text is not None)
    if not kept:
        return secrets.token_bytes(KEY_BYTES)
    return hashlib.sha256("\n".join(kept).encode()).digest()
