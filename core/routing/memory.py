"""What exchanges remember of the keys that they have seen, bounded for each and for all of a virtual host together.

Whoever declares ten thousand exchanges must not get ten thousand times as much memory. One key too many makes everybody
start anew, which costs one search for each key that comes again.
"""

from typing import Final

from core.counters import Counters
from core.model.message import Address
from core.routing.route import Route

KEYS_LIMIT: Final = 16_384  # routes, and addresses, of one exchange; beyond it the exchange starts anew
ALL_KEYS_LIMIT: Final = 262_144  # routes and addresses of all exchanges


class Memory:
    """Counts what all exchanges of a virtual host remember."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.keys = 0
        self._holders: dict[Remembered, None] = {}  # whoever may have some of them

    def make_room(self, holder: "Remembered") -> None:
        """Count one more key of this holder, after everybody has forgotten theirs if it is one too many."""
        if self.keys >= ALL_KEYS_LIMIT:
            for other in self._holders:
                other.clear()
            self._holders.clear()
        self.keys += 1
        self._holders[holder] = None

    def leave(self, holder: "Remembered") -> None:
        """Forget a holder that will not come again."""
        self._holders.pop(holder, None)


class Remembered:
    """What one exchange remembers, by key. Its dictionaries stay the same; look things up in them, and change them here."""

    def __init__(self, memory: Memory) -> None:
        self.routes: dict[str, Route] = {}
        self.addresses: dict[str, Address] = {}
        self._memory = memory

    def keep_route(self, key: str, route: Route) -> None:
        if len(self.routes) >= KEYS_LIMIT:
            self.forget_routes()
        self._memory.make_room(self)
        self.routes[key] = route

    def keep_address(self, key: str, address: Address) -> None:
        if len(self.addresses) >= KEYS_LIMIT:
            self._memory.keys -= len(self.addresses)
            self.addresses.clear()
        self._memory.make_room(self)
        self.addresses[key] = address

    def forget(self, only_key: str | None) -> None:
        """Forget the route of one key, or those of all."""
        if only_key is None:
            self.forget_routes()
        elif only_key in self.routes:
            del self.routes[only_key]
            self._memory.keys -= 1

    def forget_routes(self) -> None:
        if self.routes:
            self._memory.keys -= len(self.routes)
            self.routes.clear()

    def leave(self) -> None:
        """Forget everything, for good."""
        self.clear()
        self._memory.leave(self)

    def clear(self) -> None:
        """Forget everything."""
        self._memory.keys -= len(self.routes) + len(self.addresses)
        self.routes.clear()
        self.addresses.clear()
