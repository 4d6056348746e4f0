"""What a pika consumer receives, in the order of arrival, and what a pika channel can tell about a queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from interop.clients.driver import ANSWER_LIMIT_S


@dataclass(frozen=True)
class Delivery:
    """One message as pika hands it over."""

    method: Any
    properties: pika.BasicProperties
    body: bytes

    @property
    def headers(self) -> Mapping[str, Any]:
        return self.properties.headers or {}


class PikaInbox:
    """A consumer with manual acknowledgement unless `auto_ack`; it stays until the channel is closed."""

    def __init__(
        self,
        channel: BlockingChannel,
        queue: str,
        *,
        auto_ack: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.channel = channel
        self.arrived: list[Delivery] = []
        self.tag: str = channel.basic_consume(
            queue, self._take, auto_ack=auto_ack, arguments=dict(arguments) if arguments else None
        )

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.arrived]

    def wait(self, count: int) -> list[Delivery]:
        """Return the deliveries when there are so many; AssertionError when the next one does not come."""
        while len(self.arrived) < count:
            before = len(self.arrived)
            self.channel.connection.process_data_events(ANSWER_LIMIT_S)
            assert len(self.arrived) > before, f"only {before} of {count} deliveries"
        return self.arrived

    def _take(self, _channel: BlockingChannel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self.arrived.append(Delivery(method, properties, body))


def ready(channel: BlockingChannel, queue: str) -> int:
    """Return how many messages are ready; every earlier frame of the broker has been read then."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def drained(channel: BlockingChannel, queue: str) -> list[bytes]:
    """Take everything that is ready and return the bodies in order."""
    bodies: list[bytes] = []
    while True:
        method, _properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return bodies
        bodies.append(body)
