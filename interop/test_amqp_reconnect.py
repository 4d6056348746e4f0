"""What the clients do when the broker goes: killed, stopped in order, out of memory. Each test owns its broker."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aio_pika
import kombu
import pika
import pika.exceptions
import pytest
import rabbitpy
import rabbitpy.exceptions
from aio_pika.abc import AbstractIncomingMessage
from amqpstorm.connection import Connection
from amqpstorm.exception import AMQPConnectionError
from amqpstorm.message import Message

from interop.broker import BrokerProcess, Endpoint, running_endpoint
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.pika_client import connect as connect_pika
from interop.clients.pika_client import parameters
from interop.clients.pika_inbox import PikaInbox
from interop.tasks.worker import Worker

pytestmark = pytest.mark.skipif(running_endpoint() is not None, reason="DRAGOMAN_HOST names a running broker")

LIMIT_S: Final = 10.0
SMALL_MEMORY: Final = '[limits]\nmemory_bytes = "1 MiB"\n'


class Restarted:
    """A broker that can be ended and started again where it was; what it had in memory is gone then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lives = 0
        self.broker = self._start(None)
        self.endpoint = self.broker.endpoint

    def kill(self) -> None:
        self.broker.kill()

    def start(self) -> None:
        self.broker = self._start(self.endpoint.ports)

    def restart(self) -> None:
        self.kill()
        self.start()

    def _start(self, ports: dict[str, int] | None) -> BrokerProcess:
        self._lives += 1
        folder = self._folder / f"life-{self._lives}"
        folder.mkdir()
        return BrokerProcess(folder, ports=ports)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Restarted]:
    own = Restarted(tmp_path)
    yield own
    own.kill()


def url(endpoint: Endpoint) -> str:
    return f"amqp://{endpoint.user}:{endpoint.password}@{endpoint.host}:{endpoint.ports['amqp']}/"


def until(condition: Callable[[], bool], turn: Callable[[], Any], what: str) -> None:
    """Do `turn`, which waits a little for the peer, until the condition holds."""
    give_up = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < give_up, what
        turn()


def test_pika_hears_the_reason_when_the_broker_stops_in_order(own: Restarted) -> None:
    connection = connect_pika(own.endpoint)
    channel = connection.channel()
    own.broker.stop()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as failure:
        channel.queue_declare("late")
    assert failure.value.reply_code == 320
    assert "CONNECTION_FORCED" in failure.value.reply_text


def test_pika_consumes_again_after_a_cut(own: Restarted, name: str) -> None:
    """The loop of pika's manual: connect, consume, and begin again when the connection is lost."""
    bodies: list[bytes] = []
    for life in range(2):
        connection = connect_pika(own.endpoint)
        channel = connection.channel()
        channel.queue_declare(name)
        inbox = PikaInbox(channel, name, auto_ack=True)
        channel.basic_publish("", name, b"%d" % life)
        inbox.wait(1)
        bodies += inbox.bodies
        own.restart()
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            channel.start_consuming()
    assert bodies == [b"0", b"1"]


def test_aio_pika_restores_queues_bindings_and_consumers(own: Restarted, name: str) -> None:
    async def work() -> None:
        arrived: asyncio.Queue[bytes] = asyncio.Queue()
        back = asyncio.Event()

        async def take(message: AbstractIncomingMessage) -> None:
            async with message.process():
                arrived.put_nowait(message.body)

        connection = await aio_pika.connect_robust(f"{url(own.endpoint)}?reconnect_interval=0.1")
        async with connection:
            channel = await connection.channel()
            await channel.set_qos(5)
            exchange = await channel.declare_exchange(name, "topic", auto_delete=True)
            queue = await channel.declare_queue(name, exclusive=True)
            await queue.bind(exchange, "a.#")
            await queue.consume(take)
            await exchange.publish(aio_pika.Message(b"before"), "a.b")
            assert await arrived.get() == b"before"
            connection.reconnect_callbacks.add(lambda *_: back.set())
            await asyncio.to_thread(own.restart)
            await back.wait()
            await exchange.publish(aio_pika.Message(b"after"), "a.c")
            assert await arrived.get() == b"after"

    asyncio.run(asyncio.wait_for(work(), LIMIT_S))


def test_kombu_publishes_and_consumes_through_a_restart(own: Restarted, name: str) -> None:
    queue = kombu.Queue(name, kombu.Exchange(name, "direct"), name)
    arrived: list[Any] = []
    with kombu.Connection(f"{url(own.endpoint)}/", transport_options={"confirm_publish": True}) as connection:
        policy = {"max_retries": 20, "interval_start": 0, "interval_step": 0.05, "interval_max": 0.2}

        def take(body: Any, message: kombu.Message) -> None:
            arrived.append(body)
            message.ack()

        producer = connection.Producer()
        for word in ("before", "after"):
            producer.publish(
                word, exchange=queue.exchange, routing_key=name, declare=[queue], retry=True, retry_policy=policy
            )
            with connection.Consumer([queue], callbacks=[take]):
                until(
                    lambda word=word: word in arrived,  # type: ignore[misc]
                    lambda: connection.drain_events(timeout=ANSWER_LIMIT_S),
                    f"only {arrived}",
                )
            if word == "before":
                own.restart()
    assert arrived == ["before", "after"]


def test_amqpstorm_opens_again_after_a_cut(own: Restarted, name: str) -> None:
    endpoint = own.endpoint
    # Its thread that reads forgets what it sees: only a missing heartbeat tells the others.
    connection = Connection(endpoint.host, endpoint.user, endpoint.password, endpoint.ports["amqp"], heartbeat=1)
    channel = connection.channel(rpc_timeout=round(ANSWER_LIMIT_S))
    own.restart()
    with pytest.raises(AMQPConnectionError):
        channel.queue.declare(name)
    connection.open()
    channel = connection.channel()
    channel.queue.declare(name)
    channel.basic.publish("x", name)
    message = channel.basic.get(name)
    assert isinstance(message, Message)
    assert message.body == "x"
    connection.close()


def test_rabbitpy_tells_of_a_cut(own: Restarted, name: str) -> None:
    endpoint = own.endpoint
    address = f"{url(endpoint)}%2f?timeout={ANSWER_LIMIT_S:.0f}"
    connection = rabbitpy.Connection(address)
    queue = rabbitpy.Queue(connection.channel(), name)
    queue.declare()
    own.restart()
    with pytest.raises(rabbitpy.exceptions.RabbitpyException):
        queue.declare()
    with rabbitpy.Connection(address) as again:
        assert rabbitpy.Queue(again.channel(), name).declare() == (0, 0)


def test_a_celery_worker_comes_back_after_a_restart(own: Restarted, tmp_path: Path, name: str) -> None:
    worker = Worker(own.endpoint, tmp_path, name, "--pool=threads", "-c", "2")
    try:
        assert worker.send("add", 1, 2).get(timeout=LIMIT_S) == 3
        own.restart()
        worker.wait_until_ready()
        assert worker.send("add", 3, 4).get(timeout=LIMIT_S) == 7
    finally:
        worker.close()


def test_publishers_are_blocked_while_memory_is_low(tmp_path: Path, name: str) -> None:
    broker = BrokerProcess(tmp_path, SMALL_MEMORY)
    try:
        patient = parameters(broker.endpoint)
        patient.blocked_connection_timeout = LIMIT_S
        publisher = pika.BlockingConnection(patient)
        heard: list[str] = []
        publisher.add_on_connection_blocked_callback(lambda _c, method: heard.append(method.method.reason))
        publisher.add_on_connection_unblocked_callback(lambda *_: heard.append("unblocked"))
        channel = publisher.channel()
        channel.queue_declare(name)
        published = 0
        while not heard:
            channel.basic_publish("", name, bytes(100_000))
            published += 1
            publisher.process_data_events(0)
        drainer = connect_pika(broker.endpoint)
        inbox = PikaInbox(drainer.channel(), name, auto_ack=True)

        def pump() -> None:
            drainer.process_data_events(0.02)
            publisher.process_data_events(0)

        # What was under way when the broker said so comes afterwards, and may fill its memory again.
        until(lambda: len(inbox.arrived) == published and heard[-1] == "unblocked", pump, "still blocked")
        assert heard[:2] == ["low on memory", "unblocked"]
        drainer.close()
        publisher.close()
    finally:
        broker.kill()
