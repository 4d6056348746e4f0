"""AMQP's reply codes as pika sees them: which mistake closes the channel, which the connection, with which code."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import Endpoint
from interop.clients.pika_client import connect as connect_pika
from interop.clients.pika_client import parameters

Mistake = Callable[[BlockingChannel, str], Any]


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[pika.BlockingConnection]:
    connection = connect_pika(endpoint)
    yield connection
    if connection.is_open:
        connection.close()


def redeclared(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.queue_declare(name, exclusive=True, auto_delete=True)


def acknowledged_twice(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"x")
    method, _, _ = channel.basic_get(name)
    channel.basic_ack(method.delivery_tag)
    channel.basic_ack(method.delivery_tag)
    channel.queue_declare(name, passive=True)


def published_to_nowhere(channel: BlockingChannel, name: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish(name, "key", b"x")


def published_with_an_unknown_mode(channel: BlockingChannel, name: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish("", name, b"x", pika.BasicProperties(delivery_mode=3))


def consumed_beside_an_exclusive_consumer(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_consume(name, lambda *_: None, exclusive=True)
    channel.basic_consume(name, lambda *_: None)


def deleted_while_not_empty(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"x")
    channel.queue_delete(name, if_empty=True)


def redeclared_exchange(channel: BlockingChannel, name: str) -> None:
    channel.exchange_declare(name, "topic", auto_delete=True)
    channel.exchange_declare(name, "direct", auto_delete=True)


# What the client does, the code, and what the text must name.
CHANNEL_MISTAKES: Final[dict[str, tuple[Mistake, int, str]]] = {
    "passive declare of a missing queue": (
        lambda channel, name: channel.queue_declare(name, passive=True),
        404,
        "no queue '{0}'",
    ),
    "passive declare of a missing exchange": (
        lambda channel, name: channel.exchange_declare(name, passive=True),
        404,
        "no exchange '{0}'",
    ),
    "publish to a missing exchange": (published_to_nowhere, 404, "no exchange '{0}'"),
    "consume from a missing queue": (
        lambda channel, name: channel.basic_consume(name, lambda *_: None),
        404,
        "no queue '{0}'",
    ),
    "bind to a missing exchange": (
        lambda channel, name: (channel.queue_declare(name, exclusive=True), channel.queue_bind(name, name, "x")),
        404,
        "no exchange '{0}'",
    ),
    "redeclare with another property": (redeclared, 406, "auto_delete"),
    "redeclare an exchange with another type": (redeclared_exchange, 406, "type"),
    "acknowledge twice": (acknowledged_twice, 406, "unknown delivery tag 1"),
    "delete a queue that is not empty": (deleted_while_not_empty, 406, "{0}"),
    "publish with an unknown delivery mode": (published_with_an_unknown_mode, 406, "delivery_mode_unknown,3"),
    "declare a reserved name": (lambda channel, name: channel.queue_declare(f"amq.{name}"), 403, "amq.{0}"),
    "bind on the default exchange": (
        lambda channel, name: (channel.queue_declare(name, exclusive=True), channel.queue_bind(name, "", "x")),
        403,
        "default exchange",
    ),
    "delete a predeclared exchange": (lambda channel, _name: channel.exchange_delete("amq.topic"), 403, "amq.topic"),
    "consume beside an exclusive consumer": (consumed_beside_an_exclusive_consumer, 403, "{0}"),
}


@pytest.mark.parametrize(
    ("mistake", "code", "text"), CHANNEL_MISTAKES.values(), ids=[key.replace(" ", "-") for key in CHANNEL_MISTAKES]
)
def test_a_mistake_closes_the_channel_and_leaves_the_connection(
    connection: pika.BlockingConnection, name: str, mistake: Mistake, code: int, text: str
) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        mistake(connection.channel(), name)
    assert failure.value.reply_code == code
    assert text.format(name) in failure.value.reply_text
    again = connection.channel()
    assert again.queue_declare("", exclusive=True).method.queue


def test_an_exclusive_queue_is_locked_for_other_connections(
    endpoint: Endpoint, connection: pika.BlockingConnection, name: str
) -> None:
    connection.channel().queue_declare(name, exclusive=True)
    other = connect_pika(endpoint)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        other.channel().queue_declare(name, passive=True)
    assert failure.value.reply_code == 405
    other.close()


def test_an_exclusive_queue_goes_with_its_connection(
    endpoint: Endpoint, connection: pika.BlockingConnection, name: str
) -> None:
    owner = connect_pika(endpoint)
    owner.channel().queue_declare(name, exclusive=True)
    owner.close()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        connection.channel().queue_declare(name, passive=True)
    assert failure.value.reply_code == 404


def test_a_consumer_tag_used_twice_closes_the_connection(connection: pika.BlockingConnection, name: str) -> None:
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    channel.basic_consume(name, lambda *_: None, consumer_tag="once")
    # pika refuses a tag that it knows, so the second consume is sent past its books.
    channel._impl._send_method(pika.spec.Basic.Consume(queue=name, consumer_tag="once"))
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as failure:
        channel.queue_declare(name, passive=True)
    assert failure.value.reply_code == 530


def test_an_unknown_exchange_type_closes_the_connection(connection: pika.BlockingConnection, name: str) -> None:
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as failure:
        connection.channel().exchange_declare(name, "x-no-such-type")
    assert (failure.value.reply_code, failure.value.reply_text) == (
        503, "COMMAND_INVALID - unknown exchange type 'x-no-such-type'",
    )  # fmt: skip


def test_a_wrong_password_is_refused_at_login(endpoint: Endpoint) -> None:
    wrong = parameters(endpoint)
    wrong.credentials = pika.PlainCredentials(endpoint.user, "not the password")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as failure:
        pika.BlockingConnection(wrong)
    assert "403" in str(failure.value)


def test_an_unknown_virtual_host_is_refused(endpoint: Endpoint, name: str) -> None:
    elsewhere = parameters(endpoint)
    elsewhere.virtual_host = name
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as failure:
        pika.BlockingConnection(elsewhere)
    assert "530" in str(failure.value)


def test_heartbeats_are_agreed_on(endpoint: Endpoint) -> None:
    wanted = parameters(endpoint)
    wanted.heartbeat = 7
    connection = pika.BlockingConnection(wanted)
    assert connection._impl.params.heartbeat == 7
    assert connection.channel().is_open
    connection.close()
