"""`dragoman user` and `dragoman policy`: what they print, their exit codes, and what is there afterwards."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from typer.testing import CliRunner, Result

from core.principals import Principal
from core.store.at_rest import StoreAtRest
from core.store.batch import Batch
from core.store.errors import StoreError
from core.store.kinds import PERMISSION, POLICY, USER
from core.store.sqlite import FILE, SqliteStore, lock_directory
from core.store.values import load
from gateway import cli, control_client
from gateway.control import SOCKET
from tests.core.parts import a_broker
from tests.core.store.older import make_format_1
from tests.gateway.test_server import running
from tests.protocols.mqtt.peer import PINGREQ, connect


def invoke(*arguments: str | Path, typed: str | bytes = "secret\n") -> Result:
    return CliRunner().invoke(
        cli.app, [str(argument) for argument in arguments], input=typed, prog_name="dragoman", catch_exceptions=False
    )


def done(*arguments: str | Path, typed: str = "secret\n") -> str:
    """Return what a command prints that does what it is asked."""
    result = invoke(*arguments, typed=typed)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refused(code: int, *arguments: str | Path, typed: str | bytes = "secret\n") -> str:
    """Return the sentence of a command that does nothing."""
    result = invoke(*arguments, typed=typed)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("dragoman: ")
    return result.stderr.removeprefix("dragoman: ").rstrip("\n")


def kept(directory: Path, kind: int) -> dict[str, Any]:
    with closing(StoreAtRest(directory)) as store:
        return {key: load(record[4:]) for key, record in store.of_kind(kind)}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for a socket on every system, and a configuration."""
    with tempfile.TemporaryDirectory(prefix="u", dir="/tmp") as name:
        (Path(name) / "d.toml").write_text('[store]\ndirectory = "data"\n[[vhost]]\nname = "shop"\n')
        yield Path(name)


@pytest.fixture
def data(folder: Path) -> Path:
    return folder / "data"


# At rest


def test_users_are_made_before_the_first_start(folder: Path, data: Path) -> None:
    config = folder / "d.toml"
    said = done("user", "add", "ada", "--tag", "monitoring", "--tag", "policymaker", "--config", config)
    assert said == (
        "user 'ada' added, who may enter no vhost yet: see `dragoman user permit`\n"
        "user 'guest', who was there while nobody was named, is gone\n"
    )
    said = done("user", "permit", "ada", "--vhost", "shop", "--configure", "^c", "--read", ".*", "--config", config)
    assert said == "user 'ada' may enter vhost 'shop'\n"
    ((password_hash, scram, tags, loopback_only),) = kept(data, USER).values()
    assert password_hash.startswith("$argon2id$")
    assert (scram, tags, loopback_only) == ("", ["monitoring", "policymaker"], False)
    assert kept(data, PERMISSION) == {"ada\0shop": ["^c", "", ".*", ".*", ".*"]}
    assert b"secret" not in (data / FILE).read_bytes()
    assert done("user", "list", "--store", data) == (
        "name  tags                    from   vhosts\nada   monitoring policymaker  store  shop\n"
    )
    done("user", "forbid", "ada", "--vhost", "shop", "--config", config)
    done("user", "tag", "ada", "--store", data)
    assert done("user", "remove", "ada", "--config", config) == (
        "user 'ada' removed\nno user is left: 'guest' with the password 'guest' may log in from this machine again\n"
    )
    assert kept(data, USER) == kept(data, PERMISSION) == {}


def test_a_secret_for_scram_is_made_when_it_is_asked_for(data: Path) -> None:
    done("user", "add", "ada", "--scram", "--loopback-only", "--store", data)
    (stated,) = kept(data, USER).values()
    assert stated[1].startswith("SCRAM-SHA-256$15000:")
    assert stated[3] is True
    said = done("user", "password", "ada", "--store", data)
    assert said == "user 'ada' has another password\nuser 'ada' can no longer log in by SCRAM\n"
    assert kept(data, USER)["ada"][0] != stated[0]
    assert refused(2, "user", "password", "ada", "--scram", "--store", data, typed=b"\xff\n").startswith(
        "a password for"
    )


def test_the_password_comes_from_the_first_line_of_a_file_or_of_standard_input(folder: Path, data: Path) -> None:
    from gateway.accounts import _verify

    file = folder / "password"
    file.write_bytes(b"from a file\r\nand more\n")
    done("user", "add", "ada", "--password-file", file, "--store", data, typed="")
    done("user", "add", "bob", "--password-file", "-", "--store", data, typed="typed\n")
    found = kept(data, USER)
    assert _verify(found["ada"][0], b"from a file")
    assert _verify(found["bob"][0], b"typed")
    assert refused(1, "user", "add", "eve", "--password-file", folder / "no", "--store", data).endswith(
        "no: No such file or directory"
    )
    assert refused(2, "user", "add", "eve", "--store", data, typed="\n").startswith("an empty password")
    assert refused(2, "user", "add", "eve", "--store", data, typed="x" * 5_000).startswith("a password of more than")
    assert set(kept(data, USER)) == {"ada", "bob"}


def test_what_cannot_be_done_is_exit_code_1_and_what_makes_no_sense_2(folder: Path, data: Path) -> None:
    config = folder / "d.toml"
    done("user", "add", "ada", "--store", data)
    assert refused(1, "user", "add", "ada", "--store", data) == "there is a user 'ada' already"
    assert refused(1, "user", "remove", "bob", "--store", data) == "there is no user 'bob' in the store"
    assert refused(1, "user", "forbid", "ada", "--store", data) == "user 'ada' has no permission in vhost '/'"
    assert refused(1, "user", "permit", "ada", "--vhost", "x", "--config", config) == (
        f"there is no vhost 'x': name it under [[vhost]] in {config}"
    )
    assert refused(2, "user", "permit", "ada", "--read", "(", "--store", data).startswith("read: '(' is not a pattern")
    assert refused(2, "user", "tag", "ada", "boss", "--store", data).startswith("tag 'boss' is none of administrator")
    assert refused(2, "user", "add", "a\x1b[2J", "--store", data).startswith("name: 'a\\x1b[2J' contains")
    assert refused(2, "user", "list").startswith("name the data directory of the store")
    (folder / "d.toml").write_text('[[user]]\nname = "ann"\n[store]\ndirectory = "data"\n')
    assert refused(1, "user", "remove", "ann", "--config", config) == (
        f"user 'ann' is in {config}, which is where to change it"
    )
    (folder / "d.toml").write_text("")
    assert (
        refused(2, "user", "add", "x", "--config", config)
        == f"{config} has no store: `directory` in [store] is not set"
    )


@pytest.mark.parametrize("command", [["user", "list"], ["user", "remove", "ada"], ["policy", "list"]])
def test_a_store_that_is_not_there_is_made_only_to_add_something(data: Path, command: list[str]) -> None:
    assert f"there is no store in {data}" in refused(1, *command, "--store", data)
    assert not data.exists()


def test_a_store_of_an_older_format_is_left_to_the_start_or_to_migrate(data: Path) -> None:
    SqliteStore(data).close()
    make_format_1(data)
    before = (data / FILE).read_bytes()
    assert "format 1" in refused(1, "user", "add", "ada", "--store", data)
    assert (data / FILE).read_bytes() == before


def test_damage_is_told_and_costs_itself_only(data: Path) -> None:
    done("user", "add", "ada", "--store", data)
    done("user", "add", "bob", "--store", data)
    with closing(StoreAtRest(data)) as store:
        store._db.execute("update definition set record = x'00000000ff' where key = 'ada'")
    result = invoke("user", "list", "--store", data)
    assert result.exit_code == 0
    assert result.stderr.startswith("dragoman: damaged: user 'ada': ")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["name", "bob"]


def test_a_full_or_failing_disk_is_told_and_is_exit_code_1(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __init__(self, directory: Path) -> None:
            store = StoreAtRest(directory)
            self.of_kind, self.close = store.of_kind, store.close

        def commit(self, _batch: Batch) -> None:
            raise StoreError("cannot write: disk I/O error")

    monkeypatch.setattr("gateway.control_at_rest.StoreAtRest", Failing)
    assert refused(1, "user", "add", "ada", "--store", data) == "cannot write: disk I/O error"


def test_names_are_shown_on_one_line_and_as_they_are(data: Path) -> None:
    assert done("user", "add", "über ada", "--store", data).startswith("user 'über ada' added")
    assert "über ada" in done("user", "list", "--store", data)


def test_a_user_is_shown_with_what_it_may_do(folder: Path, data: Path) -> None:
    done("user", "add", "ada", "--tag", "monitoring", "--loopback-only", "--scram", "--store", data)
    facts = "name           ada\ntags           monitoring\nloopback only  yes\n"
    facts += "from           store\npassword       yes\nSCRAM secret   yes\n\n"
    assert done("user", "show", "ada", "--store", data) == facts + "user 'ada' may enter no vhost\n"
    done("user", "permit", "ada", "--configure", "^c", "--read", ".*", "--read-topics", "", "--store", data)
    assert done("user", "show", "ada", "--store", data) == facts + (
        "vhost  configure  write  read  write topics  read topics\n/      ^c                .*    .*\n"
    )
    done("user", "permit", "ada", "--write", "\x9b2Jé", "--store", data)
    assert "\n/                 \\x9b2Jé " in done("user", "show", "ada", "--store", data)
    assert refused(1, "user", "show", "ann", "--store", data).startswith("there is no user 'ann': ")
    (folder / "d.toml").write_text('[[user]]\nname = "ann"\n[store]\ndirectory = "data"\n')
    assert f"from           {folder / 'd.toml'}\n" in done("user", "show", "ann", "--config", folder / "d.toml")


# Beside somebody else


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    lock = lock_directory(directory)
    try:
        yield
    finally:
        os.close(lock)


def test_a_store_in_use_without_a_control_socket_is_refused_after_a_moment(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_client, "START_S", 0.0)
    done("user", "add", "ada", "--store", data)
    with locked(data):
        said = refused(1, "user", "add", "bob", "--store", data)
    assert said.startswith(f"the data directory {data} is in use, and nobody answers at {data / SOCKET}")
    assert set(kept(data, USER)) == {"ada"}


def test_a_stale_socket_is_not_in_the_way(data: Path) -> None:
    data.mkdir()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(data / SOCKET))
    stale.close()
    done("user", "add", "ada", "--store", data)


def test_a_path_that_is_too_long_for_a_socket_is_no_reason_to_refuse_a_store(folder: Path) -> None:
    far = folder / ("x" * 120)
    done("user", "add", "ada", "--store", far)
    assert set(kept(far, USER)) == {"ada"}


class Mute:
    """Listens at the socket, and closes what it accepts when it has heard something."""

    def __init__(self, data: Path) -> None:
        data.mkdir()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(data / SOCKET))
        self.sock.listen()

    def run(self) -> None:
        sock, _ = self.sock.accept()
        sock.recv(1 << 16)
        sock.close()


async def test_a_broker_that_ends_before_it_answers_leaves_it_open_what_has_happened(data: Path) -> None:
    mute = Mute(data)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, mute.run)
        said = await trio.to_thread.run_sync(refused, 1, "user", "add", "ada", "--store", data)
    mute.sock.close()
    assert said.startswith(f"{data / SOCKET}: the broker has closed the connection; whether anything was changed")


async def test_a_running_broker_is_asked_and_has_it_after_a_restart(data: Path) -> None:
    async def run(*arguments: str | Path) -> str:
        return await trio.to_thread.run_sync(done, *arguments)

    before = structlog.get_config()
    async with running(store={"directory": str(data)}) as broker:
        assert (data / SOCKET).is_socket()
        await run("user", "add", "ada", "--store", data)
        await run("user", "permit", "ada", "--write", "^w", "--store", data)
        assert "ada" in await run("user", "list", "--store", data)
        said = await trio.to_thread.run_sync(refused, 1, "user", "permit", "ada", "--vhost", "x", "--store", data)
        assert said == "there is no vhost 'x': name it under [[vhost]] in the configuration"
        assert "/                 ^w " in await run("user", "show", "ada", "--store", data)
        await run("policy", "set", "p", "^q", '{"max-length": 7}', "--priority", "2", "--store", data)
        none = "no policy applies to exchange 'amq.topic' in vhost '/'\n"
        assert await run("policy", "show", "exchange", "amq.topic", "--store", data) == none
        await broker.stop()
    assert structlog.get_config() == before
    assert not (data / SOCKET).exists()
    assert set(kept(data, USER)) == {"ada"}
    assert kept(data, PERMISSION) == {"ada\0/": ["", "^w", "", ".*", ".*"]}
    assert set(kept(data, POLICY)) == {"/\0p"}
    async with running(store={"directory": str(data)}) as broker:
        assert "max-length" in await run("policy", "list", "--store", data)
        assert [line.split()[0] for line in (await run("user", "list", "--store", data)).splitlines()] == [
            "name",
            "ada",
        ]
        await broker.stop()


async def test_a_client_of_a_user_that_is_removed_is_let_go_and_others_stay(data: Path) -> None:
    async def command(*arguments: str | Path) -> str:
        return await trio.to_thread.run_sync(partial(done, "user", *arguments, "--store", data))

    async with running(store={"directory": str(data)}) as broker:
        streams = {}
        for name in ("ada", "bob"):
            await command("add", name)
            await command("permit", name, "--read", ".*")
            stream = streams[name] = await broker.connect("mqtt")
            await stream.send_all(connect(name, username=name, password=b"secret"))
            with trio.fail_after(10):
                assert await stream.receive_some() == b"\x20\x02\x00\x00"
        await command("remove", "ada")
        with trio.fail_after(10):
            assert await streams["ada"].receive_some() == b""
            await streams["bob"].send_all(PINGREQ)
            assert await streams["bob"].receive_some() == b"\xd0\x00"
        await broker.stop()


async def test_a_broker_without_a_store_has_no_socket(folder: Path) -> None:
    async with running() as broker:
        await broker.stop()
    assert not (folder / SOCKET).exists()


# Policies


def test_policies_are_set_listed_and_cleared_at_rest(data: Path) -> None:
    said = done("policy", "set", "p", "^q", '{"max-length": 5}', "--apply-to", "queues", "--store", data)
    assert said == "policy 'p' set in vhost '/'\n"
    done("policy", "set", "low", ".*", '{"expires": 60000}', "--priority", "-1", "--store", data)
    done("policy", "set", "most", ".*", '{"max-length": 9}', "--operator", "--store", data)
    assert done("policy", "list", "--store", data) == (
        "name  pattern  apply to  priority  definition\n"
        'p     ^q       queues    0         {"max-length": 5}\n'
        'low   .*       all       -1        {"expires": 60000}\n'
    )
    assert '{"max-length": 9}' in done("policy", "list", "--operator", "--store", data)
    assert done("policy", "clear", "p", "--store", data) == "policy 'p' removed from vhost '/'\n"
    assert refused(1, "policy", "clear", "p", "--store", data).startswith("no policy 'p'")
    assert refused(2, "policy", "set", "p", "q", "{", "--store", data).startswith(
        "the definition of policy 'p' is not JSON"
    )
    assert "'nonsense'" in refused(2, "policy", "set", "p", "q", '{"nonsense": 1}', "--store", data)
    assert "vhost 'x' not found" in refused(1, "policy", "set", "p", "q", "{}", "--vhost", "x", "--store", data)


def test_what_is_not_printable_in_a_policy_is_shown_as_an_escape_of_json(data: Path) -> None:
    rule = json.dumps({"dead-letter-exchange": "a\x9b\u202eü"})
    done("policy", "set", "p", "q", rule, "--store", data)
    assert rule in done("policy", "list", "--store", data)


def test_which_policies_apply_is_not_known_at_rest(data: Path) -> None:
    done("policy", "set", "p", "q", '{"max-length": 5}', "--store", data)
    assert refused(1, "policy", "show", "queue", "q", "--store", data).startswith(
        "which policies apply to queue 'q' is known to a running broker only"
    )
    assert "kind: must be 'queue' or 'exchange', not 'topic'" in refused(
        2, "policy", "show", "topic", "q", "--store", data
    )


def test_principals_of_the_core_are_what_the_commands_read(data: Path) -> None:
    store = SqliteStore(data)
    broker = a_broker()
    broker.surroundings.journal.begin(set())
    broker.principals.add(Principal("ada", "", "", ("management",)))
    batch = broker.surroundings.journal.seal()
    assert batch is not None
    store.commit(batch)
    store.close()
    assert "ada   management  store" in done("user", "list", "--store", data)
