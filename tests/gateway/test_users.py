"""Users changed while the broker runs: who is refused and with which sentence, `guest`, and users of the configuration."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog.testing

from core.access import CONFIGURE, READ
from core.model.errors import BrokerError, Denied, InUse, Invalid, NotFound
from core.principals import Principal
from core.store.kinds import USER
from gateway.users import LINES_LIMIT, LIST_LIMIT, TAGS
from tests.gateway.user_world import ALL, OTHER, SECRET, World, begun, may


@pytest.fixture
def world() -> World:
    return begun()


# Adding


def test_a_new_user_may_log_in_at_once_and_do_nothing(world: World) -> None:
    world.add(tags=["monitoring", "monitoring"])
    assert world.lets_in("ada", b"secret")
    assert not world.lets_in("ada", b"wrong")
    user = world.accounts.users["ada"]
    assert (user.tags, user.permissions) == (("monitoring",), {})


def test_a_user_without_a_hash_has_no_right_password(world: World) -> None:
    world.add(password_hash="")
    assert not world.lets_in("ada", b"")
    assert not world.lets_in("ada", b"secret")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": ""}, "name: must not be empty"),
        ({"name": "a\n"}, "name: 'a\\n' contains a character that is not printable"),
        ({"name": "x" * 256}, "name: a name of 256 bytes is longer than 255"),
        ({"tags": ["boss"]}, f"tag 'boss' is none of {', '.join(TAGS)}"),
        ({"password_hash": "plain text"}, "password_hash: is not an argon2 hash"),
        ({"scram": "plain text"}, "scram: is not a secret"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_mistake_and_changes_nothing(
    world: World, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Invalid) as refused:
        world.add(**values)
    assert refused.value.text.startswith(sentence)
    assert "plain text" not in refused.value.text
    assert world.broker.principals.users == {}
    assert "guest" in world.accounts.users


def test_a_name_is_given_once(world: World) -> None:
    world.add()
    with pytest.raises(InUse, match="user 'ada' already"):
        world.add(password_hash=OTHER)
    assert world.lets_in("ada", b"secret")


# `guest`


def test_guest_is_gone_with_the_first_user_and_back_after_the_last(world: World) -> None:
    guest = world.accounts.users["guest"]
    assert world.lets_in("guest", b"guest")
    assert world.add() == ["user 'guest', who was there while nobody was named, is gone"]
    assert not world.lets_in("guest", b"guest")
    assert world.accounts.cached("", b"", loopback=True).user is None  # type: ignore[union-attr]
    assert guest.permissions == {}
    assert world.told == [(guest, "user 'guest' is gone, since users are named")]
    assert world.add("bob") == []
    assert world.users.remove("ada") == []
    (said,) = world.users.remove("bob")
    assert said == "no user is left: 'guest' with the password 'guest' may log in from this machine again"
    assert world.lets_in("guest", b"guest")
    assert world.accounts.cached("", b"", loopback=True).user is not None  # type: ignore[union-attr]
    assert world.accounts.users["guest"] is not guest
    assert world.accounts.users["guest"].permissions.keys() == {"/"}
    assert not world.accounts.cached("guest", b"guest", loopback=False).user  # type: ignore[union-attr]


def test_the_store_may_have_a_guest_of_its_own(world: World) -> None:
    changes: list[Callable[[], object]] = [
        lambda: world.users.set_password("guest", OTHER, ""),
        lambda: world.users.permit("guest", "/", ALL),
        lambda: world.users.remove("guest"),
    ]
    for change in changes:
        with pytest.raises(NotFound):
            change()
    world.add("guest")
    assert world.lets_in("guest", b"secret")
    assert not world.lets_in("guest", b"guest")
    world.users.remove("guest")
    assert world.lets_in("guest", b"guest")


def test_guest_is_not_there_when_the_broker_begins_with_users_in_the_store() -> None:
    world = World()
    world.begin(Principal("ada", SECRET, "", ()))
    assert list(world.accounts.users) == ["ada"]
    assert world.lets_in("ada", b"secret")


def test_guest_is_not_there_when_the_only_user_cannot_be_read() -> None:
    world = World()
    world.broker.principals.lost()
    world.begin()
    assert world.accounts.users == {}


def test_who_does_not_know_the_configuration_says_so() -> None:
    world = World(known=False)
    world.begin()
    assert world.add()[0].endswith("is gone, unless the configuration of the broker had named users")
    assert world.users.remove("ada")[0].endswith("again, unless the configuration of the broker names users")
    world.add()
    world.users.permit("ada", "anything", ALL)
    with pytest.raises(Invalid):
        world.users.permit("ada", "", ALL)


# The configuration's users


def test_users_of_the_configuration_are_not_changed_and_the_file_is_named() -> None:
    world = World(user=[{"name": "ann", "password_hash": SECRET, "permission": [{"read": ".*"}]}])
    world.begin()
    changes: list[Callable[[], object]] = [
        lambda: world.add("ann"),
        lambda: world.users.set_password("ann", OTHER, ""),
        lambda: world.users.set_tags("ann", []),
        lambda: world.users.permit("ann", "/", ALL),
        lambda: world.users.forbid("ann", "/"),
        lambda: world.users.remove("ann"),
    ]
    for change in changes:
        with pytest.raises(Denied, match=r"user 'ann' is in d\.toml, which is where to change it"):
            change()
    assert world.add() == []  # there was no guest
    assert world.users.remove("ada") == []  # and there is none now
    assert list(world.accounts.users) == ["ann"]


def test_where_the_store_has_a_user_of_the_configuration_the_file_wins_and_the_log_says_so() -> None:
    world = World(user=[{"name": "ann", "password_hash": SECRET}])
    shadowed = Principal("ann", OTHER, "", ("administrator",))
    with structlog.testing.capture_logs() as lines:
        world.begin(shadowed)
    assert [(line["log_level"], line["user"], line["file"]) for line in lines] == [("warning", "ann", "d.toml")]
    assert world.lets_in("ann", b"secret")
    assert not world.lets_in("ann", b"other")
    ((row,), _) = world.users.page("")
    assert (row["from"], row["tags"]) == ("d.toml, not the store", [])
    assert world.users.remove("ann") == ["user 'ann' of d.toml stays"]
    assert world.broker.principals.users == {}
    assert world.lets_in("ann", b"secret")


def test_a_permission_in_a_vhost_that_is_not_configured_waits_and_the_log_says_so() -> None:
    world = World()
    ada = Principal("ada", SECRET, "", ())
    ada.permissions["gone"] = ALL
    with structlog.testing.capture_logs() as lines:
        world.begin(ada)
    assert [(line["log_level"], line.get("vhost")) for line in lines] == [("warning", "gone")]


# What is kept and told


def test_no_password_and_no_hash_is_in_the_log(world: World) -> None:
    with structlog.testing.capture_logs() as lines:
        world.add()
        world.users.set_password("ada", OTHER, "")
    assert len(lines) == 2
    assert "argon2" not in str(lines)


def test_what_an_other_version_has_kept_lets_nobody_in_and_allows_nothing() -> None:
    world = World()
    odd = Principal("ada", "md5", "plain", ())
    odd.permissions["/"] = ("(", ".*", ".*", ".*", ".*")
    with structlog.testing.capture_logs() as lines:
        world.begin(odd)
    assert [line["log_level"] for line in lines] == ["error"] * 3
    assert "md5" not in str(lines)
    assert not world.lets_in("ada", b"md5")
    user = world.accounts.users["ada"]
    assert (may(user, CONFIGURE, "x"), may(user, READ, "x")) == (False, True)


def test_a_start_writes_so_many_lines_about_what_is_not_used() -> None:
    world = World()
    ada = Principal("ada", "", "", ())
    ada.permissions = {f"v{number}": ALL for number in range(LINES_LIMIT + 5)}
    with structlog.testing.capture_logs() as lines:
        world.begin(ada)
    assert len(lines) == LINES_LIMIT + 1
    assert lines[-1]["more"] == 5


def test_users_are_listed_in_parts_by_name() -> None:
    world = World(user=[{"name": "m"}])
    world.begin(*[Principal(f"u{number:04}", "", "", ()) for number in range(LIST_LIMIT + 1)])
    rows, more = world.users.page("")
    assert more
    assert (rows[0]["name"], rows[0]["from"], rows[1]["from"], len(rows)) == ("m", "d.toml", "store", LIST_LIMIT)
    rows, more = world.users.page(rows[-1]["name"])
    assert ([row["name"] for row in rows], more) == ([f"u{LIST_LIMIT - 1:04}", f"u{LIST_LIMIT:04}"], False)


def test_the_default_guest_is_listed_as_what_it_is(world: World) -> None:
    ((row,), more) = world.users.page("")
    assert (row["name"], row["from"], row["loopback_only"], more) == ("guest", "default", True, False)


def test_every_change_is_a_definition(world: World) -> None:
    journal = world.broker.surroundings.journal
    world.add()
    batch = journal.seal()
    assert batch is not None
    assert [(kind, key) for kind, key, _ in batch.definitions] == [(USER, "ada")]
    with pytest.raises(BrokerError):
        world.users.remove("bob")
    assert journal.idle
