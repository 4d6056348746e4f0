"""Definitions that cannot be read: in quarantine with the next commit, told of once, and never mixed up with what comes later."""

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Final

import pytest

from core.broker import Broker
from core.client import Client
from core.model.message import AT_LEAST_ONCE, plain_message
from core.recovery import Recovered, recover
from core.refilling import SEEN_ROW
from core.store import kinds
from core.store.batch import QUEUE_SHIFT, Run
from core.store.inspection import Inspection
from core.store.memory import MemoryStore
from core.store.natives import Natives
from core.store.record import Codec
from core.store.sealing import place_of, seal
from core.store.sqlite import FILE, SqliteStore
from core.store.stating import Line, Statement
from core.store.values import dump
from core.timers import Clock
from protocols.mqtt.session import restore_session
from tests.core.parts import a_broker, a_client
from tests.core.store.filling import bodies_of, commit

QUEUES: Final = ("a", "b", "c")
FLIPS: Final = 12  # in each definition


def started(store: SqliteStore | MemoryStore) -> tuple[Broker, Recovered]:
    """Start a broker, and write what that has told its journal."""
    broker = a_broker()
    found = recover(broker, store, restore_session)
    commit(broker, store)
    return broker, found


def publish(client: Client, queue: str, body: bytes) -> None:
    target = client.target("", queue)
    client.publish(target.exchange, plain_message(target.address, body, AT_LEAST_ONCE), None, 0)


def fill(store: SqliteStore | MemoryStore) -> None:
    """Have a definition of each kind, and three messages in each queue of which the first was delivered."""
    broker, _ = started(store)
    client = a_client(broker)
    client.declare_exchange("x", "topic", durable=True)
    for name in QUEUES:
        client.declare_queue(name, durable=True)
        client.bind_queue(name, "x", f"key.{name}", {})
        for number in range(3):
            publish(client, name, b"%s %d" % (name.encode(), number))
    client.retain(plain_message(client.target("amq.topic", "t").address, b"retained", AT_LEAST_ONCE))
    keeping = client.vhost.keeping
    keeping.session("c", ["guest", 1_000, 0, broker.clock.wall])
    keeping.subscription("c", "t/+", [1, 0])
    journal = broker.surroundings.journal
    page = keeping.in_flight("c", "received", 0, [Line(7, 1, None)])
    seen = Statement(kinds.SEEN, "", [Line(0, SEEN_ROW, None, (number << QUEUE_SHIFT) + 1) for number in (1, 2, 3)])
    for statement in (page, seen):
        journal.define(statement.kind, statement.key, statement.content())
    commit(broker, store)
    store.close()


def quarantined(directory: Path) -> list[tuple[object, ...]]:
    """Return the definitions that were set aside: kind, key, record and reason."""
    with sqlite3.connect(directory / FILE) as db:
        db.text_factory = bytes
        rows = db.execute("select kind, key, record, reason from quarantine where row is null").fetchall()
    db.close()
    return rows


def verified(directory: Path) -> list[str]:
    inspection = Inspection(directory)
    found = inspection.verify(Codec(Natives({}), Clock()), lambda _done, _total: None)
    inspection.close()
    return found.damage


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("image")
    fill(SqliteStore(folder))
    return (folder / FILE).read_bytes()


def definitions_in(image: bytes, folder: Path) -> list[tuple[int, str, bytes]]:
    (folder / FILE).write_bytes(image)
    store = SqliteStore(folder)
    found = list(store.definitions())
    store.close()
    return found


def test_any_bit_of_any_definition_costs_it_and_what_is_of_it(image: bytes, quick_path: Path) -> None:
    definitions = definitions_in(image, quick_path)
    assert {kind for kind, _, _ in definitions} == {
        kinds.EXCHANGE,
        kinds.QUEUE,
        kinds.BINDING,
        kinds.RETAINED,
        kinds.SESSION,
        kinds.SEEN,
        kinds.SUBSCRIPTION,
        kinds.IN_FLIGHT,
    }
    chance = random.Random(6)
    for number, (kind, key, record) in enumerate(definitions):
        cell = key.encode() + record
        assert image.count(cell) == 1
        at = image.index(cell)
        for flip in range(FLIPS):
            directory = quick_path / f"{number} {flip}"
            directory.mkdir()
            data = bytearray(image)
            # Of the key the first and the last bytes, which move it farthest in the table.
            place = flip if flip < min(3, len(key)) else chance.randrange(len(cell))
            data[at + place] ^= 1 << chance.randrange(8)
            (directory / FILE).write_bytes(data)
            check(directory, kind, key)
            shutil.rmtree(directory)


def check(directory: Path, kind: int, key: str) -> None:
    """Start twice on a store of which one definition is damaged."""
    store = SqliteStore(directory)
    broker, found = started(store)
    what = f"{kind} {key!r}: {found.damage}"
    assert found.damage, what
    assert all(sentence.endswith("; it is in quarantine") for sentence in found.damage), what
    # What the others had is there, and which messages were delivered is known or assumed.
    there = bodies_of(broker)
    lost = [name for name in QUEUES if name not in there]
    assert lost == ([key[-1]] if kind == kinds.QUEUE else [])
    assert [QUEUES.index(name) + 1 for name in lost] == found.strays
    for name, bodies in there.items():
        assert bodies == [b"%s %d" % (name.encode(), number) for number in range(3)]
        assert broker.vhosts["/"].queues[name].backlog.entries()[0].redelivered
    orphans = {kinds.QUEUE: 1, kinds.EXCHANGE: 3, kinds.SESSION: 2}.get(kind, 0)
    assert len(found.damage) == 1 + orphans, what
    store.close()
    aside = quarantined(directory)
    assert len(aside) == 1 + orphans, what
    assert [b"checksum" in reason for *_, reason in aside].count(True) == 1  # type: ignore[operator]
    # The second start is silent but for the count, and a new queue mixes up with nothing.
    store = SqliteStore(directory)
    again, found = started(store)
    assert (found.damage, found.quarantined) == ([], 1 + orphans), what
    assert bodies_of(again) == there
    client = a_client(again)
    for name in ("new", *lost):
        client.declare_queue(name, durable=True)
        publish(client, name, b"new")
    commit(again, store)
    store.close()
    store = SqliteStore(directory)
    last, found = started(store)
    assert bodies_of(last) == there | {name: [b"new"] for name in ("new", *lost)}
    assert [QUEUES.index(name) + 1 for name in lost] == found.strays
    exchange = last.vhosts["/"].exchanges.get("x")
    bound = set() if exchange is None else {binding.sink.name for binding in exchange.bindings.values()}
    assert not bound & {"new", *lost}
    store.close()
    assert quarantined(directory) == aside
    assert verified(directory) == [f"queue number {number} has messages, but no definition" for number in found.strays]


def test_a_definition_out_of_its_place_in_a_large_table_is_found(quick_path: Path) -> None:
    """A search by its key goes past it, whichever it is, and past others because of it."""
    names = [f"q{number:04}" for number in range(2_000)]
    store = SqliteStore(quick_path / "image")
    broker, _ = started(store)
    for name in names:
        a_client(broker).declare_queue(name, durable=True)
    commit(broker, store)
    store.close()
    image = (quick_path / "image" / FILE).read_bytes()
    chance = random.Random(3)
    hidden = 0
    for name in [names[0], names[-1], *chance.sample(names, 15)]:
        directory = quick_path / name
        directory.mkdir()
        flipped = bytes([ord("q") ^ chance.choice([0x80, 0x20, 0x08])]) + name[1:].encode()
        data = image.replace(b"/\x00" + name.encode(), b"/\x00" + flipped)  # also on pages that it was on before
        (directory / FILE).write_bytes(data)
        store = SqliteStore(directory)
        [(kind, key)] = [(kind, key) for kind, key, _ in store.definitions() if name[1:] in key[-4:] and "q" not in key]
        raw_key = key.encode(errors="surrogateescape")
        by_key = "select count(*) from definition where kind = ? and key = cast(? as text)"
        hidden += store._db.execute(by_key, (kind, raw_key)).get == 0
        broker, found = started(store)
        assert len(found.damage) == 1
        assert sorted(broker.vhosts["/"].queues) == sorted(set(names) - {name})
        for left in broker.vhosts["/"].queues.copy():
            a_client(broker).delete_queue(left)
        commit(broker, store)
        assert list(store.definitions()) == []
        store.close()
        assert len(quarantined(directory)) == 1
    assert hidden > 5


def test_a_sound_definition_under_the_key_that_a_damaged_one_has_got_stays(quick_path: Path) -> None:
    store = SqliteStore(quick_path)
    broker, _ = started(store)
    for name in ("qa", "qc"):
        a_client(broker).declare_queue(name, durable=True)
        publish(a_client(broker), name, name.encode())
    commit(broker, store)
    store.close()
    data = bytearray((quick_path / FILE).read_bytes())
    data[data.index(b"/\x00qa") + 3] ^= ord("a") ^ ord("c")
    (quick_path / FILE).write_bytes(data)
    store = SqliteStore(quick_path)
    broker, found = started(store)
    assert found.damage == ["queue 'qc' in vhost '/': the checksum does not match; it is in quarantine"]
    assert bodies_of(broker) == {"qc": [b"qc"]}
    store.close()
    assert bodies_of(started(SqliteStore(quick_path))[0]) == {"qc": [b"qc"]}


def in_memory() -> MemoryStore:
    store = MemoryStore()
    fill(store)
    return store


def known(store: MemoryStore) -> set[tuple[int, str]]:
    return {(kind, key) for kind, key, _ in store.definitions()}


@pytest.mark.parametrize(
    ("kind", "key", "content", "reason"),
    [
        (kinds.QUEUE, "other\0q", dump([9, False, {}]), "the configuration has no such vhost"),
        (kinds.QUEUE, "/\0q", dump([9, False, {}, False, "of a later version"]), "not what this version writes"),
        (kinds.QUEUE, "/\0q", b"\xff", "not a value"),
        (kinds.SESSION, "/\0s", dump(["u", 1, 9]), "not what this version writes"),
        (kinds.EXCHANGE, "/\0e", dump(["x-later", False, False, {}]), "unknown exchange type"),
        (99, "/\0k", dump([]), "a kind that this version does not know"),
    ],
)
def test_what_this_version_does_not_understand_stays_where_it_is(
    kind: int, key: str, content: bytes, reason: str
) -> None:
    """It is no damage. Nobody gets the number of its queue, and what is of it stays too."""
    store = in_memory()
    store._definitions[kind, key] = seal(content, place_of(kind, key))
    if b"\x09" in content:
        run = Run((9 << QUEUE_SHIFT) + 1)
        store._rows[run.first_row] = b"an entry"
    bindings = []
    if key in ("/\0q", "/\0e"):
        bindings = [kinds.key_of("/", *ends, "key", "") for ends in (("x", "queue", "q"), ("e", "queue", "a"))]
        for binding in bindings:
            store._definitions[kinds.BINDING, binding] = seal(dump([{}, None]), place_of(kinds.BINDING, binding))
    before = known(store)
    for _ in range(3):
        broker, found = started(store)
        assert found.damage
        assert all(sentence.endswith("; it stays in the store") for sentence in found.damage), found.damage
        assert reason in found.damage[0]
        store.close()
        assert known(store) == before - {(kinds.SEEN, "")}
        assert not store.quarantined()
        numbers = [broker.surroundings.journal.new_shelf().number for _ in range(10)]
        assert (9 in numbers) == (b"\x09" not in content)


def test_a_count_that_cannot_be_read_is_counted_and_written_anew() -> None:
    store = in_memory()
    sound = dict(store.tallies())
    store._tallies[1] = b"?" * 20
    del store._tallies[2]
    store._tallies[77] = b"of nobody"
    broker, found = started(store)
    assert found.damage == ["the count of queue number 1: the checksum does not match; its entries were counted"]
    assert dict(store.tallies()) == sound
    assert broker.vhosts["/"].queues["a"].ready_count == 3
    assert started(store)[1].damage == []


def test_a_count_without_entries_is_removed() -> None:
    store = in_memory()
    for row in [row for row in store._rows if row >> QUEUE_SHIFT == 1]:
        del store._rows[row]
    assert started(store)[1].damage == ["queue 'a' has a count, but no entries; the count is removed"]
    assert [number for number, _ in store.tallies()] == [2, 3]
    assert started(store)[1].damage == []


@pytest.mark.parametrize("kind", [kinds.USER, kinds.RETAINED])
def test_a_user_who_cannot_be_read_opens_no_door(kind: int) -> None:
    """Also where the damage is in the kind, so that nobody knows that it was one."""
    store = in_memory()
    store._definitions[kind, "alice"] = b"????" + dump([])
    key = kinds.key_of("alice", "/")
    store._definitions[kinds.PERMISSION, key] = seal(dump([""] * 5), place_of(kinds.PERMISSION, key))
    broker, found = started(store)
    assert len(found.damage) == 2
    assert all(sentence.endswith("; it is in quarantine") for sentence in found.damage)
    assert broker.principals.count  # with none, `guest` could come in
    broker, found = started(store)
    assert found.damage == []
    assert broker.principals.count  # with none, `guest` could come in
