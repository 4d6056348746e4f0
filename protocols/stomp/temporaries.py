"""Temporary destinations: queues and topics that end with their connection, under the names that the client gives them.

Others reach them by the `reply-to` of a message only, which is a `/reply-queue/` to them. A temporary topic is a key of
the default exchange that nobody can guess: each subscription to it gets every answer, and without any they are lost.
"""

from typing import Final

from core.client import Client
from core.queueing.queue import Queue
from protocols.stomp.dialect import Dialect
from protocols.stomp.errors import PeerError

TEMPORARY_LIMIT: Final = 1_000  # temporary queues, and topics, of one connection


class Temporaries:
    """The temporary destinations of one connection, by the client's names."""

    def __init__(self, client: Client, dialect: Dialect) -> None:
        self._client = client
        self._auto_delete = dialect.answers_unasked
        self._queues: dict[str, Queue] = {}
        self._topics: dict[str, str] = {}

    def queue(self, name: str) -> Queue:
        """Return the queue that is `/temp-queue/NAME`."""
        queue = self._queues.get(name)
        if queue is None or queue.deleted:
            if queue is None:
                _check_room("queues", self._queues)
            queue = self._client.declare_queue("", exclusive=True, auto_delete=self._auto_delete)
            self._queues[name] = queue
        return queue

    def topic(self, name: str) -> str:
        """Return the key that is `/temp-topic/NAME`."""
        key = self._topics.get(name)
        if key is None:
            _check_room("topics", self._topics)
            key = self._topics[name] = self._client.new_reply_key()
        return key


def _check_room(what: str, held: dict[str, Queue] | dict[str, str]) -> None:
    if len(held) >= TEMPORARY_LIMIT:
        raise PeerError("resource_error", f"more than {TEMPORARY_LIMIT} temporary {what} of one connection")
