"""amqpstorm: a thread that reads, messages as objects, errors that are raised at the next call."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import pytest
from amqpstorm.channel import Channel
from amqpstorm.connection import Connection
from amqpstorm.exception import AMQPChannelError, AMQPConnectionError, AMQPMessageError
from amqpstorm.message import Message

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

# What amqpstorm (pamqp) writes into a table and gives back as it was.
EVERY_TYPE: Final[dict[str, Any]] = {
    "boolean": True,
    "small": 5,
    "long": -(2**40),
    "single": 0.5,
    "text": "naïve ☃",
    "void": None,
    "array": [1, "two", [False], {"deep": {"deeper": "down"}}],
    "table": {"a": {"b": "c"}},
}


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[Connection]:
    with connected(endpoint) as connection:
        yield connection


def connected(endpoint: Endpoint, **options: Any) -> Connection:
    return Connection(
        endpoint.host, endpoint.user, endpoint.password, endpoint.ports["amqp"], timeout=ANSWER_LIMIT_S, **options
    )


def opened(connection: Connection) -> Channel:
    return connection.channel(rpc_timeout=round(ANSWER_LIMIT_S))


def fetched(channel: Channel, queue: str, **how: Any) -> Message:
    """Get one message, which must be there."""
    message = channel.basic.get(queue, **how)
    assert isinstance(message, Message)
    return message


def bodies(channel: Channel, count: int) -> list[Any]:
    """Take so many messages from the channel's consumers and acknowledge them."""
    taken: list[Any] = []
    for message in channel.build_inbound_messages():
        taken.append(message.body)
        message.ack()
        if len(taken) == count:
            return taken
    raise AssertionError(f"the channel closed after {taken}")


def test_it_takes_the_broker_for_rabbitmq(connection: Connection) -> None:
    capabilities = connection.server_properties["capabilities"]
    for name in ("publisher_confirms", "consumer_cancel_notify", "basic.nack", "exchange_exchange_bindings"):
        assert capabilities[name] is True
    assert connection.max_allowed_channels >= 2047


def test_publish_consume_and_settle(connection: Connection, name: str) -> None:
    channel = opened(connection)
    channel.confirm_deliveries()
    channel.queue.declare(name, exclusive=True)
    for number in range(10):
        message = Message.create(channel, f"n {number}", {"headers": EVERY_TYPE, "priority": 1})
        assert message.publish(name, mandatory=True) is True
    first = fetched(channel, name)
    assert (first.body, first.properties["headers"], first.redelivered) == ("n 0", EVERY_TYPE, False)
    first.nack(requeue=True)
    again = fetched(channel, name)
    assert (again.body, again.redelivered) == ("n 0", True)
    again.reject(requeue=False)
    channel.basic.qos(3)
    channel.basic.consume(queue=name)
    assert bodies(channel, 9) == [f"n {number}" for number in range(1, 10)]


def test_a_body_over_frame_max_arrives_whole(connection: Connection, name: str) -> None:
    channel = opened(connection)
    channel.queue.declare(name, exclusive=True)
    body = bytes(range(128, 256)) * 4000
    channel.basic.publish(body, name)
    assert fetched(channel, name, auto_decode=False, no_ack=True).body == body


def test_an_unroutable_message_raises(connection: Connection, name: str) -> None:
    channel = opened(connection)
    channel.confirm_deliveries()
    with pytest.raises(AMQPMessageError) as failure:
        channel.basic.publish("back", name, mandatory=True)
    assert failure.value.error_code == 312
    assert channel.basic.publish("nobody cares", name) is True


def test_a_refused_message_is_told(connection: Connection, name: str) -> None:
    channel = opened(connection)
    channel.confirm_deliveries()
    channel.queue.declare(name, exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    assert channel.basic.publish("fits", name) is True
    assert channel.basic.publish("does not", name) is False


def test_a_transaction_is_a_context(connection: Connection, name: str) -> None:
    channel = opened(connection)
    channel.queue.declare(name, exclusive=True)
    with channel.tx:
        channel.basic.publish("kept", name)
    with contextlib.suppress(ZeroDivisionError), channel.tx:
        channel.basic.publish("undone", name)
        raise ZeroDivisionError
    assert channel.queue.declare(name, passive=True)["message_count"] == 1


def test_a_dead_letter_says_where_it_died(connection: Connection, name: str) -> None:
    channel = opened(connection)
    channel.queue.declare(f"{name}.dead", exclusive=True)
    channel.exchange.declare(f"{name}.dlx", "fanout", auto_delete=True)
    channel.queue.bind(f"{name}.dead", f"{name}.dlx")
    channel.queue.declare(name, exclusive=True, arguments={"x-dead-letter-exchange": f"{name}.dlx"})
    channel.basic.consume(queue=f"{name}.dead", no_ack=True)
    channel.basic.publish("late", name, properties={"expiration": "20"})
    message = next(channel.build_inbound_messages())
    (entry,) = message.properties["headers"]["x-death"]
    assert (entry["queue"], entry["reason"], entry["original-expiration"]) == (name, "expired", "20")
    assert (message.method["exchange"], message.method["routing_key"]) == (f"{name}.dlx", name)


def test_a_deleted_queue_takes_its_consumer_along(endpoint: Endpoint, connection: Connection, name: str) -> None:
    channel = opened(connection)
    channel.queue.declare(name)
    tag = channel.basic.consume(queue=name)
    assert channel.consumer_tags == [tag]
    with connected(endpoint) as other:
        opened(other).queue.delete(name)
    channel.queue.declare("", exclusive=True)  # the cancel comes before this answer
    assert channel.consumer_tags == []


def test_a_mistake_closes_the_channel_with_its_code(connection: Connection, name: str) -> None:
    channel = opened(connection)
    with pytest.raises(AMQPChannelError) as failure:
        channel.queue.declare(name, passive=True)
    assert failure.value.error_code == 404
    assert channel.is_closed
    channel.open()
    assert channel.queue.declare("", exclusive=True)["queue"].startswith("amq.gen-")


def test_a_wrong_password_is_told(endpoint: Endpoint) -> None:
    with pytest.raises(AMQPConnectionError, match="ACCESS_REFUSED"):
        Connection(endpoint.host, endpoint.user, "wrong", endpoint.ports["amqp"], timeout=ANSWER_LIMIT_S)


def test_channel_numbers_are_used_again(connection: Connection) -> None:
    for _ in range(20):
        with opened(connection) as channel:
            assert channel.queue.declare("", exclusive=True)["queue"]
    assert len(connection.channels) <= 1
