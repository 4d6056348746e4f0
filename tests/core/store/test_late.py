"""What leaves memory some time after it came: under rows that were kept free, whatever else gets rows meanwhile."""

from core.model.message import AT_LEAST_ONCE, AT_MOST_ONCE
from core.store.batch import Batch, rows_of
from core.store.late import Reservation
from core.store.shelf import Shelf
from tests.core.store.test_journal import World

FIRST = rows_of(1)[0] + 1


def rows_in(batch: Batch | None) -> list[int]:
    assert batch is not None
    return sorted(run.first_row + offset for run in batch.runs for offset in range(len(run.records)))


def reserved(world: World, rows: int) -> tuple[Shelf, Reservation]:
    shelf = world.queue.shelf
    assert shelf is not None
    return shelf, world.journal.reserve(shelf, rows)


def test_rows_are_kept_free_behind_all_that_was_put_and_before_what_comes() -> None:
    world = World()
    world.publish(b"before")
    _, reservation = reserved(world, 3)
    world.publish(b"after")
    before = reservation.known
    assert rows_in(world.batch()) == [FIRST, FIRST + 4]
    assert (before, reservation.known) == (False, True)
    assert [reservation.take_last() for _ in range(3)] == [FIRST + 3, FIRST + 2, FIRST + 1]


def test_with_nothing_on_its_way_they_are_known_at_once() -> None:
    _, reservation = reserved(World(), 1)
    assert reservation.known


def test_entries_get_the_rows_that_they_are_given_and_holes_where_one_was_taken() -> None:
    world = World()
    for body in (b"0", b"1", b"2", b"3"):
        world.publish(body, AT_MOST_ONCE)
    shelf, reservation = reserved(world, 4)
    entries = world.queue.backlog.present()
    for entry in reversed(entries):
        world.journal.page_out_late(shelf, entry, reservation.take_last())
    taken = world.queue.get()
    assert taken is entries[0]
    second = world.queue.get()
    third = world.queue.get()
    assert (second, third) == (entries[1], entries[2])
    assert third is not None
    world.queue.accept(third)
    promises = world.journal.promises
    assert rows_in(world.batch()) == [FIRST, FIRST + 1, FIRST + 3]
    assert [entry.row for entry in entries] == [FIRST, FIRST + 1, 0, FIRST + 3]
    assert (shelf.entries, shelf.bytes, world.journal.promises) == (3, 3, promises)


def test_what_is_moved_is_in_one_place_after_each_commit() -> None:
    world = World()
    world.publish(b"0")
    world.batch()
    [entry] = world.queue.backlog.present()
    shelf, reservation = reserved(world, 1)
    world.journal.page_out_late(shelf, entry, reservation.take_last())
    batch = world.journal.seal()
    assert rows_in(batch) == [FIRST + 1]
    assert batch is not None
    assert list(batch.removed) == [FIRST]
    assert (shelf.entries, shelf.bytes) == (1, 1)


def test_rows_that_were_kept_free_do_not_keep_later_ones_from_leaving_memory() -> None:
    world = World()
    world.publish(b"0", AT_MOST_ONCE)
    shelf, reservation = reserved(world, 1)
    world.publish(b"1", AT_LEAST_ONCE)
    world.batch()
    world.journal.page_out_late(shelf, world.queue.backlog.present()[0], reservation.take_last())
    assert world.journal.seal() is not None
    assert shelf.committed_before(world.journal.committed) == FIRST + 2
