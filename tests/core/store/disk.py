"""A disk below SQLite that records what is asked of it, and fails when it is told to.

`states` makes of a recording what a power loss may leave: what was synced, and of the rest any part, in sectors of 512 bytes.
The write-ahead log needs no shared memory here, since the only connection locks the file for itself.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw

SECTOR_BYTES: Final = 512
CREATE, WRITE, TRUNCATE, DELETE, SYNC, MARK = "create", "write", "truncate", "delete", "sync", "mark"
WRITING: Final = (WRITE, TRUNCATE, SYNC)  # the calls that may fail

Files = dict[str, bytes]


class Operation:
    """One call that changes a file, or what a test wants to find again."""

    def __init__(self, kind: str, name: str, at: int = 0, data: bytes = b"") -> None:
        self.kind = kind
        self.name = name
        self.at = at
        self.data = data

    def __repr__(self) -> str:
        return f"{self.kind} {self.name} {self.at} +{len(self.data)}"


class Disk(apsw.VFS):
    """The default file system of SQLite while it is `mounted`."""

    def __init__(self, *, forgets_syncs: bool = False) -> None:
        self.operations: list[Operation] = []
        self.fail: Callable[[int], Exception | None] = lambda number: None
        self.calls = 0  # that may fail
        self._forgets_syncs = forgets_syncs
        self.name = f"disk-{id(self)}"
        super().__init__(self.name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> "_File":  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if flags[0] & apsw.SQLITE_OPEN_CREATE and not Path(path).exists():
            self.operations.append(Operation(CREATE, Path(path).name))
        return _File(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self.operations.append(Operation(DELETE, Path(filename).name, int(syncdir)))

    def mark(self, text: str) -> None:
        """Note that something has happened above the disk."""
        self.operations.append(Operation(MARK, text))

    def record(self, operation: Operation) -> None:
        """Fail, or note an operation that is about to be done."""
        if operation.kind in WRITING:
            self.calls += 1
            error = self.fail(self.calls)
            if error is not None:
                raise error
        if operation.kind != SYNC or not self._forgets_syncs:
            self.operations.append(operation)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Let every connection use this disk."""
        before = apsw.vfs_names()[0]
        apsw.set_default_vfs(self.name)
        apsw.connection_hooks.append(_lock_at_once)
        try:
            yield
        finally:
            apsw.connection_hooks.remove(_lock_at_once)
            apsw.set_default_vfs(before)


def _lock_at_once(connection: apsw.Connection) -> None:
    connection.execute("pragma locking_mode = exclusive").fetchall()


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, path: str, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._name = Path(path).name
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.record(Operation(WRITE, self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.record(Operation(TRUNCATE, self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.record(Operation(SYNC, self._name))
        super().xSync(flags)


class Platter:
    """What of a recording is certain by some operation, and what is not."""

    def __init__(self) -> None:
        self.synced: dict[str, bytearray] = {}
        self.pending: list[Operation] = []

    def apply(self, operation: Operation) -> None:
        """Take the next operation of the recording.

        The first sync of a new journal or log is one of its folder too (SQLite's unix VFS), so that what was deleted by then
        stays deleted.
        """
        if operation.kind == SYNC:
            certain = {operation.name}
            if any(earlier.kind == CREATE and earlier.name == operation.name for earlier in self.pending):
                certain |= {earlier.name for earlier in self.pending if earlier.kind == DELETE}
            self._settle(certain)
        elif operation.kind != MARK:
            self.pending.append(operation)
            if operation.kind == DELETE and operation.at:
                self._settle({operation.name})

    def _settle(self, names: set[str]) -> None:
        for earlier in self.pending:
            if earlier.name in names:
                _do(self.synced, earlier)
        self.pending = [earlier for earlier in self.pending if earlier.name not in names]

    def left(self, chosen: list[Operation]) -> Files:
        """Return the files when of what is not certain only this was done."""
        files = {name: bytearray(data) for name, data in self.synced.items()}
        for operation in chosen:
            _do(files, operation)
        return {name: bytes(data) for name, data in files.items()}

    def some(self, chance: random.Random) -> list[Operation]:
        """Choose any part of what is not certain, with torn writes. A file that was deleted has no later write."""
        chosen: list[Operation] = []
        share = chance.random()
        for operation in self.pending:
            if operation.kind in (CREATE, DELETE):
                chosen.append(operation)
            elif chance.random() < share:
                chosen.extend(_torn(operation, chance) if chance.random() < 0.3 else [operation])
        return chosen


def _do(files: dict[str, bytearray], operation: Operation) -> None:
    if operation.kind == DELETE:
        files.pop(operation.name, None)
        return
    data = files.setdefault(operation.name, bytearray())
    if operation.kind == TRUNCATE:
        _resize(data, operation.at)
    elif operation.kind == WRITE:
        _resize(data, max(len(data), operation.at))
        data[operation.at : operation.at + len(operation.data)] = operation.data


def _resize(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))


def _torn(operation: Operation, chance: random.Random) -> list[Operation]:
    """Return a write as the sectors of it that were reached."""
    if operation.kind != WRITE:
        return []
    parts: list[Operation] = []
    at, end = operation.at, operation.at + len(operation.data)
    while at < end:
        upto = min(end, at - at % SECTOR_BYTES + SECTOR_BYTES)
        if chance.random() < 0.5:
            begin = at - operation.at
            parts.append(Operation(WRITE, operation.name, at, operation.data[begin : begin + upto - at]))
        at = upto
    return parts
