"""What is in force at once when users are changed: passwords, secrets for SCRAM, permissions, tags."""

from collections.abc import Callable
from typing import Final

import argon2
import pytest

from core.access import CONFIGURE, READ, WRITE, authorize
from core.model.errors import Denied, InUse, Invalid, NotFound
from core.principals import Patterns
from gateway.scram import make_secret
from gateway.users import Users
from tests.gateway.user_world import ALL, OTHER, SECRET, World, begun, may

NONE: Final[Patterns] = ("", "", "", "", "")


@pytest.fixture
def world() -> World:
    return begun()


# Passwords


def test_another_password_ends_what_was_remembered_of_the_old_one(world: World) -> None:
    world.add()
    assert world.lets_in("ada", b"secret")
    assert world.accounts.cached("ada", b"secret", loopback=True) is not None
    user = world.accounts.users["ada"]
    world.users.set_password("ada", OTHER, "")
    assert world.accounts.cached("ada", b"secret", loopback=True) is None
    assert not world.lets_in("ada", b"secret")
    assert world.lets_in("ada", b"other")
    assert world.accounts.users["ada"] is user  # who is connected stays who he is
    assert world.told[1:] == []


CHANGES: Final[dict[str, Callable[[Users], object]]] = {
    "another password": lambda users: users.set_password("ada", OTHER, ""),
    "removed": lambda users: users.remove("ada"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_user_who_is_changed_while_its_password_is_checked_is_not_let_in(
    world: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[Users], object]
) -> None:
    world.add()
    verify = argon2.PasswordHasher.verify

    def slow(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        found = verify(self, stored, password)
        change(world.users)
        return found

    monkeypatch.setattr(argon2.PasswordHasher, "verify", slow)
    assert not world.lets_in("ada", b"secret")
    monkeypatch.undo()
    assert world.accounts.cached("ada", b"secret", loopback=True) is None


def test_the_cost_for_unknown_users_follows_the_costliest_hash(world: World) -> None:
    world.add()
    assert world.accounts._decoy.startswith(SECRET.rpartition("$")[0].rpartition("$")[0])
    costly = argon2.PasswordHasher(time_cost=3, memory_cost=16, parallelism=1).hash("x")
    world.users.set_password("ada", costly, "")
    assert argon2.extract_parameters(world.accounts._decoy) == argon2.extract_parameters(costly)


# SCRAM


def test_a_secret_for_scram_comes_and_goes_with_the_password(world: World) -> None:
    secret = str(make_secret(b"secret", bytes(16), 4_096))
    world.add(scram=secret)
    assert world.accounts.exchange("SCRAM-SHA-256") is not None
    assert world.accounts.proven("ada", loopback=False).user is world.accounts.users["ada"]
    assert world.users.set_password("ada", OTHER, "") == ["user 'ada' can no longer log in by SCRAM"]
    assert world.accounts.exchange("SCRAM-SHA-256") is None
    assert world.users.set_password("ada", OTHER, secret) == []
    world.users.remove("ada")
    assert world.accounts.proven("ada", loopback=True).user is None


def test_two_names_that_scram_cannot_tell_apart_are_not_both_given(world: World) -> None:
    secret = str(make_secret(b"secret", bytes(16), 4_096))
    world.add("us\u2168er", scram=secret)
    with pytest.raises(InUse, match="'usIXer' is the same name for SCRAM as that of user 'us\u2168er'"):
        world.add("usIXer", scram=secret)
    world.add("usIXer")


def test_an_exchange_that_outlives_the_last_secret_is_refused_like_any_other(world: World) -> None:
    world.add(scram=str(make_secret(b"secret", bytes(16), 4_096)))
    exchange = world.accounts.exchange("SCRAM-SHA-256")
    assert exchange is not None
    world.users.set_password("ada", OTHER, "")
    assert exchange.answer(b"n,,n=ada,r=nonce").startswith(b"r=nonce")


# Permissions


def test_a_permission_is_in_force_at_once_and_who_is_connected_is_told(world: World) -> None:
    world.add()
    user = world.accounts.users["ada"]
    world.users.permit("ada", "/", ("^c", "^w", "^r", "^t", ""))
    assert (may(user, CONFIGURE, "cx"), may(user, CONFIGURE, "x")) == (True, False)
    assert (may(user, WRITE, "wx"), may(user, WRITE, "x")) == (True, False)
    assert (may(user, READ, "rx"), may(user, READ, "x")) == (True, False)
    authorize(user, "/", WRITE, "exchange", "w", "topic")
    for operation, name, topic in ((WRITE, "w", "x"), (READ, "r", "topic")):
        with pytest.raises(Denied, match="topic"):
            authorize(user, "/", operation, "exchange", name, topic)
    world.users.permit("ada", "/", NONE)
    assert not may(user, READ, "rx")
    assert [told for told, _ in world.told[1:]] == [user, user]


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("pattern", ["(", "a" * 4_097, "\ud800", "(?=x)"])
def test_a_pattern_that_is_none_is_a_mistake_that_names_it(world: World, place: int, pattern: str) -> None:
    world.add()
    patterns = list(ALL)
    patterns[place] = pattern
    with pytest.raises(Invalid) as refused:
        world.users.permit("ada", "/", tuple(patterns))  # type: ignore[arg-type]
    assert refused.value.text.startswith(("configure", "write", "read", "write_topics", "read_topics")[place] + ": ")
    assert world.accounts.users["ada"].permissions == {}


def test_a_vhost_that_is_not_there_is_named_with_where_to_name_it(world: World) -> None:
    world.add()
    with pytest.raises(NotFound, match=r"there is no vhost 'x': name it under \[\[vhost\]\] in d\.toml"):
        world.users.permit("ada", "x", ALL)


def test_who_is_forbidden_a_vhost_is_told_to_go(world: World) -> None:
    world.add()
    world.users.permit("ada", "/", ALL)
    user = world.accounts.users["ada"]
    world.users.forbid("ada", "/")
    assert user.permissions == {}
    assert world.told[-1] == (user, "permission of user 'ada' in vhost '/' is deleted")
    with pytest.raises(NotFound):
        world.users.forbid("ada", "/")


def test_who_is_removed_is_told_to_go_and_may_do_nothing(world: World) -> None:
    world.add()
    world.users.permit("ada", "/", ALL)
    user = world.accounts.users["ada"]
    world.users.remove("ada")
    assert not world.lets_in("ada", b"secret")
    assert (user, "user 'ada' is deleted") in world.told
    assert user.permissions == {}
    with pytest.raises(Denied):
        world.broker.open(user, "/", "amqp", "one who had logged in just before")


def test_tags_are_in_force_at_once(world: World) -> None:
    world.add()
    world.users.set_tags("ada", ["impersonator"])
    assert world.accounts.users["ada"].tags == ("impersonator",)
    assert world.told[-1][0] is world.accounts.users["ada"]
    with pytest.raises(NotFound):
        world.users.set_tags("bob", [])
