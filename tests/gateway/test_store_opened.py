"""What a start says of its store: each damage once, and what it leaves behind as a count at each start after."""

import sqlite3
from pathlib import Path
from typing import Any

import structlog.testing

from core.store.sqlite import FILE
from gateway.config import Config
from gateway.durability import open_store
from tests.core.parts import a_broker
from tests.core.store.filling import commit, filled


def start(directory: Path) -> list[Any]:
    """Start a broker, write what that has told its journal, and return what was logged."""
    with structlog.testing.capture_logs() as logs:
        broker = a_broker()
        store = open_store(Config.model_validate({"store": {"directory": directory}}), broker)
    assert store is not None
    commit(broker, store)
    store.close()
    return logs


def test_a_damaged_definition_is_told_once_and_counted_from_then_on(tmp_path: Path) -> None:
    filled(tmp_path, {"a": 2, "b": 1}).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("update definition set record = x'00' where hex(key) like '%61'")
    db.close()
    damage, strays, opened = start(tmp_path)
    assert damage["what"] == "queue 'a' in vhost '/': the checksum does not match; it is in quarantine"
    assert (damage["log_level"], strays["log_level"], opened["event"]) == ("error", "warning", "store opened")
    assert (strays["queues"], strays["numbers"]) == (1, [1])
    for _ in range(2):
        quarantine, strays, opened = start(tmp_path)
        assert quarantine["event"] == "records are in quarantine, set aside by earlier starts"
        assert (quarantine["log_level"], quarantine["records"]) == ("warning", 1)
        assert strays["numbers"] == [1]
        assert opened["queues"] == 1


def test_a_sound_store_says_nothing_more(tmp_path: Path) -> None:
    filled(tmp_path, {"a": 2}).close()
    assert [line["event"] for line in start(tmp_path)] == ["store opened"]
