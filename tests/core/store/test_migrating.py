"""A store of an older format: everything that it has is there in this version, and a migration that fails changes nothing."""

import sqlite3
from pathlib import Path

import apsw
import pytest

from core.broker import Broker
from core.model.message import AT_LEAST_ONCE, plain_message
from core.model.properties import Properties
from core.recovery import recover
from core.store.errors import StoreError
from core.store.formats import DEFINITIONS_AT_ONCE, FORMAT
from core.store.migrating import migrate
from core.store.sqlite import FILE, SqliteStore
from protocols.mqtt.session import restore_session
from tests.core.parts import a_broker, a_client
from tests.core.store.disk import Disk
from tests.core.store.filling import bodies_of, commit, filled, loaded
from tests.core.store.older import make_format_1, make_format_2
from tests.core.store.test_disk_failures import failing_at

OLDER = {1: make_format_1, 2: make_format_2}


def nobody(_done: int, _total: int) -> None:
    pass


def version(directory: Path) -> int:
    with sqlite3.connect(directory / FILE) as db:
        found = db.execute("pragma user_version").fetchone()[0]
    db.close()
    return int(found)


def spoil(directory: Path, statement: str) -> None:
    with sqlite3.connect(directory / FILE) as db:
        db.execute(statement)
    db.close()


def started(directory: Path) -> tuple[Broker, list[str]]:
    broker = a_broker()
    store = SqliteStore(directory)
    found = recover(broker, store, restore_session)
    told = found.damage + loaded(broker)
    commit(broker, store)
    store.close()
    return broker, told


def test_each_kind_of_definition_is_read_after_a_migration(tmp_path: Path) -> None:
    broker = a_broker()
    store = SqliteStore(tmp_path)
    recover(broker, store, restore_session)
    client = a_client(broker)
    client.declare_queue("q", durable=True)
    client.declare_exchange("x", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"})
    client.bind_queue("q", "x", "k", {})
    client.retain(plain_message(client.target("amq.topic", "t").address, b"retained", AT_LEAST_ONCE))
    keeping = client.vhost.keeping
    keeping.session("c", ["guest", 1_000, 0, broker.clock.wall])
    keeping.subscription("c", "t/+", [1, 0])
    exchange = client.vhost.exchange("x")
    address = exchange.address("k")
    delayed = plain_message(address, b"delayed", AT_LEAST_ONCE).restated(address, Properties({"x-delay": 60_000}))
    client.publish(exchange, delayed, None, 0)
    commit(broker, store)
    store.close()
    make_format_1(tmp_path)
    again, damage = started(tmp_path)
    assert damage == []
    assert version(tmp_path) == FORMAT
    vhost = again.vhosts["/"]
    assert list(vhost.queues) == ["q"]
    assert vhost.exchange("x").bindings
    retained = vhost.retained.get("t")
    assert retained is not None
    assert retained.body == b"retained"
    assert list(vhost.sessions) == ["c"]
    again.clock.now += 61.0
    for timed in again.timers.due():
        timed.timeout()
    assert bodies_of(again) == {"q": [b"delayed"]}


def test_many_definitions_and_their_messages_come_through(quick_path: Path) -> None:
    counts = {f"q{number}": number % 2 for number in range(2 * DEFINITIONS_AT_ONCE + 5)}
    filled(quick_path, counts).close()
    expected = bodies_of(started(quick_path)[0])
    make_format_1(quick_path)
    steps: list[tuple[int, int]] = []
    done = migrate(quick_path, lambda *step: steps.append(step), check=False)
    assert (done.found_format, done.definitions, done.damaged) == (1, len(counts), 0)
    assert steps == [(1_000, 2_005), (2_000, 2_005), (2_005, 2_005)]
    broker, damage = started(quick_path)
    assert damage == []
    assert bodies_of(broker) == expected
    assert {len(bodies) for bodies in expected.values()} == {0, 1}


def test_what_was_damaged_before_is_damaged_afterwards_and_nothing_else(tmp_path: Path) -> None:
    filled(tmp_path, {"a": 1, "b": 1, "c": 1}).close()
    make_format_1(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("update definition set record = zeroblob(20) where hex(key) like '%62'")
        db.execute("update entry set record = zeroblob(20) where row = (1 << 40) + 1")
    db.close()
    done = migrate(tmp_path, nobody, check=False)
    assert (done.definitions, done.damaged) == (3, 1)
    broker, damage = started(tmp_path)
    assert len(damage) == 2  # the definition, and the entry of another queue
    assert bodies_of(broker) == {"a": [], "c": [b"c 0 "]}


@pytest.mark.parametrize("older", [1, 2])
def test_what_was_in_quarantine_is_there_with_what_comes_to_it(tmp_path: Path, older: int) -> None:
    filled(tmp_path, {"a": 2, "b": 1}).close()
    spoil(tmp_path, "update entry set record = zeroblob(20) where row = (1 << 40) + 1")
    assert len(started(tmp_path)[1]) == 1
    OLDER[older](tmp_path)
    spoil(tmp_path, "update definition set record = zeroblob(20) where hex(key) like '%62'")
    broker, damage = started(tmp_path)
    assert damage == ["queue 'b' in vhost '/': the checksum does not match; it is in quarantine"]
    assert bodies_of(broker) == {"a": [b"a 1 "]}
    with sqlite3.connect(tmp_path / FILE) as db:
        there = db.execute("select row, kind, key, record from quarantine").fetchall()
    db.close()
    assert there == [((1 << 40) + 1, None, None, bytes(20)), (None, 2, "/\0b", bytes(20))]


def test_a_trial_changes_nothing(tmp_path: Path) -> None:
    filled(tmp_path, {"a": 5}).close()
    make_format_1(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    assert migrate(tmp_path, nobody, check=True).definitions == 1
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("older", [1, 2])
def test_a_migration_that_fails_at_any_call_leaves_one_format_or_the_other(quick_path: Path, older: int) -> None:
    counts = {f"q{number}": 1 for number in range(200)}
    filled(quick_path / "image", counts).close()
    expected = bodies_of(started(quick_path / "image")[0])
    OLDER[older](quick_path / "image")
    image = (quick_path / "image" / FILE).read_bytes()
    failures = set()
    for call in range(1, 1_000):
        folder = quick_path / str(call)
        folder.mkdir()
        (folder / FILE).write_bytes(image)
        disk = Disk()
        disk.fail = failing_at(call, (apsw.FullError, apsw.IOError)[call % 2])
        with disk.mounted():
            try:
                SqliteStore(folder).close()
            except StoreError:
                failures.add(version(folder))
            else:
                assert version(folder) == FORMAT
        broker, damage = started(folder)
        assert damage == []
        assert bodies_of(broker) == expected
        if disk.calls < call:
            break
    assert older in failures
    assert call > 10


@pytest.mark.parametrize("older", [1, 2])
@pytest.mark.parametrize("opened", [SqliteStore, lambda directory: migrate(directory, nobody, check=False)])
def test_a_migration_by_a_start_or_by_hand_says_what_was_found(
    tmp_path: Path, opened: type[SqliteStore], older: int
) -> None:
    filled(tmp_path, {"a": 1}).close()
    OLDER[older](tmp_path)
    first = opened(tmp_path)
    assert first.found_format == older
    if isinstance(first, SqliteStore):
        first.close()
    assert version(tmp_path) == FORMAT
