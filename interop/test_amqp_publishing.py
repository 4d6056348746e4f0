"""Publishing as pika sees it: transactions, returns, large bodies, every type of a header, replies, user ids."""

import datetime
import decimal
from typing import Any, Final

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.pika_client import connect as connect_pika
from interop.clients.pika_client import parameters, stated
from interop.clients.pika_inbox import Delivery, PikaInbox, drained, ready

REPLIES: Final = "amq.rabbitmq.reply-to"
MOMENT: Final = datetime.datetime(2020, 2, 29, 12, 30, 15, tzinfo=datetime.UTC)
# Every type that pika can write into a table.
EVERY_TYPE: Final[dict[str, Any]] = {
    "boolean": True,
    "int": -5,
    "negative long": -(2**40),
    "long": 2**62,
    "text": "naïve ☃",
    "empty": "",
    "bytes": b"\x00\xff\x01",
    "void": None,
    "decimal": decimal.Decimal("3.14"),
    "moment": MOMENT,
    "array": [1, "two", [False, None], {"deep": {"deeper": [b"\x00"]}}],
    "table": {"a": {"b": {"c": "d"}}, "": "a key without letters"},
}


def test_a_transaction_is_seen_by_others_at_its_commit(endpoint: Endpoint, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name)
    other = connect_pika(endpoint)
    trading = other.channel()
    trading.tx_select()
    trading.basic_publish("", name, b"1")
    trading.basic_publish("", name, b"2")
    trading.queue_declare(name, passive=True)
    assert ready(channel, name) == 0
    trading.tx_commit()
    assert ready(channel, name) == 2
    method, _, _ = trading.basic_get(name)
    trading.basic_ack(method.delivery_tag)
    trading.basic_publish("", name, b"3")
    trading.tx_rollback()
    trading.basic_ack(method.delivery_tag)
    trading.tx_commit()
    other.close()
    assert drained(channel, name) == [b"2"]
    channel.queue_delete(name)


def test_confirms_and_transactions_exclude_each_other(channel: BlockingChannel) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.tx_select()
    assert failure.value.reply_code == 406


def test_a_mandatory_message_of_a_transaction_returns_at_the_commit(endpoint: Endpoint, name: str) -> None:
    connection = connect_pika(endpoint)
    channel = connection.channel()
    returned: list[bytes] = []
    channel.add_on_return_callback(lambda _channel, _method, _properties, body: returned.append(body))
    channel.tx_select()
    channel.basic_publish("", name, b"nobody", mandatory=True)
    channel.tx_commit()
    connection.process_data_events(0)
    assert returned == [b"nobody"]
    connection.close()


@pytest.mark.parametrize("size", [131_063, 131_064, 131_065, 262_144, 3_000_001])
def test_a_body_over_frame_max_arrives_whole(channel: BlockingChannel, name: str, size: int) -> None:
    channel.queue_declare(name, exclusive=True)
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    inbox = PikaInbox(channel, name, auto_ack=True)
    channel.basic_publish("", name, body)
    (delivery,) = inbox.wait(1)
    assert delivery.body == body


def test_a_small_frame_max_is_kept_by_both_sides(endpoint: Endpoint, name: str) -> None:
    small = parameters(endpoint)
    small.frame_max = 4096
    connection = pika.BlockingConnection(small)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(name, exclusive=True)
    headers = {f"key {number}": "x" * 100 for number in range(20)}
    body = bytes(range(256)) * 80
    channel.basic_publish("", name, body, pika.BasicProperties(headers=headers))
    (delivery,) = PikaInbox(channel, name, auto_ack=True).wait(1)
    assert (delivery.body, delivery.headers) == (body, headers)
    connection.close()


def test_headers_of_every_type_arrive_as_they_were_sent(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"", pika.BasicProperties(headers=EVERY_TYPE))
    (delivery,) = PikaInbox(channel, name, auto_ack=True).wait(1)
    assert dict(delivery.headers) == EVERY_TYPE
    assert delivery.body == b""


def test_every_property_arrives_as_it_was_sent(endpoint: Endpoint, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    said: dict[str, Any] = {
        "content_type": "application/json",
        "content_encoding": "gzip",
        "delivery_mode": 2,
        "priority": 7,
        "correlation_id": "c",
        "reply_to": "somewhere",
        "expiration": "60000",
        "message_id": "m",
        "timestamp": 1_600_000_000,
        "type": "t",
        "user_id": endpoint.user,
        "app_id": "a",
    }
    channel.basic_publish("", name, b"x", pika.BasicProperties(**said))
    (delivery,) = PikaInbox(channel, name, auto_ack=True).wait(1)
    assert stated(delivery.properties) == said


def test_a_user_id_of_somebody_else_is_refused(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.basic_publish("", name, b"x", pika.BasicProperties(user_id="somebody"))
    assert failure.value.reply_code == 406
    assert "user_id" in failure.value.reply_text


def test_a_request_is_answered_directly(endpoint: Endpoint, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    replies = PikaInbox(channel, REPLIES, auto_ack=True)
    channel.basic_publish("", name, b"question", pika.BasicProperties(reply_to=REPLIES, correlation_id="7"))
    answering = connect_pika(endpoint)
    (question,) = PikaInbox(channel, name, auto_ack=True).wait(1)
    address = question.properties.reply_to
    assert address.startswith(f"{REPLIES}.")
    there = answering.channel()
    there.confirm_delivery()
    assert there.queue_declare(address, passive=True).method.consumer_count == 1
    there.basic_publish("", address, b"answer", pika.BasicProperties(correlation_id="7"))
    (answer,) = replies.wait(1)
    assert (answer.body, answer.properties.correlation_id, answer.method.exchange) == (b"answer", "7", "")
    channel.connection.close()
    there.basic_publish("", address, b"too late")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        there.queue_declare(address, passive=True)
    assert failure.value.reply_code == 404
    answering.close()


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (lambda channel: channel.basic_consume(REPLIES, lambda *_: None), "reply consumer cannot acknowledge"),
        (
            lambda channel: [channel.basic_consume(REPLIES, lambda *_: None, auto_ack=True) for _ in range(2)],
            "reply consumer already set",
        ),
        (
            lambda channel: channel.basic_publish("", "x", b"x", pika.BasicProperties(reply_to=REPLIES)),
            "fast reply consumer does not exist",
        ),
    ],
    ids=["manual acknowledgement", "two consumers", "no consumer"],
)
def test_a_mistake_with_direct_replies_closes_the_channel(channel: BlockingChannel, mistake: Any, text: str) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        mistake(channel)
    assert failure.value.reply_code == 406
    assert text in failure.value.reply_text


def test_a_shared_prefetch_bounds_the_whole_channel(channel: BlockingChannel, name: str) -> None:
    queues = [f"{name}.{number}" for number in range(2)]
    channel.basic_qos(prefetch_count=3, global_qos=True)
    for queue in queues:
        channel.queue_declare(queue, exclusive=True)
        for _ in range(4):
            channel.basic_publish("", queue, b"x")
    inboxes = [PikaInbox(channel, queue) for queue in queues]
    inboxes[0].wait(3)
    assert sum(ready(channel, queue) for queue in queues) == 5
    channel.basic_ack(0, multiple=True)
    arrived = 3
    while arrived < 6:
        channel.connection.process_data_events(ANSWER_LIMIT_S)
        now = sum(len(inbox.arrived) for inbox in inboxes)
        assert now > arrived, f"only {arrived} of 6 deliveries"
        arrived = now
    assert sum(ready(channel, queue) for queue in queues) == 2


def test_a_generator_consumes_and_its_cancel_requeues_the_rest(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    for number in range(10):
        channel.basic_publish("", name, b"%d" % number)
    seen: list[Delivery] = []
    for method, properties, body in channel.consume(name, inactivity_timeout=ANSWER_LIMIT_S):
        assert method is not None
        seen.append(Delivery(method, properties, body))
        channel.basic_ack(method.delivery_tag)
        if len(seen) == 4:
            break
    channel.cancel()
    assert drained(channel, name) == [b"%d" % number for number in range(4, 10)]
