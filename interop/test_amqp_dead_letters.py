"""Dead letters as pika sees them: the four reasons, what `x-death` says, keys, cycles."""

from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.clients.pika_inbox import Delivery, PikaInbox, drained, ready


def declare(channel: BlockingChannel, name: str, **more: Any) -> str:
    """Declare a queue whose dead letters go to the queue `NAME.dead`, and return that name."""
    dead = f"{name}.dead"
    channel.queue_declare(dead, exclusive=True)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, **more}
    quorum = arguments.get("x-queue-type") == "quorum"
    channel.queue_declare(name, durable=quorum, exclusive=not quorum, arguments=arguments)
    return dead


def publish(channel: BlockingChannel, key: str, body: bytes = b"x", exchange: str = "", **properties: Any) -> None:
    channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties))


def death(delivery: Delivery, place: int = 0) -> dict[str, Any]:
    """Return one entry of `x-death` without its time."""
    entry = dict(delivery.headers["x-death"][place])
    assert entry.pop("time").year >= 2000
    return entry


@pytest.mark.parametrize("way", ["nack", "reject"])
def test_a_rejected_message_is_dead(channel: BlockingChannel, name: str, way: str) -> None:
    dead = declare(channel, name)
    publish(channel, name, b"no", headers={"mine": 1}, message_id="m", content_type="text/plain")
    tag = channel.basic_get(name)[0].delivery_tag
    if way == "nack":
        channel.basic_nack(tag, requeue=False)
    else:
        channel.basic_reject(tag, requeue=False)
    (delivery,) = PikaInbox(channel, dead, auto_ack=True).wait(1)
    assert (delivery.body, delivery.method.exchange, delivery.method.routing_key) == (b"no", "", dead)
    assert (delivery.method.redelivered, delivery.properties.message_id) == (False, "m")
    assert delivery.properties.content_type == "text/plain"
    assert death(delivery) == {
        "count": 1,
        "reason": "rejected",
        "queue": name,
        "exchange": "",
        "routing-keys": [name],
    }
    assert delivery.headers["mine"] == 1
    assert delivery.headers["x-first-death-reason"] == "rejected"
    assert delivery.headers["x-first-death-queue"] == name
    assert delivery.headers["x-first-death-exchange"] == ""


def test_a_message_that_expires_by_its_queue_is_dead(channel: BlockingChannel, name: str) -> None:
    dead = declare(channel, name, **{"x-message-ttl": 20})
    inbox = PikaInbox(channel, dead, auto_ack=True)
    publish(channel, name, b"late")
    (delivery,) = inbox.wait(1)
    assert death(delivery)["reason"] == "expired"
    assert "original-expiration" not in death(delivery)


def test_a_message_that_expires_by_itself_keeps_its_expiration_only_in_x_death(
    channel: BlockingChannel, name: str
) -> None:
    dead = declare(channel, name)
    inbox = PikaInbox(channel, dead, auto_ack=True)
    publish(channel, name, b"late", expiration="20")
    (delivery,) = inbox.wait(1)
    assert delivery.properties.expiration is None
    assert (death(delivery)["reason"], death(delivery)["original-expiration"]) == ("expired", "20")


def test_what_a_full_queue_drops_is_dead(channel: BlockingChannel, name: str) -> None:
    dead = declare(channel, name, **{"x-max-length": 1})
    inbox = PikaInbox(channel, dead, auto_ack=True)
    publish(channel, name, b"old")
    publish(channel, name, b"new")
    (delivery,) = inbox.wait(1)
    assert (delivery.body, death(delivery)["reason"]) == (b"old", "maxlen")


def test_what_a_full_queue_refuses_is_dead_with_reject_publish_dlx(channel: BlockingChannel, name: str) -> None:
    dead = declare(channel, name, **{"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
    inbox = PikaInbox(channel, dead, auto_ack=True)
    publish(channel, name, b"first")
    with pytest.raises(pika.exceptions.NackError):
        publish(channel, name, b"refused")
    (delivery,) = inbox.wait(1)
    assert (delivery.body, death(delivery)["reason"]) == (b"refused", "maxlen")


def test_a_message_delivered_too_often_is_dead(channel: BlockingChannel, name: str) -> None:
    dead = declare(channel, name, **{"x-queue-type": "quorum", "x-delivery-limit": 2})
    publish(channel, name, b"poison", delivery_mode=2)
    attempts = PikaInbox(channel, name)
    for attempt in range(1, 4):
        channel.basic_nack(attempts.wait(attempt)[-1].method.delivery_tag, requeue=True)
    (delivery,) = PikaInbox(channel, dead, auto_ack=True).wait(1)
    assert (delivery.body, death(delivery)["reason"]) == (b"poison", "delivery_limit")
    channel.queue_delete(name)


def test_without_a_routing_key_the_published_keys_are_used(channel: BlockingChannel, name: str) -> None:
    exchange = f"{name}.dlx"
    channel.exchange_declare(exchange, "topic", auto_delete=True)
    channel.queue_declare(f"{name}.dead", exclusive=True)
    channel.queue_bind(f"{name}.dead", exchange, "a.#")
    channel.queue_declare(name, exclusive=True, arguments={"x-dead-letter-exchange": exchange})
    channel.queue_bind(name, "amq.topic", f"a.{name}")
    publish(channel, f"a.{name}", exchange="amq.topic")
    channel.basic_reject(channel.basic_get(name)[0].delivery_tag, requeue=False)
    (delivery,) = PikaInbox(channel, f"{name}.dead", auto_ack=True).wait(1)
    assert (delivery.method.exchange, delivery.method.routing_key) == (exchange, f"a.{name}")
    assert (death(delivery)["exchange"], death(delivery)["routing-keys"]) == ("amq.topic", [f"a.{name}"])


def test_deaths_are_counted_by_queue_and_reason_with_the_newest_first(channel: BlockingChannel, name: str) -> None:
    """The wait queue of a retry pattern: rejected, wait, expired, back, rejected again."""
    wait = f"{name}.wait"
    channel.queue_declare(
        wait,
        exclusive=True,
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name, "x-message-ttl": 10},
    )
    channel.queue_declare(
        name, exclusive=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait}
    )
    inbox = PikaInbox(channel, name)
    publish(channel, name)
    for attempt in range(1, 4):
        delivery = inbox.wait(attempt)[-1]
        if attempt < 3:
            channel.basic_nack(delivery.method.delivery_tag, requeue=False)
    assert [(entry["queue"], entry["reason"], entry["count"]) for entry in delivery.headers["x-death"]] == [
        (wait, "expired", 2),
        (name, "rejected", 2),
    ]
    assert (delivery.headers["x-first-death-queue"], delivery.headers["x-first-death-reason"]) == (name, "rejected")


def test_an_automatic_cycle_ends_in_silence(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(
        name,
        exclusive=True,
        arguments={"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": name},
    )
    publish(channel, name)
    assert ready(channel, name) == 0
    assert channel.basic_get(name) == (None, None, None)


def test_a_missing_dead_letter_exchange_drops(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True, arguments={"x-dead-letter-exchange": f"{name}.nowhere"})
    publish(channel, name)
    channel.basic_reject(channel.basic_get(name)[0].delivery_tag, requeue=False)
    publish(channel, name, b"next")
    assert drained(channel, name) == [b"next"]
