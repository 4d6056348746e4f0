"""The arguments of queues and consumers as pika sees them: times, lengths, priorities, single active consumer."""

import time
from typing import Any, Final

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.pika_client import connect as connect_pika
from interop.clients.pika_inbox import PikaInbox, drained, ready

POLL_S: Final = 0.02


def wait_until_ready(channel: BlockingChannel, queue: str, count: int) -> None:
    """Return when so many messages are ready: a time must run out, and nothing tells when."""
    give_up = time.monotonic() + ANSWER_LIMIT_S
    while ready(channel, queue) != count:
        assert time.monotonic() < give_up, f"{ready(channel, queue)} messages instead of {count}"
        channel.connection.sleep(POLL_S)


def publish(channel: BlockingChannel, queue: str, *bodies: bytes, **properties: Any) -> None:
    for body in bodies:
        channel.basic_publish("", queue, body, pika.BasicProperties(**properties))


def test_a_durable_queue_stays_and_an_auto_delete_queue_goes_with_its_last_consumer(
    channel: BlockingChannel, name: str
) -> None:
    channel.queue_declare(name, durable=True)
    channel.queue_declare(f"{name}.auto", auto_delete=True)
    for queue in (name, f"{name}.auto"):
        channel.basic_cancel(channel.basic_consume(queue, lambda *_: None))
    assert ready(channel, name) == 0
    channel.queue_delete(name)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.queue_declare(f"{name}.auto", passive=True)
    assert failure.value.reply_code == 404


def test_messages_of_a_queue_with_a_time_to_live_expire(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-message-ttl": 30})
    publish(channel, name, b"1", b"2")
    wait_until_ready(channel, name, 0)
    assert channel.basic_get(name) == (None, None, None)


def test_a_message_expires_by_the_shorter_of_its_own_time_and_its_queues(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-message-ttl": 60_000})
    publish(channel, name, b"short", expiration="30")
    wait_until_ready(channel, name, 0)
    publish(channel, name, b"long", expiration="60000")
    (_, properties, body) = channel.basic_get(name, auto_ack=True)
    assert (body, properties.expiration) == (b"long", "60000")


def test_time_to_live_zero_delivers_at_once_or_never(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-message-ttl": 0})
    publish(channel, name, b"nobody waits")
    assert ready(channel, name) == 0
    inbox = PikaInbox(channel, name, auto_ack=True)
    publish(channel, name, b"somebody waits")
    inbox.wait(1)
    assert inbox.bodies == [b"somebody waits"]


@pytest.mark.parametrize("expiration", ["-1", "soon", "1.5"])
def test_an_expiration_that_is_no_number_closes_the_channel(
    channel: BlockingChannel, name: str, expiration: str
) -> None:
    channel.queue_declare(name, exclusive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        publish(channel, name, b"x", expiration=expiration)
    assert failure.value.reply_code == 406
    assert "invalid expiration" in failure.value.reply_text


def test_a_queue_that_nobody_uses_expires(endpoint: Endpoint, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, arguments={"x-expires": 60})
    other = connect_pika(endpoint).channel()
    channel.queue_bind(name, "amq.fanout")
    give_up = time.monotonic() + ANSWER_LIMIT_S
    probe = f"{name}.probe"
    channel.queue_declare(probe, exclusive=True)
    while True:  # a declare would start the queue's time again, an unroutable message does not
        try:
            channel.basic_publish("", name, b"x", mandatory=True)
        except pika.exceptions.UnroutableError:
            break
        assert time.monotonic() < give_up
        channel.connection.sleep(POLL_S)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        other.queue_declare(name, passive=True)
    assert failure.value.reply_code == 404
    other.connection.close()


def test_a_full_queue_drops_its_oldest_messages(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-max-length": 3})
    publish(channel, name, b"1", b"2", b"3", b"4", b"5")
    assert drained(channel, name) == [b"3", b"4", b"5"]


def test_a_queue_limited_by_bytes_counts_bodies(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-max-length-bytes": 10})
    publish(channel, name, b"aaaa", b"bbbb", b"cccc")
    assert drained(channel, name) == [b"bbbb", b"cccc"]


@pytest.mark.parametrize("overflow", ["reject-publish", "reject-publish-dlx"])
def test_a_full_queue_that_rejects_publishing_nacks(channel: BlockingChannel, name: str, overflow: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-max-length": 1, "x-overflow": overflow})
    publish(channel, name, b"first")
    with pytest.raises(pika.exceptions.NackError):
        publish(channel, name, b"second")
    assert drained(channel, name) == [b"first"]
    publish(channel, name, b"third")
    assert drained(channel, name) == [b"third"]


def test_a_priority_queue_gives_high_priorities_first_and_keeps_order_within_one(
    channel: BlockingChannel, name: str
) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-max-priority": 5})
    sent = ((b"a", 1), (b"b", 5), (b"c", None), (b"d", 9), (b"e", 1), (b"f", 0))
    for body, priority in sent:
        publish(channel, name, body, priority=priority)
    assert drained(channel, name) == [b"b", b"d", b"a", b"e", b"c", b"f"]


def test_a_requeued_message_goes_back_to_its_place(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    publish(channel, name, b"1", b"2", b"3")
    first, second = (channel.basic_get(name)[0].delivery_tag for _ in range(2))
    channel.basic_nack(second, requeue=True)
    channel.basic_nack(first, requeue=True)
    assert drained(channel, name) == [b"1", b"2", b"3"]


def test_a_consumer_of_higher_priority_gets_messages_while_it_can_take_them(
    channel: BlockingChannel, name: str
) -> None:
    channel.queue_declare(name, exclusive=True)
    channel.basic_qos(prefetch_count=2)
    low = PikaInbox(channel, name, arguments={"x-priority": -1})
    high = PikaInbox(channel, name, arguments={"x-priority": 10})
    publish(channel, name, b"1", b"2", b"3", b"4", b"5")
    high.wait(2)
    low.wait(2)
    assert (high.bodies, low.bodies, ready(channel, name)) == ([b"1", b"2"], [b"3", b"4"], 1)
    channel.basic_ack(high.arrived[0].method.delivery_tag)
    assert [delivery.body for delivery in high.wait(3)] == [b"1", b"2", b"5"]


def test_consumers_with_selectors_get_what_they_select(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    publish(channel, name, b"large", headers={"size": 10})
    publish(channel, name, b"small", headers={"size": 1})
    publish(channel, name, b"unsized", type="none")
    large = PikaInbox(channel, name, arguments={"x-selector": "size >= 5"})
    unsized = PikaInbox(channel, name, arguments={"x-selector": "size IS NULL AND JMSType LIKE 'n_ne'"})
    publish(channel, name, b"larger", headers={"size": 11})
    large.wait(2)
    unsized.wait(1)
    assert (large.bodies, unsized.bodies, ready(channel, name)) == ([b"large", b"larger"], [b"unsized"], 1)


def test_a_selector_that_is_none_is_refused_with_its_column(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        PikaInbox(channel, name, arguments={"x-selector": "size >= "})
    assert failure.value.reply_code == 406
    assert "column 8: it ends too early" in failure.value.reply_text


def test_a_single_active_consumer_is_followed_by_the_next(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-single-active-consumer": True})
    first = PikaInbox(channel, name, auto_ack=True)
    second = PikaInbox(channel, name, auto_ack=True)
    publish(channel, name, b"1", b"2", b"3")
    first.wait(3)
    assert (first.bodies, second.bodies) == ([b"1", b"2", b"3"], [])
    channel.basic_cancel(first.tag)
    publish(channel, name, b"4")
    assert [delivery.body for delivery in second.wait(1)] == [b"4"]


def test_a_quorum_queue_counts_deliveries(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    publish(channel, name, b"again", delivery_mode=2)
    inbox = PikaInbox(channel, name)
    for attempt in range(1, 4):
        delivery = inbox.wait(attempt)[-1]
        assert delivery.headers.get("x-delivery-count", 0) == attempt - 1
        assert delivery.method.redelivered == (attempt > 1)
        if attempt < 3:
            channel.basic_nack(delivery.method.delivery_tag, requeue=True)
    channel.queue_delete(name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-message-ttl": -1},
        {"x-message-ttl": "soon"},
        {"x-expires": 0},
        {"x-max-length": -5},
        {"x-overflow": "drop-tail"},
        {"x-max-priority": 256},
        {"x-queue-type": "heap"},
        {"x-dead-letter-routing-key": "key"},
        {"x-single-active-consumer": "yes"},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_a_wrong_argument_is_refused_and_named(channel: BlockingChannel, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.queue_declare(name, durable=True, arguments=arguments)
    assert failure.value.reply_code == 406
    assert next(iter(arguments)) in failure.value.reply_text or "queue-type" in failure.value.reply_text


def test_declaring_again_with_other_arguments_is_refused(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-max-length": 3, "x-custom": "kept"})
    channel.queue_declare(name, exclusive=True, arguments={"x-max-length": 3, "x-custom": "other"})
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.queue_declare(name, exclusive=True, arguments={"x-max-length": 4})
    assert failure.value.reply_code == 406
    assert "x-max-length" in failure.value.reply_text
