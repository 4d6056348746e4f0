"""Whose entries a number stands for: queues, sessions and groups say it, each in its own way."""

from pathlib import Path

import pytest

from core.model.message import Address, plain_message
from core.recovery import recover
from core.store import kinds
from core.store.batch import Batch, Run, rows_of
from core.store.inspection import Inspection
from core.store.naming import owner_of
from core.store.natives import Natives
from core.store.record import Codec
from core.store.salvage import salvage
from core.store.sealing import checksum, place_of, seal, seal_row
from core.store.sqlite import SqliteStore
from core.store.values import dump
from core.timers import Clock
from tests.core.parts import a_broker
from tests.core.queueing.windows import commit

SESSION = kinds.key_of("/", "sensor")


@pytest.mark.parametrize(
    ("kind", "key", "stated", "expected"),
    [
        (kinds.QUEUE, kinds.key_of("/", "orders"), [7, False, {}], (7, "queue", "orders")),
        (kinds.SESSION, SESSION, ["guest", 60, 8, 0.0], (8, "session", "sensor")),
        (kinds.GROUP, kinds.key_of("/", "workers", "9"), [False], (9, "group", "workers")),
        (kinds.VOLATILE, kinds.key_of("", "10"), ["answers"], (10, "transient queue", "answers")),
        (kinds.VOLATILE, kinds.key_of("", "ten"), ["answers"], None),
        (kinds.SESSION, SESSION, ["guest", 60, 0, 0.0], None),
        (kinds.EXCHANGE, kinds.key_of("/", "x"), [1, False, {}], None),
        (kinds.QUEUE, kinds.key_of("/", "orders"), [], None),
        (kinds.QUEUE, kinds.key_of("/", "orders"), 5, None),
        (kinds.GROUP, kinds.key_of("/", "workers"), [False], None),
    ],
)
def test_definitions_tell_whose_a_number_is(
    kind: int, key: str, stated: object, expected: tuple[int, str, str] | None
) -> None:
    owner = owner_of(kind, key, dump(stated))
    assert (owner and (owner.number, owner.what, owner.name)) == expected
    assert owner is None or owner.vhost == kinds.parts_of(key)[0]


def test_what_is_left_of_a_transient_queue_is_no_damage(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    batch = Batch(1)
    key = kinds.key_of("", "8")
    batch.definitions.append((kinds.VOLATILE, key, seal(dump(["answers"]), place_of(kinds.VOLATILE, key))))
    codec = Codec(Natives({}), Clock())
    row = rows_of(8)[0] + 1
    run = Run(row)
    content = codec.encode(plain_message(Address("", "answers"), b"42"), 0.0)
    run.records.append(seal_row(content, checksum(content), row))
    batch.runs.append(run)
    store.commit(batch)
    store.close()
    inspection = Inspection(tmp_path)
    [stats] = inspection.queues(lambda _done, _total: None)
    assert (stats.label, stats.messages) == ("transient queue 'answers'", 1)
    assert inspection.verify(codec, lambda _done, _total: None).damage == []
    inspection.close()
    found = salvage(tmp_path, tmp_path / "new", lambda _done, _total: None)
    assert [(queue.owner and queue.owner.name, queue.messages) for queue in found.queues()] == [("answers", 1)]
    broker = a_broker()
    store = SqliteStore(tmp_path / "new")
    recovered = recover(broker, store)
    commit(broker, store)
    commit(broker, store)
    assert (recovered.damage, store.queue_numbers(), list(store.definitions())) == ([], [], [])
    store.close()


def test_what_waits_for_a_session_has_a_definition(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    batch = Batch(1)
    content = dump(["guest", 60, 8, 0.0])
    batch.definitions.append((kinds.SESSION, SESSION, seal(content, place_of(kinds.SESSION, SESSION))))
    run = Run(rows_of(8)[0] + 1)
    run.records.append(b"")
    batch.runs.append(run)
    store.commit(batch)
    inspection = Inspection(tmp_path)
    [stats] = inspection.queues(lambda _done, _total: None)
    assert (stats.label, stats.messages) == ("session 'sensor' in vhost '/'", 1)
    found = inspection.verify(Codec(Natives({}), Clock()), lambda _done, _total: None)
    assert found.damage == ["session 'sensor' in vhost '/': message 1: the checksum does not match"]
    inspection.close()
    store.close()
