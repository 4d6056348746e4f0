"""rabbitpy: queues that are iterated, transactions as contexts, remote errors as exceptions of their own."""

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import rabbitpy
import rabbitpy.exceptions

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

# What rabbitpy (pamqp) writes into a table and gives back as it was.
EVERY_TYPE: Final[dict[str, Any]] = {
    "boolean": True,
    "small": 5,
    "long": -(2**40),
    "single": 0.5,
    "text": "naïve ☃",
    "void": None,
    "moment": datetime(2020, 2, 29, 12, 30, 15, tzinfo=UTC),
    "array": [1, "two", [False], {"deep": {"deeper": "down"}}],
    "table": {"a": {"b": "c"}},
}


def url(endpoint: Endpoint) -> str:
    host = f"{endpoint.host}:{endpoint.ports['amqp']}"
    return f"amqp://{endpoint.user}:{endpoint.password}@{host}/%2f?timeout={ANSWER_LIMIT_S:.0f}&heartbeat=30"


@pytest.fixture
def channel(endpoint: Endpoint) -> Iterator[rabbitpy.Channel]:
    """A channel of rabbitpy's; its connection is closed even when the broker closed the channel."""
    connection = rabbitpy.Connection(url(endpoint))
    yield connection.channel()
    connection.close()


def take(queue: rabbitpy.Queue, count: int, **how: Any) -> list[rabbitpy.Message]:
    """Consume and acknowledge so many messages, then cancel the consumer."""
    taken: list[rabbitpy.Message] = []
    with closing(queue.consume(**how)) as messages:
        for message in messages:
            message.ack()
            taken.append(message)
            if len(taken) == count:
                return taken
    raise AssertionError(f"the consumer ended after {len(taken)} messages")


def test_publish_consume_and_settle(channel: rabbitpy.Channel, name: str) -> None:
    channel.enable_publisher_confirms()
    queue = rabbitpy.Queue(channel, name, exclusive=True)
    assert queue.declare() == (0, 0)
    for number in range(10):
        message = rabbitpy.Message(channel, f"n {number}", {"headers": EVERY_TYPE, "message_id": f"{number}"})
        assert message.publish("", name, mandatory=True) is True
    assert len(queue) == 10
    first = queue.get()
    assert first is not None
    assert (first.body, first.properties["headers"], first.redelivered) == (b"n 0", EVERY_TYPE, False)
    first.nack(requeue=True)
    again = queue.get()
    assert again is not None
    assert (again.body, again.redelivered, again.properties["message_id"]) == (b"n 0", True, "0")
    again.reject(requeue=False)
    taken = take(queue, 9, prefetch=3, priority=5)
    assert [message.body for message in taken] == [b"n %d" % number for number in range(1, 10)]
    assert queue.get() is None


def test_exchanges_of_every_kind(channel: rabbitpy.Channel, name: str) -> None:
    queue = rabbitpy.Queue(channel, name, exclusive=True)
    queue.declare()
    for kind in (rabbitpy.DirectExchange, rabbitpy.FanoutExchange, rabbitpy.TopicExchange, rabbitpy.HeadersExchange):
        exchange = kind(channel, f"{name}.{kind.__name__}", auto_delete=True)
        exchange.declare()
        assert queue.bind(exchange, "key", {"x-match": "any", "a": 1})
        rabbitpy.Message(channel, kind.__name__, {"headers": {"a": 1}}).publish(exchange, "key")
        (message,) = take(queue, 1)
        assert (message.body, message.exchange) == (kind.__name__.encode(), exchange.name)
        queue.unbind(exchange, "key")
        exchange.delete()


def test_an_exchange_is_bound_to_an_exchange(channel: rabbitpy.Channel, name: str) -> None:
    inner = rabbitpy.FanoutExchange(channel, name, auto_delete=True)
    inner.declare()
    inner.bind("amq.topic", f"{name}.#")
    queue = rabbitpy.Queue(channel, name, exclusive=True)
    queue.declare()
    queue.bind(inner)
    rabbitpy.Message(channel, "x").publish("amq.topic", f"{name}.a.b")
    assert take(queue, 1)[0].routing_key == f"{name}.a.b"


def test_a_mandatory_message_comes_back(channel: rabbitpy.Channel, name: str) -> None:
    channel.enable_publisher_confirms()
    with pytest.raises(rabbitpy.exceptions.MessageReturnedException) as failure:
        rabbitpy.Message(channel, "back").publish("amq.direct", name, mandatory=True)
    assert "312" in str(failure.value)


def test_a_refused_message_is_told(channel: rabbitpy.Channel, name: str) -> None:
    channel.enable_publisher_confirms()
    queue = rabbitpy.Queue(channel, name, exclusive=True, max_length=1, arguments={"x-overflow": "reject-publish"})
    queue.declare()
    results = [rabbitpy.Message(channel, "x").publish("", name) for _ in range(2)]
    assert results == [True, False]


def test_a_transaction_is_a_context(channel: rabbitpy.Channel, name: str) -> None:
    queue = rabbitpy.Queue(channel, name, exclusive=True)
    queue.declare()
    with rabbitpy.Tx(channel) as transaction:
        transaction.select()
        rabbitpy.Message(channel, "kept").publish("", name)
    with suppress(ZeroDivisionError), rabbitpy.Tx(channel) as transaction:
        transaction.select()
        rabbitpy.Message(channel, "undone").publish("", name)
        raise ZeroDivisionError
    assert len(queue) == 1


def test_a_message_that_expires_goes_to_the_dead(channel: rabbitpy.Channel, name: str) -> None:
    dead = rabbitpy.Queue(channel, f"{name}.dead", exclusive=True)
    dead.declare()
    dead.bind("amq.direct", dead.name)
    queue = rabbitpy.Queue(
        channel,
        name,
        exclusive=True,
        message_ttl=20,
        expires=60_000,
        dead_letter_exchange="amq.direct",
        dead_letter_routing_key=dead.name,
    )
    queue.declare()
    rabbitpy.Message(channel, "late").publish("", name)
    (message,) = take(dead, 1)
    (entry,) = message.properties["headers"]["x-death"]
    assert (entry["queue"], entry["reason"], entry["count"]) == (name, "expired", 1)


def test_a_deleted_queue_ends_its_consumer(endpoint: Endpoint, channel: rabbitpy.Channel, name: str) -> None:
    queue = rabbitpy.Queue(channel, name)
    queue.declare()
    rabbitpy.Message(channel, "one").publish("", name)
    messages = queue.consume()
    next(messages).ack()
    rabbitpy.delete_queue(url(endpoint), name)
    with pytest.raises(rabbitpy.exceptions.RemoteCancellationException):
        next(messages)


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (
            lambda channel, name: rabbitpy.Queue(channel, name).declare(passive=True),
            rabbitpy.exceptions.AMQPNotFound,
        ),
        (
            lambda channel, name: rabbitpy.Queue(channel, f"amq.{name}").declare(),
            rabbitpy.exceptions.AMQPAccessRefused,
        ),
        (
            lambda channel, name: rabbitpy.DirectExchange(channel, "amq.topic", durable=True).declare(),
            rabbitpy.exceptions.AMQPPreconditionFailed,
        ),
    ],
    ids=["not found", "access refused", "precondition failed"],
)
def test_mistakes_are_exceptions_by_their_code(
    channel: rabbitpy.Channel, name: str, mistake: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        mistake(channel, name)


def test_one_call_does_it_all(endpoint: Endpoint, name: str) -> None:
    address = url(endpoint)
    rabbitpy.create_queue(address, name)
    assert rabbitpy.publish(address, "", name, b"simple", {"content_type": "text/plain"}, confirm=True) is True
    message = rabbitpy.get(address, name)
    assert message is not None
    assert (message.body, message.properties["content_type"]) == (b"simple", "text/plain")
    rabbitpy.delete_queue(address, name)
