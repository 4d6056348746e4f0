"""`dragoman store`, `backup` and `restore`: what they print, their exit codes, and what they leave alone."""

import io
import os
import sqlite3
import time
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from core.model.message import AT_LEAST_ONCE, plain_message
from core.recovery import recover
from core.store.sqlite import FILE, SqliteStore, lock_directory
from gateway import cli
from gateway.store_commands import _age
from gateway.waiting import Waiting
from tests.core.parts import a_broker, a_client
from tests.core.store.filling import bodies_of, commit, filled, loaded
from tests.core.store.older import make_format_1

COUNTS = {"orders": 7, "audit": 0}


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], prog_name="dragoman")


def damage(path: Path, text: bytes) -> None:
    """Flip a bit in the first place where a text is."""
    data = bytearray(path.read_bytes())
    data[data.index(text)] ^= 1
    path.write_bytes(data)


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The directory of a store that nobody uses."""
    filled(tmp_path / "data", COUNTS, taken=2).close()
    return tmp_path / "data"


# Which store


@pytest.mark.parametrize("command", [["store", "stats"], ["store", "verify"], ["store", "migrate"], ["backup", "FILE"]])
def test_a_command_without_a_store_is_a_mistake(command: list[str]) -> None:
    result = invoke(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("dragoman: name the data directory of the store, or with --config")


def test_the_configuration_can_name_the_store(tmp_path: Path, stopped: Path) -> None:
    config = tmp_path / "dragoman.toml"
    config.write_text('[store]\ndirectory = "data"\n')
    assert invoke("store", "verify", "--config", config).exit_code == 0
    config.write_text("")
    result = invoke("store", "verify", "--config", config)
    assert result.exit_code == 2
    assert result.stderr == f"dragoman: {config} has no store: `directory` in [store] is not set\n"
    config.write_text("[store]\nfolder = 1\n")
    result = invoke("store", "verify", "--config", config)
    assert (result.exit_code, "unknown key" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", ["verify", "stats", "migrate"])
def test_a_directory_without_a_store_is_named_and_left_alone(tmp_path: Path, command: str) -> None:
    result = invoke("store", command, tmp_path / "absent")
    assert result.exit_code == 1
    assert f"there is no store in {tmp_path / 'absent'}" in result.stderr
    assert not (tmp_path / "absent").exists()


# verify


def test_a_store_without_damage_is_said_to_have_none(stopped: Path) -> None:
    result = invoke("store", "verify", stopped)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{stopped / FILE}: 2 definitions and 5 messages read, no damage\n"


def test_damage_is_told_by_queue_and_sequence(stopped: Path) -> None:
    damage(stopped / FILE, b"orders 4 ")
    result = invoke("store", "verify", stopped)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "damaged: queue 'orders' in vhost '/': message 5: the checksum does not match",
        f"{stopped / FILE}: 2 definitions and 5 messages read, 1 fault",
    ]


def test_a_damaged_definition_is_told_and_its_messages_too(stopped: Path) -> None:
    change(stopped / FILE, "update definition set record = x'00' where hex(key) like '%6F7264657273'")
    lines = invoke("store", "verify", stopped).stdout.splitlines()
    assert lines[0] == "damaged: queue 'orders' in vhost '/': the checksum does not match"
    assert lines[1] == "damaged: queue number 1 has messages, but no definition"


def test_a_file_whose_structure_is_damaged_is_told_without_a_traceback(stopped: Path) -> None:
    data = bytearray((stopped / FILE).read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    (stopped / FILE).write_bytes(data)
    result = invoke("store", "verify", stopped)
    assert result.exit_code == 1
    assert "structure of the file" in result.stdout or "cannot open" in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_what_was_set_aside_before_is_counted(stopped: Path) -> None:
    damage(stopped / FILE, b"orders 4 ")
    store = SqliteStore(stopped)
    broker = a_broker()
    recover(broker, store)
    loaded(broker)
    commit(broker, store)
    store.close()
    result = invoke("store", "verify", stopped)
    assert result.exit_code == 0
    assert "1 record in quarantine" in result.stdout


def test_a_store_in_use_is_not_verified(tmp_path: Path) -> None:
    store = filled(tmp_path, COUNTS)
    result = invoke("store", "verify", tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path} is in use by another broker; stop it, or make a backup" in result.stderr
    store.close()


# stats and migrate


def test_the_queues_of_a_store_in_use_are_counted(tmp_path: Path) -> None:
    store = filled(tmp_path, COUNTS, taken=2)
    result = invoke("store", "stats", tmp_path)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["vhost", "queue", "messages", "bytes", "first", "oldest"]
    assert lines[1] == ["/", "audit", "0", "0"]
    assert lines[2][:3] == ["/", "orders", "5"]
    assert lines[2][4] == "3"
    assert lines[3][:2] == ["all", "5"]
    assert int(lines[2][3]) > 5 * 20
    store.close()


def test_stats_say_how_old_the_oldest_message_of_a_queue_is(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    broker = a_broker()
    broker.clock.wall = time.time() - 3_725
    recover(broker, store)
    client = a_client(broker)
    client.declare_queue("late", durable=True)
    target = client.target("", "late")
    for _ in range(2):
        client.publish(target.exchange, plain_message(target.address, b"", AT_LEAST_ONCE), None, 0)
        commit(broker, store)
        broker.clock.wall += 3_600
    lines = invoke("store", "stats", tmp_path).stdout.splitlines()
    assert lines[0].split()[-1] == "oldest"
    assert lines[1].endswith("  1 h 2 min")
    store.close()


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59.9, "59 s"), (3_600, "1 h 0 min"), (90_061, "1 d 1 h"), (61, "1 min 1 s")]
)
def test_an_age_is_said_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert _age(seconds) == text


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_a_store_of_this_format_is_not_migrated(stopped: Path, options: list[str]) -> None:
    before = (stopped / FILE).read_bytes()
    result = invoke("store", "migrate", *options, stopped)
    assert result.exit_code == 0
    assert result.stdout == f"{stopped}: format 3, which is this version's; there is nothing to migrate\n"
    assert (stopped / FILE).read_bytes() == before


def test_an_older_format_is_migrated_once_it_was_tried(stopped: Path) -> None:
    make_format_1(stopped)
    before = (stopped / FILE).read_bytes()
    for command in ("verify", "stats"):
        result = invoke("store", command, stopped)
        assert result.exit_code == 1
        assert "has format 1; `dragoman store migrate` brings it to format 3" in result.stderr
    result = invoke("store", "migrate", "--check", stopped)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{stopped}: can be migrated from format 1 to 3, 2 definitions; nothing was changed\n"
    assert (stopped / FILE).read_bytes() == before
    result = invoke("store", "migrate", stopped)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{stopped}: migrated from format 1 to 3, 2 definitions\n"
    assert invoke("store", "verify", stopped).stdout.endswith("2 definitions and 5 messages read, no damage\n")


def test_a_store_in_use_is_not_migrated(stopped: Path) -> None:
    make_format_1(stopped)
    lock = lock_directory(stopped)
    result = invoke("store", "migrate", stopped)
    os.close(lock)
    assert result.exit_code == 1
    assert f"{stopped} is in use by another broker" in result.stderr


def test_damaged_definitions_are_counted_by_a_migration_and_left(stopped: Path) -> None:
    make_format_1(stopped)
    change(stopped / FILE, "update definition set record = x'00' where hex(key) like '%6F7264657273'")
    lines = invoke("store", "migrate", stopped).stdout.splitlines()
    assert lines[1] == "1 definition damaged, and left so"
    assert (
        "damaged: queue 'orders' in vhost '/': the checksum does not match" in invoke("store", "verify", stopped).stdout
    )


def test_a_backup_of_an_older_format_is_restored_as_it_is_and_migrated_by_the_start(
    tmp_path: Path, stopped: Path
) -> None:
    make_format_1(stopped)
    assert invoke("backup", tmp_path / "saved.db", "--store", stopped).exit_code == 0
    assert invoke("restore", tmp_path / "saved.db", "--store", tmp_path / "again").exit_code == 0
    again = SqliteStore(tmp_path / "again")
    broker = a_broker()
    assert not recover(broker, again).damage
    assert len(bodies_of(broker)["orders"]) == 5
    again.close()


@pytest.mark.parametrize("command", ["verify", "stats", "migrate"])
@pytest.mark.parametrize("number", [0, 4])
def test_a_format_that_is_not_known_is_refused(stopped: Path, command: str, number: int) -> None:
    change(stopped / FILE, f"pragma user_version = {number}")
    result = invoke("store", command, stopped)
    assert result.exit_code == 1
    assert f"has format {number}, and this version knows formats 1 to 3; use the version that wrote it" in result.stderr


# backup and restore


def test_a_backup_of_a_store_in_use_becomes_a_store_whose_messages_are_redelivered(tmp_path: Path) -> None:
    store = filled(tmp_path / "data", COUNTS, taken=2)
    saved = tmp_path / "saved.db"
    result = invoke("backup", saved, "--store", tmp_path / "data")
    assert result.exit_code == 0
    assert result.stdout == f"{saved}: {saved.stat().st_size:,} bytes\n"
    assert saved.stat().st_mode & 0o777 == 0o600
    store.close()
    assert invoke("restore", saved, "--store", tmp_path / "again").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "data", "saved.db"]
    broker = a_broker()
    again = SqliteStore(tmp_path / "again")
    assert not recover(broker, again).damage
    assert bodies_of(broker) == {"orders": [b"orders %d " % number for number in range(2, 7)], "audit": []}
    assert all(entry.redelivered for entry in broker.vhosts["/"].queues["orders"].backlog.entries())
    again.close()
    assert (tmp_path / "again").stat().st_mode & 0o077 == 0
    assert (tmp_path / "again" / FILE).stat().st_mode & 0o077 == 0


def test_a_stopped_store_whose_messages_were_not_delivered_is_restored_as_redelivered_all_the_same(
    tmp_path: Path, stopped: Path
) -> None:
    invoke("backup", tmp_path / "saved.db", "--store", stopped)
    invoke("restore", tmp_path / "saved.db", "--store", tmp_path / "again")
    again = SqliteStore(tmp_path / "again")
    assert not again.stopped_cleanly()
    again.close()


def test_a_backup_overwrites_nothing(tmp_path: Path, stopped: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    result = invoke("backup", tmp_path / "mine", "--store", stopped)
    assert result.exit_code == 1
    assert result.stderr == f"dragoman: {tmp_path / 'mine'} exists, and is not overwritten; name another file\n"
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_backup_into_a_folder_that_does_not_exist_is_named(tmp_path: Path, stopped: Path) -> None:
    result = invoke("backup", tmp_path / "absent" / "saved.db", "--store", stopped)
    assert result.exit_code == 1
    assert result.stderr == f"dragoman: cannot create {tmp_path / 'absent' / 'saved.db'}: No such file or directory\n"


def test_a_directory_that_is_not_empty_is_not_restored_into(tmp_path: Path, stopped: Path) -> None:
    invoke("backup", tmp_path / "saved.db", "--store", stopped)
    before = (stopped / FILE).read_bytes()
    result = invoke("restore", tmp_path / "saved.db", "--store", stopped)
    assert result.exit_code == 1
    assert f"{stopped} is not empty: it has {FILE}" in result.stderr
    assert (stopped / FILE).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no database" * 1_000, None])
def test_what_is_no_backup_is_not_restored(tmp_path: Path, content: bytes | None) -> None:
    saved = tmp_path / "saved.db"
    if content is not None:
        saved.write_bytes(content)
    result = invoke("restore", saved, "--store", tmp_path / "again")
    assert result.exit_code == 1
    assert str(saved) in result.stderr
    assert not (tmp_path / "again" / FILE).exists()


def test_a_backup_that_was_cut_is_not_restored(tmp_path: Path) -> None:
    filled(tmp_path / "data", {"orders": 200}, size=500).close()
    saved = tmp_path / "saved.db"
    invoke("backup", saved, "--store", tmp_path / "data")
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    result = invoke("restore", saved, "--store", tmp_path / "again")
    assert result.exit_code == 1
    assert "malformed" in result.stderr
    assert not (tmp_path / "again" / FILE).exists()


# salvage


def test_a_salvage_says_what_each_queue_has_lost(tmp_path: Path, stopped: Path) -> None:
    damage(stopped / FILE, b"orders 4 ")
    result = invoke("store", "salvage", stopped, "--into", tmp_path / "new")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["vhost", "queue", "messages", "lost"],
        ["/", "audit", "0", "0"],
        ["/", "orders", "4", "1"],
        ["all", "4", "1"],
    ]
    assert lines[4:] == [
        "1 message with a wrong checksum, in quarantine",
        f"{tmp_path / 'new'}: 2 definitions; the broker may be started on it",
    ]
    assert "no damage" in invoke("store", "verify", tmp_path / "new").stdout


def test_a_backup_that_was_cut_can_be_salvaged(tmp_path: Path) -> None:
    filled(tmp_path / "data", {"orders": 200}, size=500).close()
    saved = tmp_path / "saved.db"
    invoke("backup", saved, "--store", tmp_path / "data")
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    assert (
        "if it is a store, `dragoman store salvage` takes out what is readable"
        in invoke("restore", saved, "--store", tmp_path / "a").stderr
    )
    result = invoke("store", "salvage", saved, "--into", tmp_path / "new")
    assert result.exit_code == 0
    [_, orders, *_] = [line.split() for line in result.stdout.splitlines()]
    assert orders[:2] == ["/", "orders"]
    assert int(orders[2]) + int(orders[3]) == 200
    assert "pages could not be read" in result.stdout


def test_a_salvage_needs_a_place_of_its_own(stopped: Path) -> None:
    assert invoke("store", "salvage", stopped).exit_code == 2
    result = invoke("store", "salvage", stopped, "--into", stopped)
    assert result.exit_code == 1
    assert "is not empty" in result.stderr


# Waiting


def test_a_bar_is_shown_to_those_who_wait_and_not_to_others() -> None:
    for patience_s, shown in ((0.0, True), (60.0, False)):
        out = io.StringIO()
        with Waiting("copying", patience_s, Console(file=out, force_terminal=True, width=80)) as waiting:
            if not patience_s:
                waiting._timer.join()
            waiting.step(1, 2)
        assert ("copying" in out.getvalue()) is shown
        assert shown or out.getvalue() == ""
