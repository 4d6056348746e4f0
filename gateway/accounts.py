"""Who is there, and whether a password is right.

Argon2 makes one guess cost tens of milliseconds and of memory, so it runs in a worker thread (`check`), and a password
that was right once is recognised by a keyed digest from then on (`cached`): ten thousand devices that come back
at the same time need ten thousand digests and not ten thousand hashes. The key is random and dies with the process.
"""

import hashlib
import hmac
import secrets
import threading
from typing import Final

from core.access import EVERYTHING, Permission, User
from gateway.config import GUEST, Config, ConfiguredUser
from gateway.patterns import compile_pattern
from gateway.scram_secret import ITERATIONS_LEAST, MECHANISM, Secret
from gateway.scram_secrets import secrets_of
from protocols.exchange import Exchange

DIGEST_BYTES: Final = 32

NONCE_BYTES: Final = 18  # of randomness, in 24 characters, as PostgreSQL

# The cost of one hash: OWASP's first choice for argon2id (password storage cheat sheet, 2025).
TIME_COST: Final = 2
MEMORY_COST_KIB: Final = 19_456
PARALLELISM: Final = 1

# Stands for the hash of users who do not exist when no user has one: nobody knows a password for it.
NOBODYS_HASH: Final = (
    f"$argon2id$v=19$m={MEMORY_COST_KIB},t={TIME_COST},p={PARALLELISM}"
    "$W8m/v5D6ZRD5lKxkMsZYHg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


class Verdict:
    """The answer to a login: the user, or None and a reason for the log (never for the client)."""

    def __init__(self, user: User | None, reason: str = "") -> None:
        self.user = user
        self.reason = reason


class Accounts:
    """The users and their passwords: those of a configuration, and those who are let in beside them while the broker runs."""

    def __init__(self, config: Config) -> None:
        self.users: dict[str, User] = {}
        self._config = config
        self._anonymous = config.anonymous_user
        self._changing = threading.Lock()  # between a change and a worker that has just found an old password right
        self._hashes: dict[str, str] = {}
        self._keyed = hashlib.blake2b(digest_size=DIGEST_BYTES, key=secrets.token_bytes(DIGEST_BYTES))
        self._right: dict[str, bytes] = {}  # user: digest of the password that was right; one a user at most
        for configured in config.user:
            self.users[configured.name] = _user(configured)
            if configured.password_hash is not None:
                self._hashes[configured.name] = configured.password_hash
        self._decoy = _costliest(list(self._hashes.values()))
        self._secrets = secrets_of(config)
        if config.has_default_guest:
            self.welcome_guest()

    # Changes, in the thread of the reactor

    def admit(self, user: User, password_hash: str, secret: Secret | None) -> None:
        """Let a new user in, or a known one with another password from now on. An empty hash: no password is right."""
        name = user.name
        if password_hash and not (self._hashes and _costs_as(self._decoy, password_hash)):
            self._decoy = _costliest([self._decoy, password_hash] if self._hashes else [password_hash])
        with self._changing:
            self.users[name] = user
            self._right.pop(name, None)
            self._hashes.pop(name, None)
            if password_hash:
                self._hashes[name] = password_hash
        self._secrets.remove(name)
        if secret is not None:
            self._secrets.add(name, secret)

    def proves_itself_as(self, name: str) -> str:
        """Return the user whose name SCRAM cannot tell from `name`, or nothing."""
        from gateway.scram import prepared_name

        return self._secrets.owner(prepared_name(name))

    def remember(self, kept: list[str]) -> None:
        """Learn all hashes and secrets that the store has at the start (`gateway.scram_secrets`)."""
        self._secrets.draw_from(kept)

    def expel(self, name: str) -> User:
        """Let a user in no more, and leave it no permission; return it for those who are connected in its name."""
        with self._changing:
            user = self.users.pop(name)
            self._right.pop(name, None)
            self._hashes.pop(name, None)
        self._secrets.remove(name)
        user.permissions.clear()
        return user

    def welcome_guest(self) -> None:
        """Let `guest` in with its well-known password, because nobody else is there."""
        from gateway.scram import new_secret

        self.admit(_default_guest(self._config), "", new_secret(GUEST.encode(), ITERATIONS_LEAST))
        self._right[GUEST] = self._digest(GUEST, GUEST.encode())
        self._anonymous = self._config.anonymous_user

    def dismiss_guest(self) -> User:
        """Let `guest` in no more, because somebody else is there, nor those without a name as `guest`; return it as `expel` does."""
        self._anonymous = self._config.anonymous or ""
        return self.expel(GUEST)

    def has_password(self, name: str) -> bool:
        """Tell whether any password is right for a user: `guest` has one without a hash."""
        return name in self._hashes or name in self._right

    def has_secret(self, name: str) -> bool:
        """Tell whether a user may prove itself by SCRAM."""
        return self._secrets.has(name)

    # Logins

    def cached(self, username: str, password: bytes, *, loopback: bool) -> Verdict | None:
        """Return the verdict if no hash is needed for it, else None: then `check` must be asked.

        An empty `username` asks for the anonymous user.
        """
        if not username:
            return self._anonymous_verdict(password, loopback=loopback)
        user = self.users.get(username)
        if user is not None and user.loopback_only and not loopback:
            return _from_afar(user)
        if not password:
            return Verdict(None, f"user '{username}' came without a password")
        right = self._right.get(username)
        if user is not None and right is not None and hmac.compare_digest(right, self._digest(username, password)):
            return Verdict(user)
        return None

    def check(self, username: str, password: bytes, *, loopback: bool) -> Verdict:
        """Return the verdict, at the cost of one hash whoever asks. Blocks: for a worker thread.

        A name that does not exist and a wrong password differ neither in time nor in the verdict.
        """
        known = self.cached(username, password, loopback=loopback)
        if known is not None:
            return known
        stored = self._hashes.get(username)
        right = _verify(stored if stored is not None else self._decoy, password)
        with self._changing:
            user = self.users.get(username)
            if user is None or stored is None or not right or self._hashes.get(username) != stored:
                return Verdict(None, f"user '{username}': wrong name or password")
            self._right[username] = self._digest(username, password)
        return Verdict(user)

    def exchange(self, method: str) -> Exchange | None:
        """Begin to authenticate a client by SCRAM, or return None when the method is another, or nobody has a secret."""
        if method != MECHANISM or not self._secrets.offered:
            return None
        from gateway.scram import Scram

        return Scram(secrets.token_urlsafe(NONCE_BYTES), self._secrets.find)

    def proven(self, prepared_name: str, *, loopback: bool) -> Verdict:
        """Return the verdict on a client whose exchange has shown that it is a user."""
        user = self.users.get(self._secrets.owner(prepared_name))
        if user is None:
            return Verdict(None, f"there is no user '{prepared_name}'")
        if user.loopback_only and not loopback:
            return _from_afar(user)
        return Verdict(user)

    def certified(self, username: str, certificate_user: str, *, loopback: bool) -> Verdict:
        """Return the verdict on a client that gives no password, for a verified certificate names it."""
        if not username or username != certificate_user:
            return Verdict(None, f"user '{username}' came without a password and without a certificate of that name")
        user = self.users.get(username)
        if user is None:
            return Verdict(None, f"the certificate is that of '{username}', and there is no such user")
        if user.loopback_only and not loopback:
            return _from_afar(user)
        return Verdict(user)

    def _anonymous_verdict(self, password: bytes, *, loopback: bool) -> Verdict:
        user = self.users.get(self._anonymous)
        if user is None:
            return Verdict(None, "anonymous clients are not allowed")
        if password:
            return Verdict(None, "a password came without a user name")
        if user.loopback_only and not loopback:
            return _from_afar(user)
        return Verdict(user)

    def _digest(self, username: str, password: bytes) -> bytes:
        name = username.encode(errors="surrogatepass")
        told = len(name).to_bytes(8, "big") + name + password
        keyed = self._keyed.copy()
        keyed.update(told)
        return keyed.digest()


def hash_password(password: bytes) -> str:
    """Return the hash of a password in the PHC form that the configuration takes."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_COST_KIB, parallelism=PARALLELISM)
    return hasher.hash(password)


def _verify(stored: str, password: bytes) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _user(configured: ConfiguredUser) -> User:
    user = User(configured.name, tags=tuple(configured.tags), loopback_only=configured.loopback_only)
    for permission in configured.permission:
        user.permissions[permission.vhost] = Permission(
            compile_pattern(permission.configure),
            compile_pattern(permission.write),
            compile_pattern(permission.read),
            compile_pattern(permission.write_topics),
            compile_pattern(permission.read_topics),
        )
    return user


def _default_guest(config: Config) -> User:
    """Return the user of a file without users: everything in every virtual host, since nobody else could enter one."""
    user = User(GUEST, tags=("administrator",), loopback_only=True)
    for name in config.vhosts:
        user.permissions[name] = Permission(EVERYTHING, EVERYTHING, EVERYTHING)
    return user


def _from_afar(user: User) -> Verdict:
    return Verdict(None, f"user '{user.name}' may connect from loopback only")


def _costs_as(one: str, other: str) -> bool:
    """Tell whether two hashes say the same parameters: those of all who were made with the defaults do."""
    return one.split("$", 4)[:4] == other.split("$", 4)[:4]


def _costliest(hashes: list[str]) -> str:
    """Return a hash that costs as much as the costliest of `hashes` and that no password fits: its digest is zero."""
    if not hashes:
        return NOBODYS_HASH
    from argon2 import extract_parameters

    def cost(encoded: str) -> int:
        parameters = extract_parameters(encoded)
        return parameters.time_cost * parameters.memory_cost

    head, _, digest = max(hashes, key=cost).rpartition("$")
    return f"{head}${'A' * len(digest)}"
