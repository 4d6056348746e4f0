"""The users of the store, changed while the broker runs: checked, kept, and in force at once.

Users whom the configuration names are not changed here, and where the store has one of the same name the configuration's counts.
`guest` is there while neither names anybody. What is kept is known to be stored when its batch is, as for everything durable.
"""

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from heapq import nsmallest
from typing import Any, Final

import structlog

from core.access import IMPERSONATOR, NOTHING, NamePattern, Permission, User
from core.broker import Broker
from core.model.errors import Denied, InUse, Invalid, NotFound
from core.principals import Patterns, Principal
from gateway.accounts import Accounts
from gateway.config import GUEST, Config
from gateway.patterns import compile_pattern, text_of
from gateway.scram_secret import Secret, parse_secret
from gateway.values import check_entity_name, check_password_hash

TAGS: Final = ("administrator", "monitoring", "policymaker", "management", IMPERSONATOR)  # RabbitMQ's
PATTERNS: Final = ("configure", "write", "read", "write_topics", "read_topics")
PATTERNS_SHARED: Final = 1_024  # compiled once for all users that have them; most have `.*` or one of a few more
LINES_LIMIT: Final = 100  # of the log, of each kind, at one start
LIST_LIMIT: Final = 200  # users told of at a time: a page of the longest names is less than a megabyte
# Of patterns, after which the other permissions of a user are told of another time: about a megabyte, if each is an escape of 12.
PATTERNS_CHARS: Final = 64 << 10

Concerned = Callable[[User, str], None]  # have those who are connected as a user ask again what they may do, and why

log = structlog.get_logger("dragoman.users")


class Users:
    """What may be asked about users while the broker runs. A BrokerError changes nothing; Invalid is a mistake of who asks.

    `named` is the file that names the users of the configuration. Without a `config` nothing is known of it, so no name and no
    virtual host is refused for its sake.
    """

    def __init__(
        self, broker: Broker, accounts: Accounts, config: Config | None, named: str, concerned: Concerned
    ) -> None:
        self._broker = broker
        self._principals = broker.principals
        self._accounts = accounts
        self._config = config
        self._named = named
        self._concerned = concerned
        self._configured = {user.name for user in config.user} if config is not None else set()
        # Of all users in order, from one page of a list to the next; empty when they have changed.
        self._names: list[str] = []
        self._guest = not self._configured  # whether `guest` is there without being named

    def begin(self) -> None:
        """Let in whom the store has, before anybody can connect."""
        principals = self._principals
        kept = [text for user in principals.users.values() for text in (user.password_hash, user.scram) if text]
        if kept:
            self._accounts.remember(kept)
        self._settle_guest()
        hidden: list[str] = []
        waiting: list[tuple[str, str]] = []
        for principal in principals.users.values():
            if principal.name in self._configured:
                hidden.append(principal.name)
            else:
                self._let_in(principal, _user(principal))
                waiting += [(principal.name, vhost) for vhost in principal.permissions if not self._has(vhost)]
        for name in hidden[:LINES_LIMIT]:
            log.warning("a user of the store is not used: the configuration names one", user=name, file=self._named)
        for name, vhost in waiting[:LINES_LIMIT]:
            log.warning("a permission in a vhost that is not configured", user=name, vhost=vhost)
        more = max(0, len(hidden) - LINES_LIMIT) + max(0, len(waiting) - LINES_LIMIT)
        if more:
            log.warning("more users or permissions of the store that are not used", more=more)

    def _has(self, vhost: str) -> bool:
        return vhost in self._broker.vhosts

    # What may be asked

    def add(self, name: str, password_hash: str, scram: str, tags: list[str], *, loopback_only: bool) -> list[str]:
        """Make a user, without permissions. Like all that change something, return sentences about what else comes of it."""
        _check("name", check_entity_name, name)
        self._check_not_configured(name)
        self._check_way_in(name, password_hash, scram)
        principal = Principal(name, password_hash, scram, _checked_tags(tags), loopback_only=loopback_only)
        self._principals.add(principal)
        self._names.clear()
        said = self._settle_guest()
        self._let_in(principal, _user(principal))
        log.info("user added", user=name, tags=principal.tags)
        return said

    def set_password(self, name: str, password_hash: str, scram: str) -> list[str]:
        """Give a user another password; who is connected stays."""
        principal = self._changeable(name)
        self._check_way_in(name, password_hash, scram)
        said = [f"user '{name}' can no longer log in by SCRAM"] if principal.scram and not scram else []
        principal.password_hash = password_hash
        principal.scram = scram
        self._principals.changed(principal)
        self._let_in(principal, self._accounts.users[name])
        log.info("password changed", user=name)
        return said

    def set_tags(self, name: str, tags: list[str]) -> list[str]:
        """Give a user these tags and no others."""
        principal = self._changeable(name)
        principal.tags = _checked_tags(tags)
        self._principals.changed(principal)
        user = self._accounts.users[name]
        user.tags = principal.tags
        self._concerned(user, "")
        log.info("tags changed", user=name, tags=principal.tags)
        return []

    def remove(self, name: str) -> list[str]:
        """Remove a user; who is connected in its name is told to go."""
        if name in self._configured and name not in self._principals.users:
            self._check_not_configured(name)
        self._principals.remove(self._principals.find(name))
        self._names.clear()
        log.info("user removed", user=name)
        if name in self._configured:
            return [f"user '{name}' of {self._named} stays"]
        self._concerned(self._accounts.expel(name), f"user '{name}' is deleted")  # RabbitMQ's words
        return self._settle_guest()

    def permit(self, name: str, vhost: str, patterns: Patterns) -> list[str]:
        """Say what a user may do in a virtual host; that holds for the next thing that its clients do."""
        principal = self._changeable(name)
        if self._config is None:
            _check("vhost", check_entity_name, vhost)
        elif not self._has(vhost):
            raise NotFound(f"there is no vhost '{vhost}': name it under [[vhost]] in {self._named}")
        permission = _permission(patterns)
        self._principals.permit(principal, vhost, patterns)
        user = self._accounts.users[name]
        user.permissions[vhost] = permission
        self._concerned(user, "")
        log.info("permission set", user=name, vhost=vhost, **dict(zip(PATTERNS, patterns, strict=True)))
        return []

    def forbid(self, name: str, vhost: str) -> list[str]:
        """Let a user enter a virtual host no more; its clients there are told to go."""
        principal = self._changeable(name)
        self._principals.forbid(principal, vhost)
        user = self._accounts.users[name]
        user.permissions.pop(vhost, None)
        self._concerned(user, f"permission of user '{name}' in vhost '{vhost}' is deleted")
        log.info("permission removed", user=name, vhost=vhost)
        return []

    def page(self, after: str) -> tuple[list[dict[str, Any]], bool]:
        """Return users by name from behind `after` on, and whether there are more."""
        if not self._names:
            self._names = sorted(self._accounts.users)
        first = bisect_right(self._names, after)
        behind = first + LIST_LIMIT
        return [self._row(name) for name in self._names[first:behind]], len(self._names) > behind

    def show(self, name: str, after: str) -> dict[str, Any]:
        """Return what is in force of a user, and its permissions in virtual hosts by name from behind `after` on."""
        user = self._accounts.users.get(name)
        if user is None:
            unsure = "" if self._config is not None else ", and with --config those of the configuration"
            raise NotFound(f"there is no user '{name}': `dragoman user list` names those there are{unsure}")
        permissions, more = _permissions_of(user, after)
        has_password, has_secret = self._accounts.has_password(name), self._accounts.has_secret(name)
        told = {**self._about(name, user), "password": has_password, "scram": has_secret}
        return {"user": told, "permissions": permissions, "more": more}

    def _row(self, name: str) -> dict[str, Any]:
        principal = self._principals.users.get(name)
        user = self._accounts.users[name]
        permissions: dict[str, Patterns] = {}
        if principal is not None and name not in self._configured:
            permissions = principal.permissions
        return {**self._about(name, user), "vhosts": sorted({*user.permissions, *permissions})}

    def _about(self, name: str, user: User) -> dict[str, Any]:
        principal = self._principals.users.get(name)
        if name in self._configured:
            source = self._named if principal is None else f"{self._named}, not the store"
        else:
            source = "store" if principal is not None else "default"
        return {"name": name, "tags": list(user.tags), "loopback_only": user.loopback_only, "from": source}

    # What comes of it

    def _changeable(self, name: str) -> Principal:
        self._check_not_configured(name)
        if name == GUEST and self._guest:
            raise NotFound(f"user '{GUEST}' is there only while nobody else is: add a user of that name to change it")
        return self._principals.find(name)

    def _check_not_configured(self, name: str) -> None:
        if name in self._configured:
            raise Denied(f"user '{name}' is in {self._named}, which is where to change it")

    def _check_way_in(self, name: str, password_hash: str, scram: str) -> None:
        if password_hash:
            _check("password_hash", check_password_hash, password_hash)
        if not scram:
            return
        _check("scram", parse_secret, scram)
        from gateway.scram import prepared_name

        if not prepared_name(name):
            raise Invalid(f"{name!r} is no name that SCRAM can say (RFC 4013)")
        other = self._accounts.proves_itself_as(name)
        if other and other != name and not (self._guest and other == GUEST):
            raise InUse(f"'{name}' is the same name for SCRAM as that of user '{other}'")

    def _let_in(self, principal: Principal, user: User) -> None:
        self._accounts.admit(user, _usable_hash(principal), _usable_secret(principal))

    def _settle_guest(self) -> list[str]:
        """Have `guest` there while nobody is named, and only then."""
        wanted = not self._configured and not self._principals.count
        if wanted == self._guest:
            return []
        self._guest = wanted
        unsure = "" if self._config is not None else ", unless the configuration of the broker names users"
        if wanted:
            self._accounts.welcome_guest()
            return [
                f"no user is left: '{GUEST}' with the password '{GUEST}' may log in from this machine again{unsure}"
            ]
        self._concerned(self._accounts.dismiss_guest(), f"user '{GUEST}' is gone, since users are named")
        return [f"user '{GUEST}', who was there while nobody was named, is gone{unsure.replace('names', 'had named')}"]


def _user(principal: Principal) -> User:
    user = User(principal.name, tags=principal.tags, loopback_only=principal.loopback_only)
    for vhost, patterns in principal.permissions.items():
        user.permissions[vhost] = Permission(*[_usable_pattern(principal.name, text) for text in patterns])
    return user


def _permissions_of(user: User, after: str) -> tuple[list[dict[str, str]], bool]:
    """Return the permissions in virtual hosts by name from behind `after` on, and whether there are more."""
    rows: list[dict[str, str]] = []
    told_chars = 0
    for vhost in nsmallest(LIST_LIMIT + 1, [name for name in user.permissions if name > after]):
        if len(rows) == LIST_LIMIT or told_chars >= PATTERNS_CHARS:
            return rows, True
        permission = user.permissions[vhost]
        compiled = (*permission.patterns, permission.write_topics, permission.read_topics)
        texts = [text_of(pattern) for pattern in compiled]
        told_chars += sum(map(len, texts))
        rows.append({"vhost": vhost, **dict(zip(PATTERNS, texts, strict=True))})
    return rows, False


def _permission(patterns: Patterns) -> Permission:
    compiled: list[NamePattern] = []
    for what, text in zip(PATTERNS, patterns, strict=True):
        try:
            compiled.append(_compiled(text))
        except ValueError as error:
            raise Invalid(f"{what}: {error}") from None
    return Permission(*compiled)


@lru_cache(PATTERNS_SHARED)
def _compiled(text: str) -> NamePattern:
    return compile_pattern(text)


def _checked_tags(tags: list[str]) -> tuple[str, ...]:
    for tag in tags:
        if tag not in TAGS:
            raise Invalid(f"tag {tag!r} is none of {', '.join(TAGS)}")
    return tuple(dict.fromkeys(tags))


def _check(what: str, check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        raise Invalid(f"{what}: {error}") from None


# What the store has was checked when it came in, by a version whose rules may have been others: what this one cannot use lets
# nobody in and allows nothing.


def _usable_pattern(name: str, text: str) -> NamePattern:
    try:
        return _compiled(text)
    except ValueError as error:
        log.error("a pattern of the store allows nothing", user=name, error=str(error))  # noqa: TRY400 - the text says all
        return NOTHING


def _usable_hash(principal: Principal) -> str:
    try:
        return check_password_hash(principal.password_hash) if principal.password_hash else ""
    except ValueError:
        log.error("a password of the store cannot be used", user=principal.name)  # noqa: TRY400 - no traceback, nothing of it in the log
        return ""


def _usable_secret(principal: Principal) -> Secret | None:
    try:
        return parse_secret(principal.scram) if principal.scram else None
    except ValueError:
        log.error("a secret of the store for SCRAM cannot be used", user=principal.name)  # noqa: TRY400 - the same
        return None
