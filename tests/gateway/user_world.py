"""A broker whose users are changed by tests, and what those who are connected are told."""

from typing import Any, Final

import argon2

from core.access import User, authorize
from core.model.errors import Denied
from core.principals import Patterns, Principal
from gateway.accounts import Accounts
from gateway.config import Config
from gateway.users import Users
from tests.core.parts import a_broker

CHEAP: Final = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SECRET: Final = CHEAP.hash("secret")
OTHER: Final = CHEAP.hash("other")
ALL: Final[Patterns] = (".*", ".*", ".*", ".*", ".*")


class World:
    """Users of a broker, and what those who are connected are told."""

    def __init__(self, *, known: bool = True, **tables: Any) -> None:
        self.config = Config.model_validate(tables)
        self.accounts = Accounts(self.config)
        self.broker = a_broker()
        self.broker.surroundings.journal.begin(set())
        self.told: list[tuple[User, str]] = []
        config = self.config if known else None
        self.users = Users(self.broker, self.accounts, config, "d.toml", lambda *said: self.told.append(said))

    def begin(self, *principals: Principal) -> None:
        for principal in principals:
            self.broker.principals.add(principal)
        self.users.begin()

    def add(self, name: str = "ada", password_hash: str = SECRET, **more: Any) -> list[str]:
        return self.users.add(name, password_hash, more.get("scram", ""), more.get("tags", []), loopback_only=False)

    def lets_in(self, name: str, password: bytes) -> bool:
        return self.accounts.check(name, password, loopback=True).user is not None


def begun() -> World:
    """Return a world whose configuration and store have no users."""
    world = World()
    world.begin()
    return world


def may(user: User, operation: int, name: str) -> bool:
    try:
        authorize(user, "/", operation, "queue", name)
    except Denied:
        return False
    return True
