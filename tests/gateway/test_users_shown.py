"""What is told of one user: where it comes from, how it may prove itself, and what it may do."""

from typing import Any, Final

import pytest

from core.model.errors import NotFound
from core.principals import Principal
from gateway.scram import new_secret
from gateway.scram_secret import ITERATIONS_LEAST
from gateway.users import LIST_LIMIT, PATTERNS, PATTERNS_CHARS
from tests.gateway.user_world import ALL, SECRET, World, begun

SCRAM: Final = str(new_secret(b"secret", ITERATIONS_LEAST))


def shown(world: World, name: str) -> dict[str, Any]:
    """Return what is told of a user, page by page."""
    found = world.users.show(name, "")
    while found.pop("more"):
        page = world.users.show(name, found["permissions"][-1]["vhost"])
        assert page["user"] == found["user"]
        found = {**page, "permissions": found["permissions"] + page["permissions"]}
    return found


def test_a_user_of_the_store_is_shown_without_password_and_hash() -> None:
    world = begun()
    world.add(tags=["monitoring"], scram=SCRAM)
    patterns = ("^c", "", ".*", "t", "")
    world.users.permit("ada", "/", patterns)
    found = shown(world, "ada")
    facts = {"name": "ada", "tags": ["monitoring"], "loopback_only": False, "from": "store"}
    assert found["user"] == {**facts, "password": True, "scram": True}
    assert found["permissions"] == [{"vhost": "/", **dict(zip(PATTERNS, patterns, strict=True))}]
    world.users.set_password("ada", "", "")
    assert shown(world, "ada")["user"] == {**facts, "password": False, "scram": False}


def test_a_user_of_the_configuration_is_shown_as_it_is_there() -> None:
    permission = {"vhost": "/", "read": "^r", "write_topics": "t"}
    world = World(user=[{"name": "ann", "password_hash": SECRET, "loopback_only": True, "permission": [permission]}])
    world.begin(Principal("ann", "", SCRAM, ("administrator",)))
    found = shown(world, "ann")
    facts = {"name": "ann", "tags": [], "loopback_only": True, "from": "d.toml, not the store"}
    assert found["user"] == {**facts, "password": True, "scram": False}
    assert [tuple(row.values()) for row in found["permissions"]] == [("/", "", "", "^r", "t", ".*")]


def test_the_default_guest_is_shown_with_a_password_and_everything() -> None:
    world = World(vhost=[{"name": "shop"}])
    world.begin()
    found = shown(world, "guest")
    assert (found["user"]["from"], found["user"]["password"], found["user"]["scram"]) == ("default", True, True)
    assert [tuple(row.values()) for row in found["permissions"]] == [("/", *ALL), ("shop", *ALL)]
    world.add()
    with pytest.raises(NotFound, match=r"^there is no user 'guest': `dragoman user list` names those there are$"):
        world.users.show("guest", "")


def test_who_does_not_know_the_configuration_says_where_others_may_be() -> None:
    world = World(known=False)
    world.begin()
    with pytest.raises(NotFound, match=r"and with --config those of the configuration$"):
        world.users.show("ann", "")


@pytest.mark.parametrize(
    ("pattern", "in_a_page"), [(".*", LIST_LIMIT), ("x" * 4_096, PATTERNS_CHARS // (5 * 4_096) + 1)]
)
@pytest.mark.parametrize("more", [0, 1])
def test_permissions_are_shown_in_parts_by_vhost(pattern: str, in_a_page: int, more: int) -> None:
    world = World(known=False)
    ada = Principal("ada", "", "", ())
    vhosts = [f"v{number:04}" for number in range(2 * in_a_page + more)]
    for vhost in reversed(vhosts):
        ada.permissions[vhost] = (pattern, pattern, pattern, pattern, pattern)
    world.begin(ada)
    first = world.users.show("ada", "")
    assert ([row["vhost"] for row in first["permissions"]], first["more"]) == (vhosts[:in_a_page], True)
    second = world.users.show("ada", vhosts[in_a_page - 1])
    assert (len(second["permissions"]), second["more"]) == (in_a_page, bool(more))
    assert [row["vhost"] for row in shown(world, "ada")["permissions"]] == vhosts


def test_a_pattern_that_cannot_be_used_is_shown_as_what_it_allows() -> None:
    world = World()
    odd = Principal("ada", "md5", "plain", ())
    odd.permissions["/"] = ("(", ".*", ".*", ".*", ".*")
    world.begin(odd)
    found = shown(world, "ada")
    assert (found["user"]["password"], found["user"]["scram"]) == (False, False)
    assert (found["permissions"][0]["configure"], found["permissions"][0]["write"]) == ("", ".*")
