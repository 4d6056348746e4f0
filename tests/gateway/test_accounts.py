"""Accounts: who is let in, what is remembered, and what is not told."""

from typing import Any, Final

import argon2
import pytest

from core.access import CONFIGURE, READ, WRITE, authorize
from core.model.errors import Denied
from gateway.accounts import Accounts, Verdict, hash_password
from gateway.config import Config
from gateway.scram import make_secret
from gateway.scram_secret import ITERATIONS_LEAST
from protocols.exchange import Exchange, Failure
from tests.scram_client import ScramClient

CHEAP: Final = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ANN: Final[dict[str, Any]] = {"name": "ann", "password_hash": CHEAP.hash("right")}


def accounts(**tables: Any) -> Accounts:
    return Accounts(Config.model_validate(tables))


def name_of(verdict: Verdict | None) -> str | None:
    assert verdict is not None
    assert (verdict.user is None) == bool(verdict.reason)
    return verdict.user.name if verdict.user is not None else None


# Passwords


def test_a_right_password_is_checked_once_and_then_remembered() -> None:
    known = accounts(user=[ANN])
    assert known.cached("ann", b"right", loopback=False) is None
    assert name_of(known.check("ann", b"right", loopback=False)) == "ann"
    assert name_of(known.cached("ann", b"right", loopback=False)) == "ann"


def test_a_wrong_password_is_refused_and_never_remembered() -> None:
    known = accounts(user=[ANN])
    known.check("ann", b"right", loopback=True)
    for _ in range(2):
        assert known.cached("ann", b"wrong", loopback=True) is None
        assert name_of(known.check("ann", b"wrong", loopback=True)) is None


def test_an_unknown_user_is_answered_like_a_wrong_password() -> None:
    known = accounts(user=[ANN])
    assert known.cached("bob", b"right", loopback=True) is None
    unknown = known.check("bob", b"right", loopback=True)
    wrong = known.check("ann", b"wrong", loopback=True)
    assert unknown.reason.replace("bob", "ann") == wrong.reason


def test_an_unknown_user_costs_one_hash_with_the_costliest_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counting(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        hashed.append(stored.rpartition("$")[0])
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counting)
    costly = argon2.PasswordHasher(time_cost=3, memory_cost=16, parallelism=1).hash("right")
    known = accounts(user=[ANN, {"name": "eve", "password_hash": costly}, {"name": "none"}])
    for name in ("bob", "none", "eve"):
        known.check(name, b"wrong", loopback=True)
    assert hashed == [costly.rpartition("$")[0]] * 3


def test_without_any_hash_an_unknown_user_costs_what_a_new_hash_costs() -> None:
    known = accounts()
    decoy, fresh = argon2.extract_parameters(known._decoy), argon2.extract_parameters(hash_password(b"x"))
    assert decoy == fresh
    assert name_of(known.check("bob", b"right", loopback=True)) is None


@pytest.mark.parametrize("username", ["ann", "bob", "none", "guest"])
def test_an_empty_password_is_never_right(username: str) -> None:
    """CVE-2016-9877: a name without a password must not be a login."""
    known = accounts(user=[ANN, {"name": "none"}])
    assert name_of(known.cached(username, b"", loopback=True)) is None
    assert name_of(known.check(username, b"", loopback=True)) is None


def test_a_user_without_a_hash_has_no_right_password() -> None:
    known = accounts(user=[{"name": "none"}])
    assert known.cached("none", b"x", loopback=True) is None
    assert name_of(known.check("none", b"x", loopback=True)) is None


def test_a_password_is_bytes_and_not_text() -> None:
    known = accounts(user=[{"name": "a", "password_hash": CHEAP.hash(b"\xff\x00\xfe")}])
    assert name_of(known.check("a", b"\xff\x00\xfe", loopback=True)) == "a"
    assert name_of(known.check("a", b"\xff", loopback=True)) is None


def test_name_and_password_are_not_run_together_in_what_is_remembered() -> None:
    known = accounts(user=[ANN, {"name": "an", "password_hash": CHEAP.hash("nright")}])
    known.check("ann", b"right", loopback=True)
    assert known._digest("ann", b"right") != known._digest("an", b"nright")


def test_no_password_is_kept() -> None:
    known = accounts(user=[{"name": "ann", "password_hash": CHEAP.hash("canary-7c1")}])
    known.check("ann", b"canary-7c1", loopback=True)
    kept = {name: getattr(known, name) for name in dir(known)}  # compiled, it has no __dict__
    assert "_right" in kept
    assert "canary-7c1" not in repr(kept)


def test_what_is_remembered_differs_between_processes() -> None:
    assert accounts()._digest("a", b"b") != accounts()._digest("a", b"b")


def test_a_name_that_is_not_text_is_refused() -> None:
    known = accounts(user=[ANN])
    assert known.cached("\udc80", b"x", loopback=True) is None
    assert name_of(known.check("\udc80", b"x", loopback=True)) is None


def test_a_new_hash_is_argon2id_and_fits_its_password() -> None:
    stored = hash_password(b"s3cret")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert argon2.PasswordHasher().verify(stored, b"s3cret")
    assert hash_password(b"s3cret") != stored


# Guest, loopback, anonymous clients


def test_guest_enters_at_once_from_loopback_and_not_from_elsewhere() -> None:
    known = accounts()
    assert name_of(known.cached("guest", b"guest", loopback=True)) == "guest"
    refused = known.cached("guest", b"guest", loopback=False)
    assert name_of(refused) is None
    assert refused is not None
    assert "loopback" in refused.reason


def test_guest_with_another_password_is_refused() -> None:
    known = accounts()
    assert known.cached("guest", b"Guest", loopback=True) is None
    assert name_of(known.check("guest", b"Guest", loopback=True)) is None
    assert name_of(known.check("guest", b"guest", loopback=True)) == "guest"


def test_guest_is_gone_when_the_configuration_names_users() -> None:
    known = accounts(user=[ANN])
    assert "guest" not in known.users
    assert known.cached("guest", b"guest", loopback=True) is None
    assert name_of(known.check("guest", b"guest", loopback=True)) is None


def test_guest_may_do_everything_in_every_virtual_host() -> None:
    guest = accounts(vhost=[{"name": "v"}]).users["guest"]
    for vhost in ("/", "v"):
        for operation in (CONFIGURE, WRITE, READ):
            authorize(guest, vhost, operation, "exchange", "amq.topic", "a.b")


def test_a_user_may_be_bound_to_loopback() -> None:
    known = accounts(user=[{**ANN, "loopback_only": True}])
    assert name_of(known.cached("ann", b"right", loopback=False)) is None
    assert name_of(known.check("ann", b"right", loopback=False)) is None
    assert name_of(known.check("ann", b"right", loopback=True)) == "ann"


def test_an_anonymous_client_is_guest_from_loopback() -> None:
    known = accounts()
    assert name_of(known.cached("", b"", loopback=True)) == "guest"
    assert name_of(known.cached("", b"", loopback=False)) is None


def test_an_anonymous_client_is_the_user_that_is_configured() -> None:
    known = accounts(anonymous="ann", user=[ANN])
    assert name_of(known.cached("", b"", loopback=False)) == "ann"


@pytest.mark.parametrize("tables", [{"anonymous": ""}, {"user": [ANN]}])
def test_an_anonymous_client_is_refused_when_nobody_stands_for_it(tables: dict[str, Any]) -> None:
    known = accounts(**tables)
    assert name_of(known.cached("", b"", loopback=True)) is None
    assert name_of(known.check("", b"", loopback=True)) is None


def test_a_password_without_a_name_is_refused() -> None:
    assert name_of(accounts().cached("", b"guest", loopback=True)) is None


# Permissions

SENSOR: Final[dict[str, Any]] = {
    "name": "sensor",
    "tags": ["monitoring"],
    "permission": [
        {
            "configure": "^mqtt-",
            "write": "^amq\\.topic$",
            "read": "^(amq\\.topic|mqtt-)",
            "write_topics": "^sensors\\.",
        },
        {"vhost": "v", "read": ".*"},
    ],
}


@pytest.mark.parametrize(
    ("vhost", "operation", "name", "topic", "allowed"),
    [
        ("/", CONFIGURE, "mqtt-1", None, True),
        ("/", CONFIGURE, "my-mqtt-1", None, False),
        ("/", WRITE, "amq.topic", "sensors.a", True),
        ("/", WRITE, "amq.topic", "sensors", False),
        ("/", WRITE, "amq-topic", "sensors.a", False),
        ("/", WRITE, "", None, False),
        ("/", READ, "amq.topic", "anything.#", True),
        ("v", READ, "whatever", None, True),
        ("v", WRITE, "whatever", None, False),
        ("v", CONFIGURE, "", None, False),
        ("w", READ, "whatever", None, False),
    ],
)
def test_permissions_are_those_of_the_configuration(
    vhost: str, operation: int, name: str, topic: str | None, allowed: bool
) -> None:
    user = accounts(user=[SENSOR], vhost=[{"name": "v"}, {"name": "w"}]).users["sensor"]
    assert user.tags == ("monitoring",)
    if allowed:
        authorize(user, vhost, operation, "exchange", name, topic)
        return
    with pytest.raises(Denied):
        authorize(user, vhost, operation, "exchange", name, topic)


def test_a_user_without_permissions_enters_no_virtual_host() -> None:
    assert accounts(user=[ANN]).users["ann"].permissions == {}


# Certificates


def test_whom_a_certificate_names_needs_no_password() -> None:
    known = accounts(user=[{"name": "ann"}])
    assert name_of(known.certified("ann", "ann", loopback=False)) == "ann"


@pytest.mark.parametrize("certificate_user", ["", "bob", "Ann", "ann "])
def test_without_a_certificate_of_that_name_nobody_comes_without_a_password(certificate_user: str) -> None:
    known = accounts(user=[{"name": "ann"}, {"name": "bob"}])
    assert name_of(known.certified("ann", certificate_user, loopback=True)) is None


def test_a_certificate_that_names_nobody_is_not_the_anonymous_user() -> None:
    known = accounts(user=[{"name": "ann"}], anonymous="ann")
    assert name_of(known.certified("", "", loopback=True)) is None


def test_a_certificate_makes_no_user() -> None:
    known = accounts(user=[{"name": "ann"}])
    assert name_of(known.certified("bob", "bob", loopback=True)) is None


def test_a_user_from_loopback_only_stays_there_with_a_certificate() -> None:
    known = accounts(user=[{"name": "ann", "loopback_only": True}])
    assert name_of(known.certified("ann", "ann", loopback=False)) is None
    assert name_of(known.certified("ann", "ann", loopback=True)) == "ann"


# SCRAM


SECRET: Final = str(make_secret(b"right", bytes(16), ITERATIONS_LEAST))


def prove(known: Accounts, client: ScramClient) -> Exchange:
    exchange = known.exchange("SCRAM-SHA-256")
    assert exchange is not None
    client.trusts(exchange.answer(client.last(exchange.answer(client.first()))))
    return exchange


def test_a_user_with_a_secret_proves_itself() -> None:
    known = accounts(user=[{"name": "ann", "scram_sha_256": SECRET}])
    exchange = prove(known, ScramClient("ann", "right"))
    assert exchange.finished
    assert name_of(known.proven(exchange.username, loopback=False)) == "ann"
    with pytest.raises(Failure):
        prove(known, ScramClient("ann", "wrong"))


def test_each_exchange_has_a_nonce_of_its_own() -> None:
    known = accounts(user=[{"name": "ann", "scram_sha_256": SECRET}])
    exchanges = [known.exchange("SCRAM-SHA-256") for _ in range(10)]
    answers = {exchange.answer(ScramClient("ann", "right").first()) for exchange in exchanges if exchange is not None}
    assert len(answers) == 10


def test_the_default_guest_has_a_secret_and_may_come_from_loopback_only() -> None:
    known = accounts()
    exchange = prove(known, ScramClient("guest", "guest"))
    assert name_of(known.proven(exchange.username, loopback=True)) == "guest"
    assert name_of(known.proven(exchange.username, loopback=False)) is None


def test_who_has_a_password_hash_only_cannot_prove_itself() -> None:
    known = accounts(user=[ANN, {"name": "bob", "scram_sha_256": SECRET}])
    with pytest.raises(Failure):
        prove(known, ScramClient("ann", "right"))
    assert name_of(known.proven("ann", loopback=True)) is None
    assert known.check("bob", b"right", loopback=True).user is None  # and the other way round


def test_methods_are_not_offered_where_nobody_could_use_them() -> None:
    assert accounts(user=[ANN]).exchange("SCRAM-SHA-256") is None
    assert accounts(user=[{"name": "ann", "scram_sha_256": SECRET}]).exchange("SCRAM-SHA-1") is None
