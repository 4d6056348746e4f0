"""A consumer of all queues: it acknowledges most of what it gets, gives some back, and is killed like the broker."""

import random
import threading
from contextlib import suppress
from typing import Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from interop.broker import Endpoint
from interop.crash.ledger import Ledger
from interop.crash.publishers import QUEUES

PREFETCH: Final = 50
DRAIN_PREFETCH: Final = 1_000
REQUEUE_SHARE: Final = 0.05


def consume(endpoint: Endpoint, ledger: Ledger, seed: int, stop: threading.Event) -> None:
    """Consume until told to stop or the connection breaks."""
    chance = random.Random(seed)
    with suppress(AMQPError, OSError):
        connection = pika.BlockingConnection(pika.ConnectionParameters(endpoint.host, endpoint.ports["amqp"]))
        channel = connection.channel()
        channel.basic_qos(prefetch_count=PREFETCH)

        def on_message(_: BlockingChannel, method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
            ledger.receive(body.decode(), marked=method.redelivered)
            if chance.random() < REQUEUE_SHARE:
                channel.basic_reject(method.delivery_tag, requeue=True)
            else:
                channel.basic_ack(method.delivery_tag)

        for queue in QUEUES:
            channel.basic_consume(queue, on_message)
        while not stop.is_set():
            connection.process_data_events(time_limit=0.05)
        connection.close()


def drain(endpoint: Endpoint, ledger: Ledger) -> None:
    """Take everything that is there. A queue that is not there has nothing."""
    connection = pika.BlockingConnection(pika.ConnectionParameters(endpoint.host, endpoint.ports["amqp"]))
    for queue in QUEUES:
        with suppress(ChannelClosedByBroker):
            _drain(connection, queue, ledger)
    connection.close()


def _drain(connection: pika.BlockingConnection, queue: str, ledger: Ledger) -> None:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=DRAIN_PREFETCH)

    def on_message(_: BlockingChannel, method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        ledger.receive(body.decode(), marked=method.redelivered)
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, on_message)
    # The answer comes behind all deliveries before it, so that at 0 all have arrived.
    while channel.queue_declare(queue, passive=True).method.message_count:
        connection.process_data_events(time_limit=0)
    connection.process_data_events(time_limit=0)
    channel.close()
