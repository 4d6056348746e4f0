"""Who may do what: `authorize` is the only decision, and every protocol comes through it.

The model is RabbitMQ's: for each user and virtual host three patterns on names, for configure, write and read, and,
for topic exchanges, two more on routing keys. Passwords are not here: the gateway checks them and names the user.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from core.model.errors import Denied, Invalid

CONFIGURE: Final = 0
WRITE: Final = 1
READ: Final = 2

DEFAULT_EXCHANGE_RESOURCE: Final = "amq.default"  # the name that stands for the default exchange in patterns
IMPERSONATOR: Final = "impersonator"  # RabbitMQ's tag for users who may say any user id


@mypyc_attr(allow_interpreted_subclasses=True)
class NamePattern:
    """A pattern on names. Whether it must match the whole name is the pattern's own affair."""

    def matches(self, name: str) -> bool:
        """Tell whether `name` is covered, in time linear in its length."""
        raise AssertionError(f"{type(self).__name__} matches nothing")


class Everything(NamePattern):
    """Covers all names."""

    def matches(self, name: str) -> bool:
        return True


class Nothing(NamePattern):
    """Covers no name."""

    def matches(self, name: str) -> bool:
        return False


EVERYTHING: Final = Everything()
NOTHING: Final = Nothing()


class Permission:
    """What one user may do in one virtual host."""

    def __init__(
        self,
        configure: NamePattern,
        write: NamePattern,
        read: NamePattern,
        write_topics: NamePattern = EVERYTHING,
        read_topics: NamePattern = EVERYTHING,
    ) -> None:
        self.patterns: tuple[NamePattern, NamePattern, NamePattern] = (configure, write, read)
        self.write_topics = write_topics
        self.read_topics = read_topics


class User:
    """A principal: a name, tags, and a permission for each virtual host it may enter."""

    def __init__(self, name: str, *, tags: tuple[str, ...] = (), loopback_only: bool = False) -> None:
        self.name = name
        self.tags = tags
        self.loopback_only = loopback_only
        self.permissions: dict[str, Permission] = {}


def check_user_id(user: User, user_id: str) -> None:
    """Refuse a message that says that it is another user's (RabbitMQ "Validated User-ID")."""
    if user_id != user.name and IMPERSONATOR not in user.tags:
        raise Invalid(f"user_id property set to '{user_id}' but authenticated user was '{user.name}'")


def authorize(user: User, vhost: str, operation: int, kind: str, name: str, topic: str | None = None) -> None:
    """Return if `user` may do `operation` (CONFIGURE, WRITE, READ) with the resource, else raise Denied.

    `kind` is the word for the resource in the error's text: queue, exchange. `topic` is the routing key (write) or
    the pattern (read) where the resource is a topic exchange.
    """
    permission = user.permissions.get(vhost)
    name = name or DEFAULT_EXCHANGE_RESOURCE
    if permission is None or not permission.patterns[operation].matches(name):
        raise Denied(f"access to {kind} '{name}' in vhost '{vhost}' refused for user '{user.name}'")
    if topic is None:
        return
    topics = permission.read_topics if operation == READ else permission.write_topics
    if not topics.matches(topic):
        raise Denied(
            f"access to topic '{topic}' in exchange '{name}' in vhost '{vhost}' refused for user '{user.name}'"
        )
