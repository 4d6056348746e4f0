"""Salvage: a damaged page costs what it held, nothing more; what was taken out of its queue before does not come back."""

import random
import shutil
from pathlib import Path

import apsw
import pytest

from core.recovery import recover
from core.store import kinds
from core.store.errors import StoreRefused
from core.store.formats import FORMAT
from core.store.raw_cells import TABLE_INTERIOR, TABLE_LEAF, kind_of
from core.store.raw_pages import PAGE_BYTES, ROOT, TREE, Pages
from core.store.salvage import FORMAT_AT, PART, Salvaged, salvage
from core.store.sqlite import FILE, SqliteStore
from tests.core.parts import a_broker
from tests.core.store.filling import bodies_of, commit, filled, loaded
from tests.core.store.history import left
from tests.core.store.older import make_format_2

COUNTS = {"a": 900, "b": 300, "c": 0}
TAKEN = 100
WAYS = 60  # of damaging a file

Bodies = dict[str, list[bytes]]


def ignore(_done: int, _total: int) -> None:
    pass


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of several queues from which something was taken, that nobody uses."""
    folder = tmp_path_factory.mktemp("image") / "data"
    filled(folder, COUNTS, size=200, taken=TAKEN).close()
    return folder


@pytest.fixture(scope="module")
def whole(image: Path) -> Bodies:
    return start(image)


def start(directory: Path) -> Bodies:
    """Return what a broker has that is started on a store, which stays as it is."""
    copy = directory.with_name(f"{directory.name}-started")
    shutil.copytree(directory, copy)
    broker = a_broker()
    store = SqliteStore(copy)
    recover(broker, store)
    loaded(broker)
    found = bodies_of(broker)
    commit(broker, store)
    store.close()
    shutil.rmtree(copy)
    return found


def numbers_of(image: Path, kind: int) -> list[int]:
    """Return the pages of tables in use of this kind, but for the schema's."""
    pages = Pages(image / FILE)
    used = [number for number in range(2, pages.count + 1) if pages.use_of(number) in (ROOT, TREE)]
    found = [number for number in used if kind_of(pages.page(number) or bytes(PAGE_BYTES)) == kind]
    pages.close()
    return found


def spoiled(image: Path, folder: Path, pages: list[int], filler: int = 0) -> Path:
    """Return a copy of a store in which these pages are overwritten."""
    shutil.copytree(image, folder)
    data = bytearray((folder / FILE).read_bytes())
    for number in pages:
        data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES] = bytes([filler]) * PAGE_BYTES
    (folder / FILE).write_bytes(data)
    return folder


def lost_of(found: Salvaged) -> dict[str, int | None]:
    return {queue.owner.name: queue.lost for queue in found.queues() if queue.owner is not None}


def test_a_store_without_damage_comes_out_whole(image: Path, whole: Bodies, tmp_path: Path) -> None:
    found = salvage(image, tmp_path / "new", ignore)
    assert start(tmp_path / "new") == whole
    assert lost_of(found) == {"a": 0, "b": 0, "c": 0}
    assert (found.lost, found.broken_pages, found.broken_cells, found.broken_definitions) == (0, 0, 0, 0)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [FILE, "lock"]


def test_what_is_in_the_log_only_comes_out_too(tmp_path: Path) -> None:
    store = filled(tmp_path / "data", COUNTS, size=200, taken=TAKEN)
    left(store, tmp_path / "data", tmp_path / "killed")
    assert (tmp_path / "killed" / f"{FILE}-wal").stat().st_size > 100_000
    salvage(tmp_path / "killed", tmp_path / "new", ignore)
    assert start(tmp_path / "new") == start(tmp_path / "killed")


def test_a_log_that_was_cut_off_counts_up_to_its_last_whole_commit(tmp_path: Path) -> None:
    store = filled(tmp_path / "data", COUNTS, size=200, taken=TAKEN)
    left(store, tmp_path / "data", tmp_path / "killed")
    log = tmp_path / "killed" / f"{FILE}-wal"
    for share in range(1, 8):
        cut = tmp_path / f"cut-{share}"
        shutil.copytree(tmp_path / "killed", cut)
        (cut / log.name).write_bytes(log.read_bytes()[: log.stat().st_size * share // 8])
        try:
            expected = start(cut)
        except StoreRefused:
            expected = {}
        salvage(cut, tmp_path / f"new-{share}", ignore)
        assert start(tmp_path / f"new-{share}") == expected


def test_each_page_of_messages_costs_what_it_held(image: Path, whole: Bodies, tmp_path: Path) -> None:
    leaves = [number for number in numbers_of(image, TABLE_LEAF) if number > 8]  # behind the roots
    assert len(leaves) > 20
    for number in random.Random(3).sample(leaves, 12):
        damaged = spoiled(image, tmp_path / f"damaged-{number}", [number])
        found = salvage(damaged, tmp_path / f"new-{number}", ignore)
        there = start(tmp_path / f"new-{number}")
        missing = {name: len(whole[name]) - len(there[name]) for name in whole}
        assert 0 < sum(missing.values()) <= PAGE_BYTES // 200
        assert lost_of(found) == missing
        assert found.broken_pages == 1
        assert all(
            set(there[name]) <= set(whole[name]) and there[name] == sorted(there[name], key=whole[name].index)
            for name in whole
        )


def test_pages_above_others_and_the_map_cost_nothing(image: Path, whole: Bodies, tmp_path: Path) -> None:
    for number in [2, *numbers_of(image, TABLE_INTERIOR)]:
        damaged = spoiled(image, tmp_path / f"damaged-{number}", [number], filler=0xAA)
        salvage(damaged, tmp_path / f"new-{number}", ignore)
        assert start(tmp_path / f"new-{number}") == whole


def test_a_file_without_its_first_page_comes_out_whole(image: Path, whole: Bodies, tmp_path: Path) -> None:
    found = salvage(spoiled(image, tmp_path / "damaged", [1]), tmp_path / "new", ignore)
    assert start(tmp_path / "new") == whole
    assert lost_of(found) == {"a": 0, "b": 0, "c": None}, "an empty queue has no count, and may have had one"


def test_long_records_lose_with_a_page_what_has_a_part_on_it(tmp_path: Path) -> None:
    filled(tmp_path / "data", {"large": 6}, size=30_000).close()
    pages = (tmp_path / "data" / FILE).stat().st_size // PAGE_BYTES
    damaged = spoiled(tmp_path / "data", tmp_path / "damaged", [pages - 3])
    found = salvage(damaged, tmp_path / "new", ignore)
    assert lost_of(found) == {"large": 1}
    assert len(start(tmp_path / "new")["large"]) == 5
    assert found.broken_cells == 1


def test_a_file_that_was_cut_off_gives_what_is_left(image: Path, whole: Bodies, tmp_path: Path) -> None:
    shutil.copytree(image, tmp_path / "damaged")
    path = tmp_path / "damaged" / FILE
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 + 100])
    found = salvage(tmp_path / "damaged", tmp_path / "new", ignore)
    there = start(tmp_path / "new")
    assert 0 < sum(map(len, there.values())) < sum(map(len, whole.values()))
    assert all(set(there[name]) <= set(whole[name]) for name in there)
    assert found.broken_pages


@pytest.mark.parametrize("seed", range(WAYS))
def test_no_damage_stops_a_salvage_or_makes_a_message(image: Path, whole: Bodies, quick_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    shutil.copytree(image, quick_path / "damaged")
    path = quick_path / "damaged" / FILE
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 10, 1_000))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    if 0 < int.from_bytes(data[FORMAT_AT : FORMAT_AT + 4], "big") < FORMAT:
        return  # one of the few numbers that a salvage looks at
    salvage(quick_path / "damaged", quick_path / "new", ignore)
    for name, bodies in start(quick_path / "new").items():
        written = whole.get(name) or [body for each in whole.values() for body in each]  # or in a queue with a new name
        assert bodies == sorted(set(bodies), key=written.index)


def test_messages_whose_queue_has_lost_its_definition_are_in_one_with_a_new_name(
    image: Path, whole: Bodies, tmp_path: Path
) -> None:
    shutil.copytree(image, tmp_path / "damaged")
    db = apsw.Connection(str(tmp_path / "damaged" / FILE))
    db.execute("update definition set record = x'00' where hex(key) like '%0061'")
    db.close()
    found = salvage(tmp_path / "damaged", tmp_path / "new", ignore)
    assert (found.broken_definitions, found.named_anew) == (1, 1)
    assert lost_of(found) == {"b": 0, "c": 0, "salvaged-1": 0}
    assert start(tmp_path / "new") == {"b": whole["b"], "c": [], "salvaged-1": whole["a"]}
    assert quarantine_of(tmp_path / "new") == [(None, kinds.QUEUE, "/\0a", b"\x00", "the checksum does not match")]


def quarantine_of(directory: Path) -> list[tuple[object, ...]]:
    db = apsw.Connection(str(directory / FILE))
    found = db.execute("select row, kind, key, record, reason from quarantine order by rowid").fetchall()
    db.close()
    return found


@pytest.mark.parametrize("older", [False, True], ids=["this format", "format 2"])
def test_what_is_in_quarantine_comes_along(image: Path, whole: Bodies, tmp_path: Path, older: bool) -> None:
    shutil.copytree(image, tmp_path / "damaged")
    db = apsw.Connection(str(tmp_path / "damaged" / FILE))
    db.execute("insert into quarantine (row, record, reason) values (77, x'0102', 'an entry')")
    if not older:
        db.execute("insert into quarantine (row, record, reason) values (77, x'03', 'of the same row')")
        db.execute("insert into quarantine (kind, key, record, reason) values (2, 'k', x'04', 'a queue')")
    db.close()
    expected = quarantine_of(tmp_path / "damaged")
    if older:
        make_format_2(tmp_path / "damaged")
    found = salvage(tmp_path / "damaged", tmp_path / "new", ignore)
    assert (found.broken_cells, found.lost) == (0, 0)
    assert quarantine_of(tmp_path / "new") == expected
    assert start(tmp_path / "new") == whole


def test_a_salvage_that_was_interrupted_is_begun_anew(image: Path, whole: Bodies, tmp_path: Path) -> None:
    (tmp_path / "new" / PART).mkdir(parents=True)
    (tmp_path / "new" / PART / FILE).write_bytes(b"half")
    salvage(image, tmp_path / "new", ignore)
    assert start(tmp_path / "new") == whole


def test_the_damaged_store_is_left_as_it_is_and_others_are_refused(image: Path, tmp_path: Path) -> None:
    before = (image / FILE).read_bytes()
    salvage(image, tmp_path / "new", ignore)
    assert (image / FILE).read_bytes() == before
    with pytest.raises(StoreRefused, match="is not empty"):
        salvage(image, tmp_path / "new", ignore)
    with pytest.raises(StoreRefused, match="there is no store in"):
        salvage(tmp_path / "absent", tmp_path / "other", ignore)
    store = SqliteStore(tmp_path / "used")
    with pytest.raises(StoreRefused, match="in use"):
        salvage(tmp_path / "used", tmp_path / "other", ignore)
    store.close()
