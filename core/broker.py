"""The broker: virtual hosts, users, time and limits, and the batch at the end of each turn."""

from collections.abc import Callable
from typing import Final

from core.access import User
from core.client import Client
from core.model.errors import Denied, NotFound
from core.model.names import DEFAULT_VHOST
from core.policies.policy import PatternCompiler, no_patterns
from core.principals import Principals
from core.queueing.offline import OfflineLimits
from core.queueing.surroundings import Surroundings
from core.queueing.usage import MEMORY_LIMIT_BYTES
from core.store.natives import Restore
from core.timers import Clock
from core.vhost import VirtualHost

ALARM_END: Final = 0.8  # of the memory limit, so that publishers are not stopped and let go at every message
SESSION_EXPIRY_LIMIT_S: Final = 7 * 24 * 3_600  # after the end of an MQTT session's last connection, unless configured
MESSAGE_LIMIT_BYTES: Final = 128 << 20  # of one body, unless configured; RabbitMQ 3.10's max_message_size


class Broker:
    """Everything that clients of all protocols meet in.

    `unique` returns a new unguessable word on each call: randomness comes in from outside.
    """

    def __init__(
        self,
        unique: Callable[[], str],
        *,
        version: str = "0",
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        message_limit_bytes: int = MESSAGE_LIMIT_BYTES,
        session_expiry_limit_s: int = SESSION_EXPIRY_LIMIT_S,
        keep_alive_limit_s: int = 0,
        natives: dict[int, Restore] | None = None,
        offline: OfflineLimits | None = None,
        compile_pattern: PatternCompiler | None = None,
    ) -> None:
        self.unique = unique
        self.version = version  # what clients are told
        self.compile_pattern = compile_pattern if compile_pattern is not None else no_patterns
        self.clock = Clock()
        self.surroundings = Surroundings(self.clock, memory_limit_bytes, natives, offline)
        self.timers = self.surroundings.timers
        self.counters = self.surroundings.counters
        self.message_limit_bytes = message_limit_bytes
        self.session_expiry_limit_s = session_expiry_limit_s
        self.keep_alive_limit_s = keep_alive_limit_s  # that a client may ask for where it can be told; 0 for none
        self.users: dict[str, User] = {}
        self.principals = Principals(self.surroundings.journal)
        self.vhosts: dict[str, VirtualHost] = {}
        self.stopping = False
        self._low_on_memory = False
        self.low_on_disk = False  # a commit had no room
        self.short_of_disk = False  # there is less room than there should be
        self.add_vhost(DEFAULT_VHOST)

    def add_vhost(self, name: str) -> VirtualHost:
        """Create a virtual host with the predeclared exchanges; the name must be free."""
        vhost = self.vhosts[name] = VirtualHost(name, self.surroundings, self.unique)
        return vhost

    def open(self, user: User, vhost_name: str, protocol: str, label: str) -> Client:
        """Let a logged-in user into a virtual host; `label` names the connection in logs and pages."""
        vhost = self.vhosts.get(vhost_name)
        if vhost is None:
            raise NotFound(f"vhost '{vhost_name}' not found")
        if vhost_name not in user.permissions:
            raise Denied(f"access to vhost '{vhost_name}' refused for user '{user.name}'")
        return Client(vhost, user, self.unique, protocol, label)

    def run(self) -> None:
        """Hand over what the batch has made possible: queues woken by settlements and by freed output."""
        woken = self.surroundings.woken
        if woken:
            self.surroundings.woken = []
            for queue in woken:
                queue.run()

    @property
    def alarm(self) -> str:
        """Why publishers must wait (`low on memory`, `low on disk`), or nothing. Looked at every turn: it ends later than it begins."""
        usage = self.surroundings.usage
        if usage.held_bytes > usage.limit_bytes:
            self._low_on_memory = True
        elif usage.held_bytes < usage.limit_bytes * ALARM_END:
            self._low_on_memory = False
        self.surroundings.journal.pages_out = not (self.low_on_disk or self.short_of_disk)
        if not self.surroundings.journal.pages_out:
            return "low on disk"
        return "low on memory" if self._low_on_memory else ""
