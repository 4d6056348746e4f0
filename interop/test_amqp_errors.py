"""What pika makes of the broker's refusals; all mistakes and the exact answers are in test_amqp_error_table.py."""

from collections.abc import Iterator

import pika
import pika.exceptions
import pytest

from interop.broker import Endpoint
from interop.clients.pika_client import connect as connect_pika
from interop.clients.pika_client import parameters


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[pika.BlockingConnection]:
    connection = connect_pika(endpoint)
    yield connection
    if connection.is_open:
        connection.close()


def test_a_mistake_closes_the_channel_and_leaves_the_others(connection: pika.BlockingConnection, name: str) -> None:
    other = connection.channel()
    other.queue_declare(name, exclusive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        connection.channel().basic_consume(f"{name}.missing", lambda *_: None)
    assert failure.value.reply_code == 404
    assert f"no queue '{name}.missing'" in failure.value.reply_text
    assert other.queue_declare(name, passive=True).method.queue == name
    assert connection.channel().is_open


def test_an_unconfirmed_publish_to_a_missing_exchange_is_heard_of_later(
    connection: pika.BlockingConnection, name: str
) -> None:
    channel = connection.channel()
    channel.basic_publish(name, "key", b"x")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.queue_declare("", exclusive=True)
    assert failure.value.reply_code == 404


def test_an_exclusive_queue_goes_with_its_connection(
    endpoint: Endpoint, connection: pika.BlockingConnection, name: str
) -> None:
    owner = connect_pika(endpoint)
    owner.channel().queue_declare(name, exclusive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        connection.channel().queue_declare(name, passive=True)
    assert failure.value.reply_code == 405
    owner.close()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        connection.channel().queue_declare(name, passive=True)
    assert failure.value.reply_code == 404


def test_an_unknown_exchange_type_closes_the_connection(connection: pika.BlockingConnection, name: str) -> None:
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as failure:
        connection.channel().exchange_declare(name, "x-no-such-type")
    assert failure.value.reply_code == 503


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
