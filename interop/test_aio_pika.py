"""aio-pika (over aiormq) with its own way of doing things: robust objects, contexts, RPC, master and workers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aio_pika
import aio_pika.exceptions
import aiormq
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.patterns import RPC, JsonRPC, Master, NackMessage, RejectMessage

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

# What aio-pika (pamqp) writes into a table.
EVERY_TYPE: Final[dict[str, Any]] = {
    "boolean": True,
    "int": 5,
    "long": -(2**40),
    "single": 0.5,
    "text": "naïve ☃",
    "bytes": bytearray(b"\x00\xff"),
    "void": None,
    "moment": datetime(2020, 2, 29, 12, 30, 15, tzinfo=UTC),
    "array": [1, "two", [False], {"deep": {"deeper": None}}],
    "table": {"a": {"b": "c"}},
}


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run one test on a loop of its own; what it waits for must come soon."""
    asyncio.run(asyncio.wait_for(work, 2 * ANSWER_LIMIT_S))


def url(endpoint: Endpoint, **query: Any) -> str:
    return (
        f"amqp://{endpoint.user}:{endpoint.password}@{endpoint.host}:{endpoint.ports['amqp']}/"
        f"?{'&'.join(f'{key}={value}' for key, value in query.items())}"
    )


@asynccontextmanager
async def opened(endpoint: Endpoint) -> AsyncIterator[AbstractChannel]:
    """A channel with confirms that raises for returned messages, on a robust connection."""
    async with await aio_pika.connect_robust(url(endpoint), fail_fast=True) as connection:
        yield await connection.channel(on_return_raises=True)


def test_publish_and_iterate(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            queue = await channel.declare_queue(name, auto_delete=True)
            for number in range(20):
                confirmed = await channel.default_exchange.publish(
                    aio_pika.Message(b"%d" % number, headers=EVERY_TYPE), name
                )
                assert isinstance(confirmed, aiormq.spec.Basic.Ack)
            bodies: list[bytes] = []
            async with queue.iterator() as iterator:
                async for message in iterator:
                    async with message.process():
                        assert message.headers == EVERY_TYPE
                        bodies.append(message.body)
                    if len(bodies) == 20:
                        break
            assert bodies == [b"%d" % number for number in range(20)]

    run(work())


def test_many_publishes_are_confirmed_at_once(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            queue = await channel.declare_queue(name, exclusive=True)
            await asyncio.gather(*(channel.default_exchange.publish(aio_pika.Message(b"x"), name) for _ in range(200)))
            assert (await queue.purge()).message_count == 200

    run(work())


def test_a_returned_message_raises(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            with pytest.raises(aio_pika.exceptions.DeliveryError) as failure:
                await channel.default_exchange.publish(aio_pika.Message(b"back"), name)
            assert failure.value.message is not None
            assert failure.value.message.body == b"back"

    run(work())


def test_a_refused_message_raises(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            await channel.declare_queue(
                name, exclusive=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"}
            )
            with pytest.raises(aio_pika.exceptions.DeliveryError):
                await channel.default_exchange.publish(aio_pika.Message(b"x"), name)

    run(work())


def test_processing_settles_by_how_it_ends(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            dead = await channel.declare_queue(f"{name}.dead", exclusive=True)
            queue = await channel.declare_queue(
                name,
                exclusive=True,
                arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.name},
            )
            for body in (b"fails", b"fails once", b"works"):
                await channel.default_exchange.publish(aio_pika.Message(body), name)
            first = await queue.get()
            with pytest.raises(ZeroDivisionError):
                async with first.process(requeue=False):
                    raise ZeroDivisionError
            second = await queue.get()
            with pytest.raises(ZeroDivisionError):
                async with second.process(requeue=True):
                    raise ZeroDivisionError
            again = await queue.get()
            assert (again.body, again.redelivered) == (b"fails once", True)
            await again.ack()
            await (await queue.get()).reject(requeue=False)
            deaths = [await dead.get(no_ack=True), await dead.get(no_ack=True)]
            assert [message.body for message in deaths] == [b"fails", b"works"]
            entries: Any = deaths[0].headers["x-death"]
            assert (entries[0]["reason"], entries[0]["queue"], entries[0]["count"]) == ("rejected", name, 1)
            assert await queue.get(fail=False) is None
            with pytest.raises(aio_pika.exceptions.QueueEmpty):
                await queue.get()

    run(work())


def test_expiration_and_delay_are_given_as_times(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            dead = await channel.declare_queue(f"{name}.dead", exclusive=True)
            await channel.declare_queue(
                name,
                exclusive=True,
                arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.name},
            )
            message = aio_pika.Message(b"late", expiration=timedelta(milliseconds=20), priority=3)
            await channel.default_exchange.publish(message, name)
            async with dead.iterator(no_ack=True) as iterator:
                late = await anext(iterator)
            assert (late.body, late.expiration, late.priority) == (b"late", None, 3)

    run(work())


def test_remote_calls_come_back_with_results_and_errors(endpoint: Endpoint, name: str) -> None:
    async def multiply(*, x: int, y: int) -> int:
        return x * y

    async def fail() -> None:
        raise ValueError("no")

    async def work() -> None:
        async with opened(endpoint) as serving, opened(endpoint) as calling:
            server = await RPC.create(serving)
            await server.register(f"{name}.multiply", multiply, auto_delete=True)
            await server.register(f"{name}.fail", fail, auto_delete=True)
            client = await RPC.create(calling)
            products = await asyncio.gather(
                *(client.call(f"{name}.multiply", {"x": number, "y": 3}) for number in range(20))
            )
            assert products == [number * 3 for number in range(20)]
            with pytest.raises(ValueError, match="no"):
                await client.call(f"{name}.fail")
            with pytest.raises(aio_pika.exceptions.DeliveryError):
                await client.call(f"{name}.nobody")
            await client.close()
            await server.close()

    run(work())


def test_remote_calls_in_json(endpoint: Endpoint, name: str) -> None:
    async def join(*, words: list[str]) -> str:
        return " ".join(words)

    async def work() -> None:
        async with opened(endpoint) as channel:
            rpc = await JsonRPC.create(channel)
            await rpc.register(name, join, auto_delete=True)
            assert await rpc.call(name, {"words": ["naïve", "☃"]}) == "naïve ☃"
            await rpc.close()

    run(work())


def test_a_request_is_answered_directly(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as asking, opened(endpoint) as answering:
            answers: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            replies = await asking.get_queue("amq.rabbitmq.reply-to", ensure=False)
            await replies.consume(answers.put, no_ack=True)
            questions = await answering.declare_queue(name, exclusive=True)

            async def answer(message: AbstractIncomingMessage) -> None:
                async with message.process():
                    reply = aio_pika.Message(message.body.upper(), correlation_id=message.correlation_id)
                    await answering.default_exchange.publish(reply, str(message.reply_to), mandatory=False)

            await questions.consume(answer)
            question = aio_pika.Message(b"why", reply_to="amq.rabbitmq.reply-to", correlation_id="1")
            with pytest.raises(aio_pika.exceptions.DeliveryError):
                await asking.default_exchange.publish(question, f"{name}.nobody")
            connection = await aio_pika.connect(url(endpoint))
            async with connection:
                with pytest.raises(aiormq.exceptions.ChannelLockedResource):
                    await (await connection.channel()).declare_queue(name, passive=True)
            await asking.default_exchange.publish(question, name)
            reply = await answers.get()
            assert (reply.body, reply.correlation_id) == (b"WHY", "1")

    run(work())


def test_a_master_hands_tasks_to_workers(endpoint: Endpoint, name: str) -> None:
    done: list[tuple[int, bool]] = []
    failed: set[int] = set()

    async def worker(*, number: int) -> None:
        if number == 2 and number not in failed:
            failed.add(number)
            raise NackMessage(requeue=True)
        if number == 3:
            failed.add(number)
            raise RejectMessage(requeue=False)
        done.append((number, number in failed))

    async def work() -> None:
        async with opened(endpoint) as channel:
            await channel.set_qos(prefetch_count=1)
            master = Master(channel)
            hand = await master.create_worker(name, worker, auto_delete=True)
            await asyncio.gather(*(master.create_task(name, {"number": number}) for number in range(5)))
            while len(done) < 4 or 3 not in failed:
                await asyncio.sleep(0)
            await hand.close()
        assert sorted(done) == [(0, False), (1, False), (2, True), (4, False)]

    run(work())


def test_a_transaction_is_a_context(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        connection = await aio_pika.connect(url(endpoint))
        async with connection:
            channel = await connection.channel(publisher_confirms=False)
            queue = await channel.declare_queue(name, exclusive=True)
            async with channel.transaction():
                await channel.default_exchange.publish(aio_pika.Message(b"kept"), name)
            with contextlib.suppress(ZeroDivisionError):
                async with channel.transaction():
                    await channel.default_exchange.publish(aio_pika.Message(b"undone"), name)
                    raise ZeroDivisionError
            assert (await queue.purge()).message_count == 1

    run(work())


def test_errors_have_classes_and_leave_the_connection(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        connection = await aio_pika.connect(url(endpoint, name=name, heartbeat=30))
        async with connection:
            with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                await (await connection.channel()).declare_queue(name, passive=True)
            channel = await connection.channel()
            await channel.declare_queue(name, exclusive=True)
            with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed):
                await channel.declare_queue(name, exclusive=True, arguments={"x-max-length": 1})
            with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
                await (await connection.channel()).declare_queue(f"amq.{name}")
            assert (await (await connection.channel()).declare_queue(name, passive=True)).name == name

    run(work())


def test_exchanges_of_every_kind(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            queue = await channel.declare_queue(name, exclusive=True)
            for kind in aio_pika.ExchangeType:
                if kind in {aio_pika.ExchangeType.X_DELAYED_MESSAGE, aio_pika.ExchangeType.X_MODULUS_HASH}:
                    continue
                exchange = await channel.declare_exchange(f"{name}.{kind.value}", kind, auto_delete=True)
                key = "1" if kind is aio_pika.ExchangeType.X_CONSISTENT_HASH else "key"
                await queue.bind(exchange, key)
                await exchange.publish(aio_pika.Message(kind.value.encode()), "key")
                message = await queue.get(no_ack=True)
                assert (message.body, message.exchange) == (kind.value.encode(), exchange.name)
                await queue.unbind(exchange, key)

    run(work())


def test_a_delayed_exchange_declared_by_aio_pika(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        async with opened(endpoint) as channel:
            exchange = await channel.declare_exchange(
                name,
                aio_pika.ExchangeType.X_DELAYED_MESSAGE,
                auto_delete=True,
                arguments={"x-delayed-type": "direct"},
            )
            queue = await channel.declare_queue(name, exclusive=True)
            await queue.bind(exchange, "key")
            for body, delay in ((b"second", 120), (b"first", 40)):
                await exchange.publish(aio_pika.Message(body, headers={"x-delay": delay}), "key", mandatory=False)
            async with queue.iterator(no_ack=True) as iterator:
                bodies = [(await anext(iterator)).body for _ in range(2)]
            assert bodies == [b"first", b"second"]

    run(work())


def test_a_new_secret_is_accepted(endpoint: Endpoint) -> None:
    async def work() -> None:
        async with await aio_pika.connect(url(endpoint)) as connection:
            await connection.update_secret(endpoint.password)
            assert (await (await connection.channel()).declare_queue("", exclusive=True)).name

    run(work())


def test_aiormq_alone_consumes_with_every_argument(endpoint: Endpoint, name: str) -> None:
    async def work() -> None:
        connection = await aiormq.connect(url(endpoint))
        channel = await connection.channel()
        await channel.basic_qos(prefetch_count=2)
        await channel.queue_declare(name, exclusive=True, arguments={"x-max-priority": 3})
        for priority in (0, 3, 1):
            await channel.basic_publish(
                b"%d" % priority, routing_key=name, properties=aiormq.spec.Basic.Properties(priority=priority)
            )
        arrived: asyncio.Queue[Any] = asyncio.Queue()
        consumer = await channel.basic_consume(name, arrived.put, exclusive=True, arguments={"x-priority": 5})
        bodies = []
        for _ in range(3):
            message = await arrived.get()
            bodies.append(message.body)
            await channel.basic_ack(message.delivery.delivery_tag)
        assert bodies == [b"3", b"1", b"0"]
        await channel.basic_cancel(str(consumer.consumer_tag))
        assert (await channel.basic_get(name)).delivery.name == "Basic.GetEmpty"
        await channel.basic_consume(name, arrived.put, consumer_tag="once")
        with pytest.raises(aiormq.exceptions.DuplicateConsumerTag):
            await channel.basic_consume(name, arrived.put, consumer_tag="once")
        await connection.close()

    run(work())
