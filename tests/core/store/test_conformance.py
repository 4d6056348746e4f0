"""Each implementation of a store, driven by `conformance`."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

from core.store.interface import Store
from core.store.memory import MemoryStore
from core.store.sqlite import SqliteStore
from tests.core.store.conformance import StoreMachine


class MemoryMachine(StoreMachine):
    """A memory store outlives its use: there is nothing that a crash could take."""

    held: MemoryStore | None = None

    def open(self) -> Store:
        self.held = self.held or MemoryStore()
        return self.held

    def leave(self) -> None:
        pass


class SqliteMachine(StoreMachine):
    """A crash leaves the file, its log and no lock, as the end of a process does."""

    directory: Path | None = None

    def open(self) -> Store:
        self.directory = self.directory or Path(tempfile.mkdtemp(prefix="store-"))
        self.held = SqliteStore(self.directory)
        return self.held

    def leave(self) -> None:
        assert self.directory is not None
        crashed = Path(tempfile.mkdtemp(prefix="store-"))
        for path in self.directory.glob("dragoman.db*"):
            shutil.copy(path, crashed)
        self.held._db.close()
        os.close(self.held._lock)
        shutil.rmtree(self.directory)
        self.directory = crashed

    def teardown(self) -> None:
        super().teardown()
        if self.directory is not None:
            shutil.rmtree(self.directory)


TestMemoryStore = MemoryMachine.TestCase
TestSqliteStore = SqliteMachine.TestCase
TestSqliteStore.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
