"""AMQP by aio-pika."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from interop.broker import Endpoint
from interop.clients.background import on_loop
from interop.clients.driver import Address, Driver, Queue, Received, Topic

TOPIC_EXCHANGE: Final = "amq.topic"
PROPERTY_NAMES: Final = (
    "content_type",
    "content_encoding",
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


class AioPikaDriver(Driver):
    name = "aio-pika"
    protocol = "amqp"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._connection: AbstractConnection
        self._channel: AbstractChannel
        on_loop(self._connect())

    def subscribe(self, address: Address) -> None:
        on_loop(self._subscribe(address))

    def publish(
        self,
        address: Address,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        mode = aio_pika.DeliveryMode.PERSISTENT if durable else aio_pika.DeliveryMode.NOT_PERSISTENT
        message = aio_pika.Message(
            body, headers=dict(headers) if headers else None, delivery_mode=mode, **(properties or {})
        )
        on_loop(self._publish(address, message))

    def close(self) -> None:
        on_loop(self._connection.close())

    async def _connect(self) -> None:
        endpoint = self.endpoint
        self._connection = await aio_pika.connect(
            host=endpoint.host, port=endpoint.ports["amqp"], login=endpoint.user, password=endpoint.password
        )
        self._channel = await self._connection.channel(publisher_confirms=True)

    async def _subscribe(self, address: Address) -> None:
        match address:
            case Topic(key):
                queue = await self._channel.declare_queue(exclusive=True)
                await queue.bind(TOPIC_EXCHANGE, key)
            case Queue(name):
                queue = await self._channel.declare_queue(name, durable=True)
        await queue.consume(self._arrived, no_ack=True)

    async def _publish(self, address: Address, message: aio_pika.Message) -> None:
        match address:
            case Topic(key):
                exchange = await self._channel.get_exchange(TOPIC_EXCHANGE, ensure=False)
            case Queue(key):
                exchange = self._channel.default_exchange
                await self._channel.declare_queue(key, durable=True)
        await exchange.publish(message, key, mandatory=False)

    async def _arrived(self, message: AbstractIncomingMessage) -> None:
        said = {name: getattr(message, name) for name in PROPERTY_NAMES if getattr(message, name) is not None}
        moment = said.get("timestamp")
        if isinstance(moment, datetime):
            said["timestamp"] = int(moment.timestamp())
        durable = message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        self.inbox.put(Received(message.body, str(message.routing_key), dict(message.headers), said, durable=durable))
