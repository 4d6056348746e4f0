"""Consumers of all queues, which take turns: pika and stomp.py. They acknowledge most of what they get and give some back."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pika
import stomp
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from interop.broker import Endpoint
from interop.crash.ledger import Ledger
from interop.crash.publishers import POLL_S, QUEUES

PREFETCH: Final = 50
DRAIN_PREFETCH: Final = 1_000
REQUEUE_SHARE: Final = 0.05


Consume = Callable[[Endpoint, Ledger, float, threading.Event], None]


def over_amqp(endpoint: Endpoint, ledger: Ledger, seed: float, stop: threading.Event) -> None:
    """Consume through pika until told to stop or the connection breaks."""
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


class _Deliveries(stomp.ConnectionListener):  # type: ignore[misc]
    def __init__(self, connection: stomp.Connection12, ledger: Ledger, seed: float) -> None:
        self._connection = connection
        self._ledger = ledger
        self._chance = random.Random(seed)
        self.over = threading.Event()  # the connection is

    def on_message(self, frame: Any) -> None:
        self._ledger.receive(frame.body, marked=frame.headers.get("redelivered") == "true")
        answer = self._connection.nack if self._chance.random() < REQUEUE_SHARE else self._connection.ack
        with suppress(stomp.exception.StompException, OSError):
            answer(frame.headers["ack"])

    def on_disconnected(self) -> None:
        self.over.set()


def over_stomp(endpoint: Endpoint, ledger: Ledger, seed: float, stop: threading.Event) -> None:
    """Consume through stomp.py until told to stop or the connection breaks."""
    listeners = [(endpoint.host, endpoint.ports["stomp"])]
    connection = stomp.Connection12(listeners, vhost="/", reconnect_attempts_max=1)  # it asks for the host's name else
    deliveries = _Deliveries(connection, ledger, seed)
    connection.set_listener("deliveries", deliveries)
    with suppress(stomp.exception.StompException, OSError):
        connection.connect(endpoint.user, endpoint.password, wait=True)
        for queue in QUEUES:
            connection.subscribe(
                f"/amq/queue/{queue}", queue, "client-individual", headers={"prefetch-count": str(PREFETCH)}
            )
        while not stop.is_set() and not deliveries.over.wait(POLL_S):
            pass
        connection.disconnect()


CONSUMERS: Final[dict[str, Consume]] = {"amqp": over_amqp, "stomp": over_stomp}


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
