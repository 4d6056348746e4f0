"""AMQP 0-9-1 as pika sees it: publishing, fetching and settling."""

from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import Endpoint
from interop.clients import AioPikaDriver, Connect, Queue
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.pika_client import connect as connect_pika

PERSISTENT = pika.BasicProperties(delivery_mode=2)


def deliveries(channel: BlockingChannel, queue: str, count: int, *, prefetch: int = 0) -> list[tuple[Any, bytes]]:
    """Consume with manual acknowledgement until `count` messages are here; the consumer stays."""
    arrived: list[tuple[Any, bytes]] = []
    channel.basic_qos(prefetch_count=prefetch)
    channel.basic_consume(queue, lambda _channel, method, _properties, body: arrived.append((method, body)))
    wait_for(channel, arrived, count)
    return arrived


def wait_for(channel: BlockingChannel, arrived: list[tuple[Any, bytes]], count: int) -> None:
    while len(arrived) < count:
        before = len(arrived)
        channel.connection.process_data_events(ANSWER_LIMIT_S)
        assert len(arrived) > before, f"only {before} of {count} deliveries"


def barrier(channel: BlockingChannel, queue: str) -> int:
    """Have every earlier frame of the broker read; return how many messages are ready."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def test_a_queue_without_a_name_gets_one(channel: BlockingChannel) -> None:
    first, second = (str(channel.queue_declare("", exclusive=True).method.queue) for _ in range(2))
    assert first.startswith("amq.gen-")
    assert first != second


def test_declare_counts_messages_and_consumers(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    for _ in range(3):
        channel.basic_publish("", name, b"x")
    deliveries(channel, name, 1, prefetch=1)
    answer = channel.queue_declare(name, passive=True)
    assert (answer.method.message_count, answer.method.consumer_count) == (2, 1)


def test_purge_and_delete_count_messages(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name)
    for _ in range(3):
        channel.basic_publish("", name, b"x")
    assert channel.queue_purge(name).method.message_count == 3
    channel.basic_publish("", name, b"x")
    assert channel.queue_delete(name).method.message_count == 1


@pytest.mark.parametrize("properties", [None, PERSISTENT], ids=["transient", "persistent"])
def test_every_publish_is_confirmed(channel: BlockingChannel, name: str, properties: pika.BasicProperties) -> None:
    channel.queue_declare(name, durable=True)
    for number in range(50):
        channel.basic_publish("", name, b"%d" % number, properties)
    assert channel.queue_delete(name).method.message_count == 50


def test_publishing_without_confirms_keeps_the_order(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name)
    bodies = [b"%d" % number for number in range(500)]
    unconfirmed = channel.connection.channel()
    for body in bodies:
        unconfirmed.basic_publish("", name, body)
    assert [body for _, body in deliveries(channel, name, 500)] == bodies
    channel.queue_delete(name)


def test_a_publish_to_nowhere_is_confirmed_unless_mandatory(channel: BlockingChannel, name: str) -> None:
    channel.basic_publish("", name, b"x")
    with pytest.raises(pika.exceptions.UnroutableError) as failure:
        channel.basic_publish("amq.topic", name, b"back", mandatory=True)
    (returned,) = failure.value.messages
    assert (returned.body, returned.method.reply_code) == (b"back", 312)
    assert (returned.method.exchange, returned.method.routing_key) == ("amq.topic", name)


@pytest.mark.parametrize("kind", ["direct", "fanout", "topic", "headers"])
def test_each_exchange_type_routes_as_its_name_says(channel: BlockingChannel, name: str, kind: str) -> None:
    channel.exchange_declare(name, kind, auto_delete=True)
    channel.queue_declare(name, exclusive=True)
    channel.queue_bind(name, name, "a.*", {"x-match": "all", "color": "red"})
    red = pika.BasicProperties(headers={"color": "red", "size": 1})
    for key in ("a.*", "a.b", "c"):
        channel.basic_publish(name, key, key.encode(), pika.BasicProperties())
    channel.basic_publish(name, "c", b"red", red)
    expected = {
        "direct": [b"a.*"],
        "fanout": [b"a.*", b"a.b", b"c", b"red"],
        "topic": [b"a.*", b"a.b"],
        "headers": [b"red"],
    }
    assert [body for _, body in deliveries(channel, name, len(expected[kind]))] == expected[kind]
    assert barrier(channel, name) == 0


def test_an_exchange_bound_to_an_exchange_passes_messages_on(channel: BlockingChannel, name: str) -> None:
    channel.exchange_declare(name, "fanout", auto_delete=True)
    channel.exchange_bind(name, "amq.topic", f"{name}.#")
    channel.queue_declare(name, exclusive=True)
    channel.queue_bind(name, name)
    channel.basic_publish("amq.topic", f"{name}.a", b"x")
    (method, body), *rest = deliveries(channel, name, 1)
    assert (method.exchange, method.routing_key, body, rest) == ("amq.topic", f"{name}.a", b"x", [])


def test_get_takes_one_message_and_says_how_many_are_left(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    assert channel.basic_get(name) == (None, None, None)
    channel.basic_publish("", name, b"1")
    channel.basic_publish("", name, b"2")
    method, _, body = channel.basic_get(name, auto_ack=True)
    assert (body, method.message_count, method.redelivered) == (b"1", 1, False)


def test_an_acknowledged_message_does_not_come_back(endpoint: Endpoint, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name)
    channel.basic_publish("", name, b"1")
    channel.basic_publish("", name, b"2")
    first, _ = deliveries(channel, name, 2)
    channel.basic_ack(first[0].delivery_tag)
    channel.connection.close()
    again = connect_pika(endpoint)
    method, _, body = again.channel().basic_get(name, auto_ack=True)
    assert (body, method.redelivered, method.message_count) == (b"2", True, 0)
    again.channel().queue_delete(name)
    again.close()


def test_one_acknowledgement_can_settle_all_before_it(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    for number in range(10):
        channel.basic_publish("", name, b"%d" % number)
    arrived = deliveries(channel, name, 4, prefetch=4)
    channel.basic_ack(arrived[3][0].delivery_tag, multiple=True)
    wait_for(channel, arrived, 8)
    assert [body for _, body in arrived] == [b"%d" % number for number in range(8)]


@pytest.mark.parametrize("way", ["nack", "reject"])
def test_a_requeued_message_comes_back_redelivered(channel: BlockingChannel, name: str, way: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"again")
    arrived = deliveries(channel, name, 1)
    settle = channel.basic_nack if way == "nack" else channel.basic_reject
    settle(arrived[0][0].delivery_tag, requeue=True)
    wait_for(channel, arrived, 2)
    assert [(method.redelivered, body) for method, body in arrived] == [(False, b"again"), (True, b"again")]


@pytest.mark.parametrize("way", ["nack", "reject"])
def test_a_discarded_message_is_gone(channel: BlockingChannel, name: str, way: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"gone")
    channel.basic_publish("", name, b"next")
    method, _, _ = channel.basic_get(name)
    settle = channel.basic_nack if way == "nack" else channel.basic_reject
    settle(method.delivery_tag, requeue=False)
    _, _, body = channel.basic_get(name, auto_ack=True)
    assert body == b"next"
    assert barrier(channel, name) == 0


def test_recover_gives_everything_unacknowledged_again(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"1")
    channel.basic_publish("", name, b"2")
    arrived = deliveries(channel, name, 2)
    channel.basic_recover(requeue=True)
    wait_for(channel, arrived, 4)
    assert [(method.redelivered, body) for method, body in arrived[2:]] == [(True, b"1"), (True, b"2")]


def test_a_consumer_has_no_more_unacknowledged_messages_than_its_prefetch(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    for number in range(9):
        channel.basic_publish("", name, b"%d" % number)
    arrived = deliveries(channel, name, 3, prefetch=3)
    assert barrier(channel, name) == 6
    assert len(arrived) == 3
    channel.basic_ack(arrived[0][0].delivery_tag)
    wait_for(channel, arrived, 4)
    assert barrier(channel, name) == 5


def test_a_cancelled_consumer_gets_nothing_more(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    arrived: list[bytes] = []
    tag = channel.basic_consume(name, lambda _channel, _method, _properties, body: arrived.append(body))
    channel.basic_cancel(tag)
    channel.basic_publish("", name, b"kept")
    assert barrier(channel, name) == 1
    assert arrived == []


def test_consumers_of_a_queue_take_turns(connect: Connect, channel: BlockingChannel, name: str) -> None:
    first, second = connect(AioPikaDriver), connect(AioPikaDriver)
    first.subscribe(Queue(name))
    second.subscribe(Queue(name))
    for number in range(10):
        channel.basic_publish("", name, b"%d" % number)
    halves = [[client.receive().body for _ in range(5)] for client in (first, second)]
    assert sorted(halves[0] + halves[1]) == [b"%d" % number for number in range(10)]


def test_deleting_a_queue_cancels_its_consumers(endpoint: Endpoint, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name)
    other = connect_pika(endpoint)
    cancelled: list[str] = []
    listener = other.channel()
    listener.add_on_cancel_callback(lambda method: cancelled.append(method.method.consumer_tag))
    tag = listener.basic_consume(name, lambda *_: None)
    channel.queue_delete(name)
    other.process_data_events(ANSWER_LIMIT_S)
    assert cancelled == [tag]
    other.close()
