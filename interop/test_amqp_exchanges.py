"""Exchanges as pika sees them: headers, alternates, delays, hashes, bindings between exchanges, CC and BCC."""

import time
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.clients.pika_inbox import PikaInbox, drained, ready


def publish(channel: BlockingChannel, exchange: str, key: str, body: bytes, **headers: Any) -> None:
    properties = pika.BasicProperties(headers=headers or None)
    channel.basic_publish(exchange, key, body, properties, mandatory=True)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("all", [b"both", b"both with x"]),
        ("any", [b"red", b"both", b"both with x"]),
        ("all-with-x", [b"both with x"]),
        ("any-with-x", [b"red", b"both", b"both with x", b"only x"]),
    ],
)
def test_a_headers_exchange_matches_values_and_presence(
    channel: BlockingChannel, name: str, match: str, expected: list[bytes]
) -> None:
    channel.queue_declare(name, exclusive=True)
    wanted = {"x-match": match, f"{name}-color": "red", f"{name}-size": None, f"x-{name}": 1}
    channel.queue_bind(name, "amq.headers", "", wanted)
    sent: list[tuple[bytes, dict[str, Any]]] = [
        (b"red", {f"{name}-color": "red"}),
        (b"blue", {f"{name}-color": "blue"}),
        (b"both", {f"{name}-color": "red", f"{name}-size": 7}),
        (b"both with x", {f"{name}-color": "red", f"{name}-size": "any value", f"x-{name}": 1}),
        (b"only x", {f"x-{name}": 1}),
    ]
    for body, headers in sent:
        channel.basic_publish("amq.headers", "", body, pika.BasicProperties(headers=headers))
    assert drained(channel, name) == expected


def test_an_alternate_exchange_gets_what_is_not_routed(channel: BlockingChannel, name: str) -> None:
    main, alternate = f"{name}.main", f"{name}.alternate"
    channel.exchange_declare(alternate, "fanout", auto_delete=True)
    channel.exchange_declare(main, "direct", auto_delete=True, arguments={"alternate-exchange": alternate})
    for queue, exchange, key in ((name, main, "known"), (f"{name}.rest", alternate, "")):
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, exchange, key)
    publish(channel, main, "known", b"routed")
    publish(channel, main, "unknown", b"rest")
    assert drained(channel, name) == [b"routed"]
    (delivery,) = PikaInbox(channel, f"{name}.rest", auto_ack=True).wait(1)
    assert (delivery.body, delivery.method.exchange, delivery.method.routing_key) == (b"rest", main, "unknown")


def test_a_delayed_exchange_holds_messages_back(channel: BlockingChannel, name: str) -> None:
    exchange = f"{name}.delayed"
    channel.exchange_declare(exchange, "x-delayed-message", auto_delete=True, arguments={"x-delayed-type": "topic"})
    channel.queue_declare(name, exclusive=True)
    channel.queue_bind(name, exchange, "a.*")
    inbox = PikaInbox(channel, name, auto_ack=True)
    begun = time.monotonic()
    for body, headers in (
        (b"last", {"x-delay": 300}),
        (b"middle", {"x-delay": 150}),
        (b"negative", {"x-delay": -1}),
        (b"at once", None),
    ):
        channel.basic_publish(exchange, "a.b", body, pika.BasicProperties(headers=headers))
    inbox.wait(2)
    assert inbox.bodies == [b"negative", b"at once"]
    inbox.wait(4)
    assert inbox.bodies[2:] == [b"middle", b"last"]
    assert time.monotonic() - begun >= 0.3
    assert inbox.arrived[3].method.routing_key == "a.b"


def test_a_delayed_exchange_wants_to_know_its_type(channel: BlockingChannel, name: str) -> None:
    with pytest.raises((pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker)) as failure:
        channel.exchange_declare(name, "x-delayed-message", auto_delete=True)
    assert failure.value.reply_code == 406


def test_a_consistent_hash_sends_each_key_to_one_queue(channel: BlockingChannel, name: str) -> None:
    exchange = f"{name}.hash"
    channel.exchange_declare(exchange, "x-consistent-hash", auto_delete=True)
    queues = [f"{name}.{number}" for number in range(3)]
    for queue in queues:
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, exchange, "10")
    for number in range(300):
        publish(channel, exchange, f"key {number % 100}", b"%d" % (number % 100))
    shares = [drained(channel, queue) for queue in queues]
    assert sum(map(len, shares)) == 300
    assert all(len(share) >= 30 for share in shares), [len(share) for share in shares]
    assert all(share.count(body) == 3 for share in shares for body in set(share))


def test_a_consistent_hash_can_hash_a_header(channel: BlockingChannel, name: str) -> None:
    exchange = f"{name}.hash"
    channel.exchange_declare(exchange, "x-consistent-hash", auto_delete=True, arguments={"hash-header": "user"})
    queues = [f"{name}.{number}" for number in range(2)]
    for queue in queues:
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, exchange, "1")
    for number in range(40):
        publish(channel, exchange, f"key {number}", b"x", user="one and the same")
    assert sorted(ready(channel, queue) for queue in queues) == [0, 40]


def test_a_random_exchange_sends_each_message_to_one_queue(channel: BlockingChannel, name: str) -> None:
    channel.exchange_declare(name, "x-random", auto_delete=True)
    queues = [f"{name}.{number}" for number in range(2)]
    for queue in queues:
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, name)
    for _ in range(100):
        publish(channel, name, "", b"x")
    counts = [ready(channel, queue) for queue in queues]
    assert sum(counts) == 100
    assert all(counts), "a fair coin that falls on one side a hundred times"


def test_an_exchange_with_recent_history_tells_it_to_new_bindings(channel: BlockingChannel, name: str) -> None:
    channel.exchange_declare(name, "x-recent-history", auto_delete=True, arguments={"x-recent-history-length": 2})
    channel.queue_declare(f"{name}.first", exclusive=True)
    channel.queue_bind(f"{name}.first", name)
    for body in (b"1", b"2", b"3"):
        publish(channel, name, "", body)
    channel.queue_declare(name, exclusive=True)
    channel.queue_bind(name, name)
    inbox = PikaInbox(channel, name, auto_ack=True)
    inbox.wait(2)
    assert inbox.bodies == [b"2", b"3"]


def test_a_queue_reached_on_two_ways_gets_one_copy_and_cycles_are_cut(channel: BlockingChannel, name: str) -> None:
    first, second = f"{name}.1", f"{name}.2"
    for exchange in (first, second):
        channel.exchange_declare(exchange, "fanout", auto_delete=True)
    channel.exchange_bind(second, first)
    channel.exchange_bind(first, second)
    channel.queue_declare(name, exclusive=True)
    channel.queue_bind(name, first)
    channel.queue_bind(name, second)
    publish(channel, first, "", b"once")
    assert drained(channel, name) == [b"once"]
    channel.queue_unbind(name, first)
    publish(channel, first, "", b"through the other")
    assert drained(channel, name) == [b"through the other"]
    channel.exchange_unbind(first, second)
    channel.exchange_unbind(second, first)
    channel.queue_unbind(name, second)


def test_an_internal_exchange_cannot_be_published_to(channel: BlockingChannel, name: str) -> None:
    channel.exchange_declare(name, "fanout", auto_delete=True, internal=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.basic_publish(name, "", b"x")
    assert failure.value.reply_code == 403


def test_an_auto_delete_exchange_goes_with_its_last_binding(channel: BlockingChannel, name: str) -> None:
    channel.exchange_declare(name, "direct", auto_delete=True)
    channel.queue_declare(name, exclusive=True)
    channel.queue_bind(name, name, "key")
    channel.queue_unbind(name, name, "key")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        channel.exchange_declare(name, passive=True)
    assert failure.value.reply_code == 404


def test_cc_and_bcc_are_more_routing_keys_and_bcc_is_not_shown(channel: BlockingChannel, name: str) -> None:
    queues = [f"{name}.{word}" for word in ("to", "cc", "bcc", "nobody")]
    for queue in queues:
        channel.queue_declare(queue, exclusive=True)
    to, cc, bcc, nobody = queues
    publish(channel, "", to, b"x", CC=[cc, to], BCC=[bcc])
    for queue in (to, cc, bcc):
        (delivery,) = PikaInbox(channel, queue, auto_ack=True).wait(1)
        assert (delivery.method.routing_key, delivery.headers) == (to, {"CC": [cc, to]})
        assert ready(channel, queue) == 0
    assert ready(channel, nobody) == 0


def test_cc_that_is_no_array_is_refused(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, exclusive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        publish(channel, "", name, b"x", CC="one word")
    assert failure.value.reply_code == 406
