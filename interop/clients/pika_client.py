"""AMQP by pika's blocking connection."""

from collections.abc import Mapping
from typing import Any, Final

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S, Address, Driver, Queue, Received, Topic

TOPIC_EXCHANGE: Final = "amq.topic"
PROPERTY_NAMES: Final = (
    "content_type",
    "content_encoding",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
)


def parameters(endpoint: Endpoint) -> pika.ConnectionParameters:
    """Return how to connect to the broker with pika."""
    return pika.ConnectionParameters(
        endpoint.host,
        endpoint.ports["amqp"],
        credentials=pika.PlainCredentials(endpoint.user, endpoint.password),
        blocked_connection_timeout=ANSWER_LIMIT_S,
        socket_timeout=ANSWER_LIMIT_S,
    )


def connect(endpoint: Endpoint) -> pika.BlockingConnection:
    """Connect and log in."""
    return pika.BlockingConnection(parameters(endpoint))


def stated(properties: pika.BasicProperties) -> dict[str, Any]:
    """Return the properties that the message has, without the header table."""
    named = ((name, getattr(properties, name)) for name in PROPERTY_NAMES)
    return {name: value for name, value in named if value is not None}


class PikaDriver(Driver):
    name = "pika"
    protocol = "amqp"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.connection = connect(endpoint)
        self.channel: BlockingChannel = self.connection.channel()
        self.channel.confirm_delivery()

    def subscribe(self, address: Address) -> None:
        match address:
            case Topic(key):
                name = str(self.channel.queue_declare("", exclusive=True).method.queue)
                self.channel.queue_bind(name, TOPIC_EXCHANGE, key)
            case Queue(name):
                self.channel.queue_declare(name, durable=True)
        self.channel.basic_consume(name, self._arrived, auto_ack=True)

    def publish(
        self,
        address: Address,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        match address:
            case Topic(key):
                exchange = TOPIC_EXCHANGE
            case Queue(key):
                exchange = ""
                self.channel.queue_declare(key, durable=True)
        said = {"delivery_mode": 2 if durable else 1, **(properties or {})}
        self.channel.basic_publish(
            exchange, key, body, pika.BasicProperties(headers=dict(headers) if headers else None, **said)
        )

    def receive(self) -> Received:
        if self.inbox.empty():
            self.connection.process_data_events(ANSWER_LIMIT_S)
        return self.inbox.get_nowait()

    def close(self) -> None:
        if self.connection.is_open:
            self.connection.close()

    def _arrived(self, channel: Any, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        del channel
        said = stated(properties)
        self.inbox.put(
            Received(
                body,
                str(method.routing_key),
                dict(properties.headers or {}),
                said,
                durable=said.get("delivery_mode") == 2,
            )
        )
