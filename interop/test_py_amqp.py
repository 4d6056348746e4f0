"""py-amqp (kombu's and Celery's transport) by itself: callbacks, events that are drained, its exceptions."""

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import amqp
import pytest

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

# Every type that py-amqp writes into a table.
EVERY_TYPE: Final[dict[str, Any]] = {
    "boolean": False,
    "int": -1,
    "long": 2**40,
    "double": 0.1,
    "text": "naïve ☃",
    "bytes": b"\xff\x00",
    "void": None,
    "decimal": Decimal("-1.50"),
    "moment": datetime(2020, 2, 29, 12, 30, 15),
    "array": [1, "two", [True, None], {"deep": {"deeper": 3.5}}],
    "table": {"a": {"b": {}}},
}


def connected(endpoint: Endpoint, **options: Any) -> amqp.Connection:
    options = {"confirm_publish": True, "userid": endpoint.user, "password": endpoint.password, **options}
    connection = amqp.Connection(f"{endpoint.host}:{endpoint.ports['amqp']}", connect_timeout=ANSWER_LIMIT_S, **options)
    connection.connect()
    return connection


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[amqp.Connection]:
    connection = connected(endpoint)
    yield connection
    connection.close()


def drain(connection: amqp.Connection, arrived: list[Any], count: int) -> None:
    while len(arrived) < count:
        connection.drain_events(timeout=ANSWER_LIMIT_S)


@pytest.mark.parametrize("login_method", ["PLAIN", "AMQPLAIN"])
def test_both_ways_to_log_in(endpoint: Endpoint, login_method: str) -> None:
    connection = connected(endpoint, login_method=login_method)
    assert connection.server_capabilities["publisher_confirms"]
    assert connection.channel().queue_declare("", exclusive=True).queue.startswith("amq.gen-")
    connection.close()


@pytest.mark.parametrize("login_method", ["PLAIN", "AMQPLAIN"])
def test_a_wrong_password_is_refused(endpoint: Endpoint, login_method: str) -> None:
    with pytest.raises(amqp.exceptions.AccessRefused):
        connected(endpoint, login_method=login_method, password="wrong")


def test_publish_consume_and_settle(connection: amqp.Connection, name: str) -> None:
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True, auto_delete=False)
    for number in range(4):
        channel.basic_publish(amqp.Message(b"%d" % number, application_headers=EVERY_TYPE), "", name)
    arrived: list[amqp.Message] = []
    channel.basic_qos(0, 2, a_global=False)
    channel.basic_consume(name, callback=arrived.append)
    drain(connection, arrived, 2)
    assert arrived[0].headers == EVERY_TYPE
    channel.basic_reject(arrived[1].delivery_tag, requeue=True)
    drain(connection, arrived, 3)
    assert (arrived[2].body, arrived[2].delivery_info["redelivered"]) == (b"1", True)
    channel.basic_ack(arrived[2].delivery_tag, multiple=True)
    drain(connection, arrived, 5)
    assert [message.body for message in arrived] == [b"0", b"1", b"1", b"2", b"3"]
    channel.basic_recover(requeue=True)
    drain(connection, arrived, 7)
    assert sorted(message.body for message in arrived[5:]) == [b"2", b"3"]


def test_get_tells_how_many_are_left(connection: amqp.Connection, name: str) -> None:
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True, auto_delete=False)
    assert channel.basic_get(name) is None
    channel.basic_publish(amqp.Message(b"1", priority=1, delivery_mode=2, content_type="text/plain"), "", name)
    channel.basic_publish(amqp.Message(b"2"), "", name)
    message = channel.basic_get(name, no_ack=True)
    assert (message.body, message.delivery_info["message_count"]) == (b"1", 1)
    assert channel.queue_purge(name) == 1
    assert channel.queue_delete(name) == 0


def test_a_mandatory_message_comes_back(connection: amqp.Connection, name: str) -> None:
    channel = connection.channel()
    returned: list[Any] = []
    channel.events["basic_return"].add(lambda *values: returned.append(values))
    with contextlib.suppress(amqp.exceptions.ChannelError):
        channel.basic_publish(amqp.Message(b"back"), "amq.direct", name, mandatory=True)
    drain(connection, returned, 1)
    *_, exchange, routing_key, message = returned[0] if len(returned[0]) > 1 else returned[0][0].args
    assert (exchange, routing_key, message.body) == ("amq.direct", name, b"back")


def test_a_refused_publish_raises(connection: amqp.Connection, name: str) -> None:
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    with pytest.raises(amqp.exceptions.MessageNacked):
        channel.basic_publish(amqp.Message(b"x"), "", name)


def test_a_transaction(endpoint: Endpoint, name: str) -> None:
    connection = connected(endpoint, confirm_publish=False)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True, auto_delete=False)
    channel.tx_select()
    channel.basic_publish(amqp.Message(b"kept"), "", name)
    channel.tx_commit()
    channel.basic_publish(amqp.Message(b"undone"), "", name)
    channel.tx_rollback()
    assert channel.queue_declare(name, passive=True).message_count == 1
    connection.close()


def test_exchanges_are_bound_to_exchanges(connection: amqp.Connection, name: str) -> None:
    channel = connection.channel()
    for exchange in (f"{name}.1", f"{name}.2"):
        channel.exchange_declare(exchange, "topic", auto_delete=True)
    channel.exchange_bind(f"{name}.2", f"{name}.1", "a.#")
    channel.queue_declare(name, exclusive=True)
    channel.queue_bind(name, f"{name}.2", "*.b")
    for key in ("a.b", "a.c", "c.b"):
        channel.basic_publish(amqp.Message(key.encode()), f"{name}.1", key)
    assert channel.queue_purge(name) == 1
    channel.exchange_unbind(f"{name}.2", f"{name}.1", "a.#")
    channel.queue_unbind(name, f"{name}.2", "*.b")


def test_a_deleted_queue_cancels_its_consumer(endpoint: Endpoint, connection: amqp.Connection, name: str) -> None:
    channel = connection.channel()
    channel.queue_declare(name, auto_delete=False)
    cancelled: list[str] = []
    tag = channel.basic_consume(name, callback=lambda _message: None, on_cancel=cancelled.append)
    other = connected(endpoint)
    other.channel().queue_delete(name)
    drain(connection, cancelled, 1)
    assert cancelled == [tag]
    other.close()


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda channel, name: channel.queue_declare(name, passive=True), amqp.exceptions.NotFound),
        (lambda channel, name: channel.queue_declare(f"amq.{name}"), amqp.exceptions.AccessRefused),
        (lambda channel, name: channel.exchange_declare("amq.topic", "direct"), amqp.exceptions.PreconditionFailed),
        (
            lambda channel, name: channel.queue_declare(name, arguments={"x-message-ttl": "soon"}),
            amqp.exceptions.PreconditionFailed,
        ),
    ],
    ids=["not found", "access refused", "precondition failed", "wrong argument"],
)
def test_mistakes_are_exceptions_of_the_channel(
    connection: amqp.Connection, name: str, mistake: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        mistake(connection.channel(), name)
    assert connection.channel().queue_declare("", exclusive=True).queue


def test_heartbeats_are_sent_and_counted(endpoint: Endpoint) -> None:
    connection = connected(endpoint, heartbeat=1)
    assert connection.heartbeat == 1
    received, give_up = connection.bytes_recv, time.monotonic() + ANSWER_LIMIT_S
    while connection.bytes_recv < received + 2:  # nothing but heartbeats comes
        assert time.monotonic() < give_up
        connection.heartbeat_tick()
        with contextlib.suppress(TimeoutError):
            connection.drain_events(timeout=0.3)
    assert connection.channel().queue_declare("", exclusive=True).queue
    connection.close()


def test_a_large_body_arrives_whole(endpoint: Endpoint, name: str) -> None:
    connection = connected(endpoint, frame_max=8192)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    body = bytes(range(256)) * 4000
    channel.basic_publish(amqp.Message(body), "", name)
    assert channel.basic_get(name, no_ack=True).body == body
    connection.close()


def test_a_channel_that_deletes_a_queue_hears_of_its_own_consumer_afterwards(
    connection: amqp.Connection, name: str
) -> None:
    """Otherwise py-amqp would raise from the delete when the consumer has nobody to tell."""
    channel = connection.channel()
    channel.queue_declare(name, auto_delete=False)
    cancelled: list[str] = []
    tag = channel.basic_consume(name, callback=lambda _message: None, on_cancel=cancelled.append)
    assert channel.queue_delete(name) == 0
    assert cancelled == []
    drain(connection, cancelled, 1)
    assert cancelled == [tag]
