"""A store that no broker has open, for who changes definitions in it. Whether the last broker stopped in order stays as it is."""

import fcntl
import os
from pathlib import Path

from core.store.inspection import open_to_read
from core.store.sqlite import FILE, LOCK, SqliteStore, kind_of, octets


class StoreAtRest(SqliteStore):
    """Keeps definitions; entries are left alone. StoreRefused when it cannot be used, or has an older format."""

    def __init__(self, directory: Path) -> None:
        path = directory / FILE
        if path.is_file() and path.stat().st_size:
            open_to_read(path).close()  # a change of one definition is no reason for a migration
        super().__init__(directory)

    def of_kind(self, kind: int) -> list[tuple[str, bytes]]:
        """Return the definitions of a kind, by key."""
        statement = "select kind, cast(key as blob), cast(record as blob) from definition where kind = ? order by key"
        return [
            (octets(key).decode(errors="surrogateescape"), octets(record))
            for found, key, record in self._all(statement, (kind,))
            if kind_of(found) == kind
        ]

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)


def in_use(directory: Path) -> bool:
    """Tell whether somebody has a store open to write, most likely a broker."""
    try:
        lock = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # nobody can have, or opening the store will say why not
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
