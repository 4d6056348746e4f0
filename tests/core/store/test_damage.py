"""A damaged file: no body is ever wrong, what is readable is there, and what is missing was told of."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from core.broker import Broker
from core.queueing.windows import READ_ROWS
from core.recovery import recover
from core.store.errors import StoreError
from core.store.inspection import Inspection
from core.store.natives import Natives
from core.store.record import Codec
from core.store.sqlite import FILE, SqliteStore
from core.timers import Clock
from tests.core.parts import a_broker
from tests.core.store.filling import bodies_of, commit, filled, loaded

COUNTS: Final = {"a": 60, "b": 60, "large": 10}
FLIPS: Final = 400
CUTS: Final = 60
PAGE_BYTES: Final = 4_096
STAYS: Final = ("entries ", "queue 'a' has ", "queue 'b' has ", "queue 'large' has ")  # in a damaged structure
Change = Callable[[bytearray, random.Random], object]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a store of three queues, written back from its log."""
    folder = tmp_path_factory.mktemp("image")
    filled(folder, COUNTS, size=300).close()
    return (folder / FILE).read_bytes()


def flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def verified(directory: Path) -> list[str]:
    """Return what a verification tells of a store."""
    try:
        inspection = Inspection(directory)
    except StoreError as refused:
        return [str(refused)]
    found = inspection.verify(Codec(Natives({}), Clock()), lambda _done, _total: None)
    inspection.close()
    return found.damage


def started(directory: Path) -> tuple[Broker | None, list[str]]:
    """Start a broker on a store; return it, or None when the store was refused, and what was told."""
    broker = a_broker()
    try:
        store = SqliteStore(directory)
    except StoreError as refused:
        return None, [str(refused)]
    try:
        found = recover(broker, store)
        told = found.damage + loaded(broker) + [f"entries of queue number {number}" for number in found.strays]
        commit(broker, store)
    except StoreError as refused:
        store._db.close(True)
        return None, [str(refused)]
    store.close()
    return broker, told


def check_second_start(directory: Path, there: dict[str, list[bytes]], before: list[str], told: list[str]) -> None:
    """What could not be read is in quarantine now, and is not told of again: only what has stayed in its place is."""
    structure = [sentence for sentence in before if "structure of the file" in sentence or "out of order" in sentence]
    broken = [sentence for sentence in before if sentence.endswith("the checksum does not match")]
    store = SqliteStore(directory)
    quarantined = store.quarantined()
    store.close()
    assert quarantined >= len(broken) or structure, f"{before} {told}"
    again, told_again = started(directory)
    assert again is not None, told_again
    assert bodies_of(again) == there
    assert [sentence for sentence in told_again if not sentence.startswith(STAYS)] == [], f"{before} {told}"
    left = [sentence for sentence in verified(directory) if sentence.endswith("the checksum does not match")]
    assert not left or structure


@pytest.mark.parametrize(("change", "count"), [(flip, FLIPS), (cut, CUTS)], ids=["flip", "cut"])
def test_damage_anywhere_is_told_and_never_delivered(
    quick_path: Path, image: bytes, change: Change, count: int
) -> None:
    expected = {name: [f"{name} {number} ".encode() for number in range(count)] for name, count in COUNTS.items()}
    everything = {body for bodies in expected.values() for body in bodies}
    refused = 0
    for number in range(count):
        directory = quick_path / str(number)
        directory.mkdir()
        data = bytearray(image)
        change(data, random.Random(number))
        (directory / FILE).write_bytes(data)
        before = verified(directory)
        broker, told = started(directory)
        if broker is None:
            refused += 1
            assert "dragoman.db" in told[0], f"seed {number}"
        else:
            there = bodies_of(broker)
            assert {body for bodies in there.values() for body in bodies} <= everything, f"seed {number}"
            assert there == expected or told or before, f"seed {number}"
            if change is flip:
                check_second_start(directory, there, before, told)
        shutil.rmtree(directory)
    assert refused < count or change is cut  # SQLite refuses a file that is shorter than it says


@pytest.mark.parametrize("number", range(5))
def test_a_flipped_bit_in_a_message_costs_that_message_only(tmp_path: Path, image: bytes, number: int) -> None:
    data = bytearray(image)
    data[data.index(f"b {number} ".encode()) + 20] ^= 4
    (tmp_path / FILE).write_bytes(data)
    broker, told = started(tmp_path)
    assert broker is not None
    assert told == [
        f"entry {(2 << 40) + number + 1} of queue 'b': the checksum does not match; it is in quarantine",
    ]
    there = bodies_of(broker)
    assert [len(there[name]) for name in COUNTS] == [60, 59, 10]
    assert f"b {number} ".encode() not in there["b"]
    again, told = started(tmp_path)
    assert again is not None
    assert told == []
    assert bodies_of(again) == there


def without_a_page(directory: Path, count: int, number: int) -> set[bytes]:
    """Make a store of so many messages, and destroy the page that has one of them; return all that are on it."""
    filled(directory, {"q": count}, size=300).close()
    data = bytearray((directory / FILE).read_bytes())
    page = data.index(f"q {number} ".encode()) // PAGE_BYTES * PAGE_BYTES
    bodies = [f"q {there} ".encode() for there in range(count)]
    lost = {body for body in bodies if page <= data.find(body) < page + PAGE_BYTES}
    data[page : page + PAGE_BYTES] = bytes(PAGE_BYTES)
    (directory / FILE).write_bytes(data)
    return lost


def test_a_page_that_cannot_be_read_costs_what_is_on_it_only(tmp_path: Path) -> None:
    """The broker finds out when it comes there, tells of it, and goes on behind it."""
    count = READ_ROWS * 3
    lost = without_a_page(tmp_path, count, READ_ROWS + 100)
    assert 5 < len(lost) < 20
    broker = a_broker()
    store = SqliteStore(tmp_path)
    assert recover(broker, store).damage == []
    queue = broker.vhosts["/"].queues["q"]
    got: list[bytes] = []
    while (entry := queue.get()) is not None:
        got.append(entry.message.body.rstrip(b"."))
        queue.accept(entry)
    assert got == [body for number in range(count) if (body := f"q {number} ".encode()) not in lost]
    assert (queue.ready_count, queue.ready_bytes) == (0, 0)
    told = broker.surroundings.windows.told()
    assert len(told) == 2
    assert told[0].startswith("entries ")
    assert told[0].endswith("they stay in the store and are not delivered")
    assert told[1] == f"queue 'q' has {len(lost)} entries fewer than were counted"
    store._db.close(True)


@pytest.mark.parametrize("number", [0, 999])
def test_a_start_needs_the_ends_of_queues(tmp_path: Path, number: int) -> None:
    without_a_page(tmp_path, 1_000, number)
    store = SqliteStore(tmp_path)
    with pytest.raises(StoreError, match=r"dragoman\.db is damaged"):
        recover(a_broker(), store)
    store._db.close(True)
