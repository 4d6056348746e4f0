"""A run of commits that is the same each time, and what a store must hold after each of them."""

import os
import random
import shutil
from array import array
from pathlib import Path
from typing import Final

from core.store.batch import Batch, Run, rows_of
from core.store.interface import Store
from core.store.space import Limits
from core.store.sqlite import FILE, SqliteStore

QUEUES: Final = (1, 2, 3)
CHECKPOINT_PAGES: Final = 12  # so few that every run has checkpoints
KEPT_FREE_PAGES: Final = 4  # so few that every run gives pages back
DRAINED_EVERY: Final = 4  # commits, for most of what there is
SHORTENED_PAGES: Final = 2
STEP_PAGES: Final = 3


class Contents:
    """The rows and definitions of a store."""

    def __init__(self, rows: dict[int, bytes], definitions: dict[tuple[int, str], bytes]) -> None:
        self.rows = rows
        self.definitions = definitions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Contents) and (self.rows, self.definitions) == (other.rows, other.definitions)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{len(self.rows)} rows, {len(self.definitions)} definitions"


class History:
    """Batches, and the contents before the first and after each of them."""

    def __init__(self, seed: int, count: int) -> None:
        chance = random.Random(seed)
        self.batches: list[Batch] = []
        rows: dict[int, bytes] = {}
        definitions: dict[tuple[int, str], bytes] = {}
        self.contents = [Contents({}, {})]
        next_row = {queue: rows_of(queue)[0] + 1 for queue in QUEUES}
        for number in range(1, count + 1):
            batch = Batch(number)
            removed = chance.sample(sorted(rows), chance.randrange(len(rows) + 1)) if chance.random() < 0.5 else []
            if number % DRAINED_EVERY == 0:
                removed = sorted(rows)[: len(rows) * 9 // 10]
            for queue in chance.sample(QUEUES, chance.randrange(1, 4)):
                run = Run(next_row[queue])
                run.records = [
                    chance.randbytes(chance.choice((20, 200, 3_000))) for _ in range(chance.randrange(1, 12))
                ]
                batch.runs.append(run)
                rows.update(enumerate(run.records, run.first_row))
                next_row[queue] += len(run.records)
            batch.removed = array("q", removed)
            for row in removed:
                del rows[row]
            kind, key = chance.randrange(1, 4), chance.choice(("a", "b", "ä\x00b"))
            record = chance.randbytes(30) if chance.random() < 0.8 else None
            batch.definitions.append((kind, key, record))
            if record is None:
                definitions.pop((kind, key), None)
            else:
                definitions[kind, key] = record
            self.batches.append(batch)
            self.contents.append(Contents(dict(rows), dict(definitions)))


def opened(directory: Path) -> SqliteStore:
    """Open a store that checkpoints often, and gives space back often."""
    return SqliteStore(directory, Limits(CHECKPOINT_PAGES, KEPT_FREE_PAGES, SHORTENED_PAGES, STEP_PAGES))


def tidied(store: SqliteStore) -> int:
    """Have a store give back all that it will; return in how many steps."""
    steps = 0
    while store.tidy():
        steps += 1
    return steps


def contents_of(store: Store) -> Contents:
    """Read all that a store has."""
    rows = {row: record for number in store.queue_numbers() for row, record in store.rows(number, 0, 1 << 30)}
    return Contents(rows, {(kind, key): record for kind, key, record in store.definitions()})


def left(store: SqliteStore, directory: Path, copy: Path) -> None:
    """Leave the files of a store to `copy` as the end of a process does, and release what this process has of it."""
    copy.mkdir()
    for path in directory.glob(f"{FILE}*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, copy)
    store._db.close(True)
    os.close(store._lock)
