"""Whose entries a number stands for: queues, sessions and groups say it, each in its own way."""

from pathlib import Path

import pytest

from core.store import kinds
from core.store.batch import Batch, Run, rows_of
from core.store.inspection import Inspection
from core.store.naming import owner_of
from core.store.natives import Natives
from core.store.record import Codec
from core.store.sealing import place_of, seal
from core.store.sqlite import SqliteStore
from core.store.values import dump
from core.timers import Clock

SESSION = kinds.key_of("/", "sensor")


@pytest.mark.parametrize(
    ("kind", "key", "stated", "expected"),
    [
        (kinds.QUEUE, kinds.key_of("/", "orders"), [7, False, {}], (7, "queue", "orders")),
        (kinds.SESSION, SESSION, ["guest", 60, 8, 0.0], (8, "session", "sensor")),
        (kinds.GROUP, kinds.key_of("/", "workers", "9"), [False], (9, "group", "workers")),
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
    assert owner is None or owner.vhost == "/"


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
