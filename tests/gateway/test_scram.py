"""SCRAM-SHA-256, against the example of RFC 7677 and a client of the tests' own."""

import base64
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Config, load
from gateway.config_errors import ConfigError
from gateway.scram import MESSAGE_LIMIT_BYTES, Scram, make_secret, prepared_name
from gateway.scram_secret import ITERATIONS_LEAST, Secret, parse_secret
from gateway.scram_secrets import secrets_of
from protocols.exchange import Failure
from tests.scram_client import ScramClient

SALT: Final = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SECRET: Final = make_secret(b"pencil", SALT, 4_096)
SERVER_NONCE: Final = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def exchange() -> Scram:
    return Scram(SERVER_NONCE, lambda name: SECRET)


def test_the_example_of_rfc_7677() -> None:
    server = exchange()
    nonce = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    assert server.answer(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert (server.username, server.finished) == ("user", False)
    proof = b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert server.answer(b"c=biws," + nonce + b"," + proof) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert server.finished


@pytest.mark.parametrize("header", ["n,,", "y,,"])
def test_a_client_without_channel_binding_is_let_in(header: str) -> None:
    client, server = ScramClient("user", "pencil", header=header), exchange()
    assert client.trusts(server.answer(client.last(server.answer(client.first()))))
    assert server.finished


@pytest.mark.parametrize("header", ["p=tls-unique,,", "p=tls-exporter,,", "n,a=other,", "x,,", ",,", ""])
def test_channel_binding_and_acting_for_others_are_refused(header: str) -> None:
    with pytest.raises(Failure) as caught:
        exchange().answer(ScramClient("user", "pencil", header=header).first())
    assert not caught.value.guess


def test_a_header_that_has_changed_on_the_way_is_refused() -> None:
    """Somebody between the two has taken away that the client can bind channels (RFC 5802 §6)."""
    client, server = ScramClient("user", "pencil", header="y,,"), exchange()
    answer = server.answer(client.first().replace(b"y,,", b"n,,"))
    with pytest.raises(Failure, match="channel-bindings-dont-match"):
        server.answer(client.last(answer))


def test_a_wrong_password_is_a_guess() -> None:
    client, server = ScramClient("user", "pen"), exchange()
    with pytest.raises(Failure) as caught:
        server.answer(client.last(server.answer(client.first())))
    assert caught.value.guess
    assert not server.finished


@pytest.mark.parametrize("proof", [b"", b"AAAA", b"A" * 400, b"!"])
def test_a_proof_of_a_wrong_length_fails(proof: bytes) -> None:
    client, server = ScramClient("user", "pencil"), exchange()
    last = client.last(server.answer(client.first()))
    with pytest.raises(Failure):
        server.answer(last[: last.index(b",p=") + 3] + proof)


def test_the_nonce_must_be_the_one_of_this_exchange() -> None:
    client, server = ScramClient("user", "pencil"), exchange()
    other = Scram("another", lambda name: SECRET)
    server.answer(client.first())
    with pytest.raises(Failure, match="nonce"):
        server.answer(client.last(other.answer(client.first())))


def test_a_finished_exchange_does_not_go_on() -> None:
    client, server = ScramClient("user", "pencil"), exchange()
    last = client.last(server.answer(client.first()))
    server.answer(last)
    with pytest.raises(Failure):
        server.answer(last)


@given(st.lists(st.binary(max_size=40) | st.text(alphabet="nycrapm=,aé\0 \u00ad", max_size=30).map(str.encode)))
def test_any_bytes_end_in_an_answer_or_a_failure(messages: list[bytes]) -> None:
    server = exchange()
    for message in messages:
        try:
            server.answer(message)
        except Failure:
            break
    assert not server.finished


def test_a_message_has_a_limit() -> None:
    room = MESSAGE_LIMIT_BYTES - len(b"n,,n=u,r=")
    assert exchange().answer(b"n,,n=u,r=" + b"x" * room)
    with pytest.raises(Failure, match="longer"):
        exchange().answer(b"n,,n=u,r=" + b"x" * (room + 1))


def test_a_name_that_grows_when_it_is_prepared_has_the_same_limit() -> None:
    with pytest.raises(Failure, match="too long"):
        exchange().answer("n,,n={},r=abc".format("\ufdfa" * 60).encode())


@pytest.mark.parametrize(
    ("name", "prepared"), [("I\u00adX", "IX"), ("user", "user"), ("USER", "USER"), ("\u00aa", "a"), ("\u2168", "IX")]
)
def test_names_are_prepared(name: str, prepared: str) -> None:
    """The examples of RFC 4013 §3."""
    assert prepared_name(name) == prepared


@pytest.mark.parametrize("name", ["\u0007", "\u0627\u0031"])
def test_some_names_have_no_form(name: str) -> None:
    """The same."""
    assert prepared_name(name) == ""


def test_a_secret_is_text_and_comes_back() -> None:
    assert str(SECRET).startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert vars(parse_secret(str(SECRET))) == vars(SECRET)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("SCRAM-SHA-256", "SCRAM-SHA-1"),
        ("$4096:", f"${ITERATIONS_LEAST - 1}:"),
        ("$4096:", "$10000001:"),
        ("$4096:", "$04096:"),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEs="),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEsUEjb6gQ"),
        (str(SECRET)[-8:], ""),
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(part: str, other: str) -> None:
    text = str(SECRET).replace(part, other)
    with pytest.raises(ValueError, match="hash-password --scram") as caught:
        parse_secret(text)
    assert text not in str(caught.value)


def test_a_password_that_is_no_text_has_no_secret() -> None:
    with pytest.raises(Failure, match="UTF-8"):
        make_secret(b"\xff", SALT, ITERATIONS_LEAST)


def config(*users: tuple[str, Secret]) -> Config:
    return Config.model_validate({"user": [{"name": name, "scram_sha_256": str(secret)} for name, secret in users]})


def test_a_user_that_does_not_exist_looks_like_one_that_does() -> None:
    """Always the same, also after a restart, and no other's; with the iterations and the length of salt of real users."""
    users = config(("user", SECRET), ("other", make_secret(b"secret", bytes(20), 5_000)))
    first, again = secrets_of(users), secrets_of(users)
    made_up = [first.find(f"nobody-{number}") for number in range(50)]
    assert [vars(secret) for secret in made_up] == [vars(again.find(f"nobody-{number}")) for number in range(50)]
    assert len({secret.salt for secret in made_up}) == 50
    assert {(secret.iterations, len(secret.salt)) for secret in made_up} == {(4_096, 16), (5_000, 20)}
    elsewhere = secrets_of(config(("user", SECRET), ("other", make_secret(b"password", bytes(20), 5_000))))
    assert elsewhere.find("nobody-1").salt != made_up[1].salt


def test_nobody_can_prove_to_be_who_does_not_exist() -> None:
    found = secrets_of(config(("user", SECRET)))
    client, server = ScramClient("nobody", "pencil"), Scram(SERVER_NONCE, found.find)
    with pytest.raises(Failure) as caught:
        server.answer(client.last(server.answer(client.first())))
    assert caught.value.guess
    assert found.owner("nobody") == ""


def test_a_name_is_found_in_its_prepared_form() -> None:
    found = secrets_of(config(("us\u2168er", SECRET)))
    assert found.find("usIXer").salt == SALT
    assert found.owner("usIXer") == "us\u2168er"


def complaints(folder: Path, *names: str) -> list[str]:
    """Return what is wrong with a configuration of users that have those names and one secret."""
    users = "".join(f'[[user]]\nname = "{name}"\nscram_sha_256 = "{SECRET}"\n' for name in names)
    path = folder / "dragoman.toml"
    path.write_text(users, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_names_that_scram_cannot_tell_apart_or_say_are_mistakes(tmp_path: Path) -> None:
    assert complaints(tmp_path, "IX", "\u2168", "\u06271") == [
        "user[1].scram_sha_256: '\u2168' is the same name for SCRAM as that of user[0]",
        "user[2].scram_sha_256: '\u06271' is no name that SCRAM can say (RFC 4013)",
    ]


def test_a_secret_that_is_none_is_a_mistake_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.toml"
    path.write_text('[[user]]\nname = "a"\nscram_sha_256 = "s3cret"\n')
    with pytest.raises(ConfigError, match=r"user\[0\]\.scram_sha_256: is not a secret of SCRAM") as caught:
        load(path)
    assert "s3cret" not in str(caught.value)
