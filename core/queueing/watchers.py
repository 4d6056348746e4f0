"""Who wants to learn of queues that are declared, by patterns of their names (levels parted by dots).

A declare costs what the matching patterns cost, not what all do. That a queue is gone its consumers learn themselves.
"""

from collections.abc import Iterable

from mypy_extensions import mypyc_attr

from core.queueing.queue import Queue
from core.routing.pattern import Pattern
from core.routing.trie import Trie


@mypyc_attr(allow_interpreted_subclasses=True)
class QueueWatcher:
    """Learns of the queues whose names match a pattern."""

    def appeared(self, queue: Queue) -> None:
        """Learn of a queue that is there from now on, complete with its owner."""
        raise AssertionError(f"{type(self).__name__} does not say what a new queue is to it")

    def failed(self, error: Exception) -> None:
        """Learn that `appeared` raised: a bug, which must not cost whoever has declared the queue."""
        raise error


class QueueWatchers:
    """The watchers of one virtual host."""

    def __init__(self) -> None:
        self._patterns = Trie()

    def add(self, pattern: Pattern, watcher: QueueWatcher) -> None:
        """Tell `watcher` of queues that match, from now on."""
        self._patterns.add(pattern, watcher)

    def remove(self, pattern: Pattern, watcher: QueueWatcher) -> None:
        """Tell it no more."""
        self._patterns.remove(pattern, watcher)

    def appeared(self, queue: Queue) -> None:
        """Tell whoever wants to know of this new queue."""
        if not self._patterns.size:
            return
        for watcher in self._patterns.match(queue.name):
            assert isinstance(watcher, QueueWatcher)
            try:
                watcher.appeared(queue)
            except Exception as error:  # noqa: BLE001 - a bug in the watching connection must not cost the declaring one
                watcher.failed(error)


def matching(pattern: Pattern, queues: Iterable[Queue]) -> list[Queue]:
    """Return those queues whose names match the pattern."""
    one = Trie()
    one.add(pattern, pattern)
    return [queue for queue in queues if one.match(queue.name)]
