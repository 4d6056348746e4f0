"""Users and permissions of a store: kept in order, there again after a restart, bounded, and never lost in silence."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.broker import Broker
from core.model.errors import InUse, Limit, NotFound
from core.principals import PERMISSIONS_LIMIT, USERS_LIMIT, Patterns, Principal, Principals
from core.recovery import Recovered, recover
from core.store.at_rest import StoreAtRest
from core.store.interface import Store
from core.store.kinds import PERMISSION, USER, key_of
from core.store.memory import MemoryStore
from core.store.sqlite import FILE, SqliteStore
from core.store.values import dump
from tests.core.parts import a_broker
from tests.core.store.filling import commit

PATTERNS: Patterns = ("^c", "^w", "^r", ".*", "")


def started(store: Store) -> tuple[Broker, Recovered]:
    broker = a_broker()
    return broker, recover(broker, store)


def kill(store: SqliteStore) -> None:
    """End it as the end of a process does."""
    store._db.close()
    os.close(store._lock)


def stated(principals: Principals) -> dict[str, tuple[object, ...]]:
    return {
        name: (user.password_hash, user.scram, user.tags, user.loopback_only, user.permissions)
        for name, user in principals.users.items()
    }


def test_users_and_permissions_are_there_after_a_restart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    broker, _ = started(store)
    ada = Principal("ada", "hash", "secret", ("administrator",), loopback_only=True)
    broker.principals.add(ada)
    broker.principals.permit(ada, "/", PATTERNS)
    broker.principals.permit(ada, "elsewhere", ("", "", "", "", ""))
    gone = Principal("gone", "", "", ())
    broker.principals.add(gone)
    broker.principals.permit(gone, "/", PATTERNS)
    broker.principals.remove(gone)
    ada.tags = ()
    broker.principals.changed(ada)
    broker.principals.forbid(ada, "elsewhere")
    commit(broker, store)
    store.close()
    store = SqliteStore(tmp_path)
    again, found = started(store)
    assert found.damage == []
    assert found.definitions == {"user": 1, "permission": 1}
    assert stated(again.principals) == stated(broker.principals)
    assert stated(again.principals) == {"ada": ("hash", "secret", (), True, {"/": PATTERNS})}
    store.close()


def test_what_was_not_committed_is_not_there_and_what_was_is_there_without_an_orderly_stop(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    broker, _ = started(store)
    broker.principals.add(Principal("ada", "", "", ()))
    commit(broker, store)
    broker.principals.add(Principal("bob", "", "", ()))
    kill(store)
    store = SqliteStore(tmp_path)
    again, found = started(store)
    assert not found.clean
    assert list(again.principals.users) == ["ada"]
    store.close()


def test_a_change_is_promised_so_that_whoever_asks_waits_for_its_commit() -> None:
    broker, _ = started(MemoryStore())
    journal, principals = broker.surroundings.journal, broker.principals
    ada = Principal("ada", "", "", ())
    changes: list[Callable[[], None]] = [
        lambda: principals.add(ada),
        lambda: principals.changed(ada),
        lambda: principals.permit(ada, "/", PATTERNS),
        lambda: principals.forbid(ada, "/"),
        lambda: principals.remove(ada),
    ]
    for change in changes:
        before = journal.promises
        change()
        assert journal.promises > before


def test_a_name_is_taken_once_and_what_is_not_there_is_not_found() -> None:
    broker, _ = started(MemoryStore())
    ada = Principal("ada", "", "", ())
    broker.principals.add(ada)
    with pytest.raises(InUse, match="'ada' already"):
        broker.principals.add(Principal("ada", "", "", ()))
    with pytest.raises(NotFound, match="no user 'bob'"):
        broker.principals.find("bob")
    with pytest.raises(NotFound, match="'ada' has no permission in vhost '/'"):
        broker.principals.forbid(ada, "/")


def test_there_is_room_for_so_many_users_and_permissions_and_no_more() -> None:
    broker, _ = started(MemoryStore())
    principals = broker.principals
    for number in range(USERS_LIMIT):
        principals.add(Principal(f"u{number}", "", "", ()))
    with pytest.raises(Limit, match=str(USERS_LIMIT)):
        principals.add(Principal("one more", "", "", ()))
    one = principals.find("u0")
    for number in range(PERMISSIONS_LIMIT):
        principals.permit(one, f"v{number}", PATTERNS)
    two = principals.find("u1")
    with pytest.raises(Limit, match=str(PERMISSIONS_LIMIT)):
        principals.permit(two, "/", PATTERNS)
    principals.permit(one, "v0", PATTERNS)  # one that is there may be set anew
    assert two.permissions == {}
    principals.remove(one)
    principals.permit(two, "/", PATTERNS)
    principals.add(Principal("one more", "", "", ()))


# Damage


@pytest.mark.parametrize("kept", [[], ["ada"], 5, None, ["h", "s", [5], False], ["h", 5, [], False], ["h", "s", "t"]])
def test_a_user_of_another_shape_is_told_of_and_counts(kept: object) -> None:
    store = MemoryStore()
    broker, _ = started(store)
    broker.principals.add(Principal("eve", "", "", ()))
    broker.surroundings.journal.define(USER, "ada", dump(kept))
    commit(broker, store)
    again, found = started(store)
    assert list(again.principals.users) == ["eve"]
    assert again.principals.count == 2
    (sentence,) = found.damage
    assert sentence.startswith("user 'ada': ")


@pytest.mark.parametrize("kept", [[], None, ["", "", "", "", 5], ["", "", "", ""]])
def test_a_permission_of_another_shape_is_told_of_and_allows_nothing(kept: object) -> None:
    store = MemoryStore()
    broker, _ = started(store)
    broker.principals.add(Principal("ada", "", "", ()))
    broker.surroundings.journal.define(PERMISSION, key_of("ada", "/"), dump(kept))
    commit(broker, store)
    again, found = started(store)
    assert again.principals.find("ada").permissions == {}
    (sentence,) = found.damage
    assert sentence.startswith("permission 'ada' '/': ")


def test_a_permission_of_nobody_is_told_of() -> None:
    store = MemoryStore()
    broker, _ = started(store)
    broker.surroundings.journal.define(PERMISSION, key_of("ada", "/"), dump(list(PATTERNS)))
    commit(broker, store)
    again, found = started(store)
    assert again.principals.count == 0
    assert "no user 'ada'" in found.damage[0]


def test_the_only_user_whose_record_is_damaged_still_counts_at_every_later_start(tmp_path: Path) -> None:
    """Else a flipped bit would let `guest` in."""
    store = SqliteStore(tmp_path)
    broker, _ = started(store)
    broker.principals.add(Principal("ada", "the hash", "", ()))
    commit(broker, store)
    store.close()
    data = bytearray((tmp_path / FILE).read_bytes())
    data[data.index(b"the hash")] ^= 1
    (tmp_path / FILE).write_bytes(data)
    for start in range(3):
        store = SqliteStore(tmp_path)
        broker, found = started(store)
        assert broker.principals.users == {}
        assert broker.principals.count == 1
        if not start:
            assert "user 'ada'" in found.damage[0]
        commit(broker, store)
        store.close()
    store = SqliteStore(tmp_path)
    broker, _ = started(store)
    eve = Principal("eve", "", "", ())
    broker.principals.add(eve)
    broker.principals.remove(eve)
    assert broker.principals.count == 0  # somebody has removed the last one, and knows
    commit(broker, store)
    store.close()
    store = SqliteStore(tmp_path)
    assert started(store)[0].principals.count == 0
    store.close()


# Without a broker


@pytest.mark.parametrize("clean", [True, False])
def test_a_change_at_rest_leaves_the_mark_as_it_is(tmp_path: Path, clean: bool) -> None:
    store = SqliteStore(tmp_path)
    broker, _ = started(store)
    commit(broker, store)
    if clean:
        store.close()
    else:
        kill(store)
    at_rest = StoreAtRest(tmp_path)
    broker = a_broker()
    broker.surroundings.journal.begin(set())
    broker.principals.add(Principal("ada", "", "", ()))
    commit(broker, at_rest)
    assert [key for key, _ in at_rest.of_kind(USER)] == ["ada"]
    assert at_rest.of_kind(PERMISSION) == []
    at_rest.close()
    store = SqliteStore(tmp_path)
    assert started(store)[1].clean is clean
    store.close()


# Against a plain dictionary

NAMES = st.sampled_from(["ada", "bob", "eve"])
VHOSTS = st.sampled_from(["/", "v"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES, st.text(max_size=3)),
        st.tuples(st.just("remove"), NAMES, st.just("")),
        st.tuples(st.just("permit"), NAMES, VHOSTS),
        st.tuples(st.just("forbid"), NAMES, VHOSTS),
        st.tuples(st.just("restart"), st.just(""), st.just("")),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS)
def test_changes_and_restarts_in_any_order_leave_what_a_dictionary_has(steps: list[tuple[str, str, str]]) -> None:
    store = MemoryStore()
    broker, _ = started(store)
    model: dict[str, tuple[str, set[str]]] = {}
    for what, name, more in steps:
        principals = broker.principals
        if what == "restart":
            commit(broker, store)
            broker, found = started(store)
            assert found.damage == []
        elif what == "add":
            if name not in model:
                principals.add(Principal(name, more, "", ()))
                model[name] = (more, set())
        elif name in model:
            user = principals.find(name)
            if what == "remove":
                principals.remove(user)
                del model[name]
            elif what == "permit":
                principals.permit(user, more, PATTERNS)
                model[name][1].add(more)
            elif more in model[name][1]:
                principals.forbid(user, more)
                model[name][1].remove(more)
        assert {
            user.name: (user.password_hash, set(user.permissions)) for user in broker.principals.users.values()
        } == model
        assert broker.principals.count == len(model)
