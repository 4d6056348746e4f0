"""The users of the store and their permissions: definitions, told to the journal as they change.

Here they are what people said: the hash of a password, patterns as text. Who checks passwords and compiles patterns makes a
`core.access.User` of them. The journal must be active; who changes something promises it to nobody before its batch is stored.
"""

from typing import Any, Final

from core.model.errors import InUse, Limit, NotFound
from core.store.journal import Journal
from core.store.kinds import PERMISSION, USER, key_of
from core.store.values import dump

USERS_LIMIT: Final = 50_000  # one for each client that may be connected, unless configured otherwise
PERMISSIONS_LIMIT: Final = 100_000  # of all users: two virtual hosts for each
LOST: Final = ""  # the name under which it is kept that a user could not be read

Patterns = tuple[str, str, str, str, str]  # configure, write, read, write_topics, read_topics


class Principal:
    """A user of the store."""

    def __init__(
        self, name: str, password_hash: str, scram: str, tags: tuple[str, ...], *, loopback_only: bool = False
    ) -> None:
        self.name = name
        self.password_hash = password_hash  # of argon2, in PHC form; empty: no password is right
        self.scram = scram  # secret for SCRAM-SHA-256; empty: there is none
        self.tags = tags
        self.loopback_only = loopback_only
        self.permissions: dict[str, Patterns] = {}  # by virtual host


class Principals:
    """All users of the store, by name."""

    def __init__(self, journal: Journal) -> None:
        self.users: dict[str, Principal] = {}
        self._journal = journal
        self._permissions = 0
        self._lost = False  # there was a user who could not be read, and since then no last one was removed

    @property
    def count(self) -> int:
        """How many users the store names. Those who cannot be read count as one: damage must not open the door to `guest`."""
        return len(self.users) + self._lost

    def find(self, name: str) -> Principal:
        """Return a user, or raise NotFound."""
        principal = self.users.get(name)
        if principal is None:
            raise NotFound(f"there is no user '{name}' in the store")
        return principal

    def add(self, principal: Principal) -> None:
        """Keep a new user, who has no permission yet. InUse when there is one of that name, Limit when there are too many."""
        if principal.name in self.users:
            raise InUse(f"there is a user '{principal.name}' already")
        if len(self.users) >= USERS_LIMIT:
            raise Limit(f"no room for user '{principal.name}': there are {USERS_LIMIT} users in the store")
        self.users[principal.name] = principal
        self.changed(principal)

    def changed(self, principal: Principal) -> None:
        """Keep what has changed of a user, permissions aside."""
        stated = [principal.password_hash, principal.scram, list(principal.tags), principal.loopback_only]
        self._journal.define(USER, principal.name, dump(stated))

    def remove(self, principal: Principal) -> None:
        """Forget a user with all permissions."""
        for vhost in list(principal.permissions):
            self.forbid(principal, vhost)
        del self.users[principal.name]
        self._journal.define(USER, principal.name, None)
        if self._lost and not self.users:
            self._lost = False
            self._journal.define(USER, LOST, None)

    def permit(self, principal: Principal, vhost: str, patterns: Patterns) -> None:
        """Set what a user may do in a virtual host. Limit when there are too many permissions."""
        if vhost not in principal.permissions:
            if self._permissions >= PERMISSIONS_LIMIT:
                raise Limit(
                    f"no room for a permission of user '{principal.name}' in vhost '{vhost}':"
                    f" there are {PERMISSIONS_LIMIT} permissions in the store"
                )
            self._permissions += 1
        principal.permissions[vhost] = patterns
        self._journal.define(PERMISSION, key_of(principal.name, vhost), dump(list(patterns)))

    def forbid(self, principal: Principal, vhost: str) -> None:
        """Forget what a user may do in a virtual host, or raise NotFound."""
        if vhost not in principal.permissions:
            raise NotFound(f"user '{principal.name}' has no permission in vhost '{vhost}'")
        del principal.permissions[vhost]
        self._permissions -= 1
        self._journal.define(PERMISSION, key_of(principal.name, vhost), None)

    def restore(self, kind: int, names: list[str], stated: Any) -> None:
        """Take back what the store has. ValueError or TypeError when that is not what was stated, NotFound without its user.

        Users come before permissions, as their kinds do.
        """
        if kind == USER:
            (name,) = names
            if name == LOST:
                self._lost = True
                return
            password_hash, scram, tags, loopback_only = stated
            _check_texts([password_hash, scram, *tags])
            self.users[name] = Principal(name, password_hash, scram, tuple(tags), loopback_only=bool(loopback_only))
            return
        name, vhost = names
        configure, write, read, write_topics, read_topics = stated
        _check_texts(stated)
        self.find(name).permissions[vhost] = (configure, write, read, write_topics, read_topics)
        self._permissions += 1

    def lost(self) -> None:
        """Learn that a user cannot be read, and remember it. The journal may begin later."""
        self._lost = True
        self._journal.define(USER, LOST, dump([]))


def _check_texts(values: list[Any]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
