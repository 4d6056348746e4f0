"""A broker with one mistake, for the tests of the crash test: `python mutant.py MISTAKE serve --config FILE`.

Interpreted only, since it replaces methods of the broker's own classes before it starts. A crash test that finds nothing
wrong with one of these is broken.
"""

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

AT_ONCE: Final = 20  # deliveries that leave together, so that some are always on their way
SLOW_S: Final = 0.05  # of each commit, as on a slow disk: no mistake, but it shows one sooner


def confirm_before_commit() -> None:
    """Send what promises something without waiting for the commit that keeps it."""
    link = _inside("gateway.link").Link
    link._hold = lambda self, parts: parts
    _slow_down()


def acknowledge_before_deliver() -> None:
    """Take a message out of the store as it is handed to a consumer, not when that one has it."""
    consumer = _inside("protocols.amqp.consumer").AmqpConsumer
    deliver = consumer.deliver

    under_way: list[tuple[Any, Any]] = []

    def deliver_and_forget(self: Any, entry: Any) -> None:
        entry.queue._surroundings.journal.remove(entry)
        under_way.append((self, entry))
        if len(under_way) == AT_ONCE:
            for receiver, delivered in under_way:
                deliver(receiver, delivered)
            under_way.clear()

    consumer.deliver = deliver_and_forget


def never_sync() -> None:
    """Leave to the system when the disk is written to."""
    store = _inside("core.store.sqlite").SqliteStore
    begin = store.begin

    def begin_without_syncs(self: Any) -> None:
        self._db.execute("pragma synchronous = off")
        begin(self)

    store.begin = begin_without_syncs


def nothing() -> None:
    """Make no mistake, but write as slowly as the others."""
    _slow_down()


MISTAKES: Final[dict[str, Callable[[], None]]] = {
    "confirm-before-commit": confirm_before_commit,
    "acknowledge-before-deliver": acknowledge_before_deliver,
    "never-sync": never_sync,
    "nothing": nothing,
}


def _slow_down() -> None:
    store = _inside("core.store.sqlite").SqliteStore
    commit = store.commit

    def commit_slowly(self: Any, batch: Any) -> None:
        time.sleep(SLOW_S)
        commit(self, batch)

    store.commit = commit_slowly


def _inside(module: str) -> Any:
    """Import a part of the broker by its name: nothing else of these tests may know one."""
    return importlib.import_module(module)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    MISTAKES[sys.argv.pop(1)]()
    _inside("gateway.cli").main()
