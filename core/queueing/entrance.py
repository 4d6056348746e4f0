"""The entrance of a queue that wants a part only: bound in the queue's stead, it asks a selector first.

What no consumer of the queue would ever take does not get in, so it does not pile up either.
"""

from core.model.message import Message
from core.queueing.queue import Queue
from core.routing.selector import Selector
from core.routing.sink import Sink


class Entrance(Sink):
    """Takes for a queue what a selector matches."""

    def __init__(self, queue: Queue, selector: Selector) -> None:
        super().__init__()
        self.selector = selector
        self._queue = queue

    def take(self, message: Message) -> bool:
        if not self.selector.matches(message):
            return True
        return self._queue.take(message)

    def admits(self, count: int, size_bytes: int) -> bool:
        return self._queue.admits(count, size_bytes)
