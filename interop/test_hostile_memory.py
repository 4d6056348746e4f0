"""Attacks on memory by clients that are logged in: much is sent and never finished, never read, never committed.

Each stays within the limits of one connection; the broker has to bound what all of them add up to.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pika.spec
import pytest

from interop.attack import MEMORY_LIMIT_BYTES, Attacked, attacked
from interop.raw import RawSocket, amqp_connection, amqp_frame, amqp_method, mqtt_connection, stomp_connection

MIB: Final = 1 << 20


@pytest.fixture
def attack(tmp_path: Path) -> Iterator[Attacked]:
    with attacked(tmp_path) as attack:
        yield attack


def channel(client: RawSocket, number: int = 1) -> None:
    client.send(amqp_frame(number, pika.spec.Channel.Open()))
    assert isinstance(amqp_method(client), pika.spec.Channel.OpenOk)


def declared(client: RawSocket, queue: str) -> None:
    client.send(amqp_frame(1, pika.spec.Queue.Declare(queue=queue)))
    assert isinstance(amqp_method(client), pika.spec.Queue.DeclareOk)


def framed(kind: int, number: int, payload: bytes) -> bytes:
    return bytes([kind]) + number.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"


def amqp_start(number: int, key: str, size: int, properties: bytes = b"\x00\x00") -> bytes:
    """Return basic.publish and a content header that announces a body."""
    header = b"\x00\x3c\x00\x00" + size.to_bytes(8, "big") + properties
    return amqp_frame(number, pika.spec.Basic.Publish(routing_key=key)) + framed(2, number, header)


def length(size: int) -> bytes:
    encoded = b""
    while size >= 0x80:
        encoded += bytes([size & 0x7F | 0x80])
        size >>= 7
    return encoded + bytes([size])


def test_bodies_that_are_never_finished(attack: Attacked) -> None:
    piece = framed(3, 1, bytes(131_064))
    for _ in range(20):
        client = attack.keep(amqp_connection(attack.endpoint))
        channel(client)
        client.send_what_is_taken(amqp_start(1, "q", 16 * MIB) + piece * 120)


def test_transactions_that_are_never_committed(attack: Attacked) -> None:
    publish = amqp_start(1, "q", 100_000) + framed(3, 1, bytes(100_000))
    for _ in range(8):
        client = attack.keep(amqp_connection(attack.endpoint))
        channel(client)
        client.send(amqp_frame(1, pika.spec.Tx.Select()))
        assert isinstance(amqp_method(client), pika.spec.Tx.SelectOk)
        client.send_what_is_taken(publish * 200)


def test_stomp_transactions_that_are_never_committed(attack: Attacked) -> None:
    send = b"SEND\ndestination:/queue/q\ntransaction:t\ncontent-length:100000\n\n" + bytes(100_000) + b"\0"
    for _ in range(8):
        client = attack.keep(stomp_connection(attack.endpoint))
        client.send(b"BEGIN\ntransaction:t\n\n\0")
        client.send_what_is_taken(send * 200)


def test_empty_messages_with_large_headers_stop_their_publisher(attack: Attacked) -> None:
    table = b"\x01aS" + (100_000).to_bytes(4, "big") + bytes(100_000)
    properties = b"\x20\x00" + len(table).to_bytes(4, "big") + table
    client = attack.keep(amqp_connection(attack.endpoint))
    channel(client)
    declared(client, "q")
    assert not client.send_what_is_taken(amqp_start(1, "q", 0, properties) * 3_000)


def test_empty_messages_with_large_topics_stop_their_publisher(attack: Attacked) -> None:
    subscriber = attack.keep(mqtt_connection(attack.endpoint, b"subscriber"))
    subscriber.send(b"\x82\x06\x00\x01\x00\x01#\x01")
    assert subscriber.read(5) == b"\x90\x03\x00\x01\x01"
    client = attack.keep(mqtt_connection(attack.endpoint, b"publisher"))
    topic = (60_000).to_bytes(2, "big") + b"t" * 60_000
    assert not client.send_what_is_taken((b"\x32" + length(len(topic) + 2) + topic + b"\x00\x01") * 3_000)


def test_packets_that_are_never_finished(attack: Attacked) -> None:
    for number in range(20):
        client = attack.keep(mqtt_connection(attack.endpoint, b"half-%d" % number))
        client.send_what_is_taken(b"\x30" + length(16 * MIB) + b"\x00\x01a" + bytes(15 * MIB))


def test_stomp_frames_that_are_never_finished(attack: Attacked) -> None:
    for number in range(20):
        client = attack.keep(stomp_connection(attack.endpoint))
        announced = b"content-length:16000000\n" if number % 2 else b""
        client.send_what_is_taken(b"SEND\ndestination:/topic/a\n" + announced + b"\n" + b"x" * 15 * MIB)


def test_direct_subscribers_that_never_read(attack: Attacked) -> None:
    for number in range(20):
        client = attack.keep(stomp_connection(attack.endpoint))
        client.send(b"SUBSCRIBE\nid:0\ndestination:/topic/flood\nreceipt:r\n\n\0")
        client.read(10)
        client = attack.keep(mqtt_connection(attack.endpoint, b"deaf-%d" % number))
        client.send(b"\x82\x0a\x00\x01\x00\x05flood\x00")
        client.read(5)
    publisher = attack.keep(mqtt_connection(attack.endpoint, b"publisher"))
    body = bytes(50_000)
    publisher.send((b"\x30" + length(7 + len(body)) + b"\x00\x05flood" + body) * 1_000)
    publisher.send(b"\xc0\x00")
    assert publisher.read(2) == b"\xd0\x00"


def test_a_queue_with_consumers_that_never_read_stops_its_publishers(attack: Attacked) -> None:
    for _ in range(5):
        client = attack.keep(amqp_connection(attack.endpoint))
        channel(client)
        declared(client, "q")
        client.send(amqp_frame(1, pika.spec.Basic.Consume(queue="q")))
    publisher = attack.keep(amqp_connection(attack.endpoint))
    channel(publisher)
    publish = amqp_start(1, "q", 100_000) + framed(3, 1, bytes(100_000))
    assert not publisher.send_what_is_taken(publish * (3 * MEMORY_LIMIT_BYTES // 100_000))


def test_retained_messages_of_deep_topics(attack: Attacked) -> None:
    client = attack.keep(mqtt_connection(attack.endpoint, b"publisher"))
    for start in range(0, 20_000, 1_000):
        flood = b""
        for number in range(start, start + 1_000):
            topic = b"%d/" % number + b"a/" * 120
            flood += b"\x31" + length(2 + len(topic) + 1) + len(topic).to_bytes(2, "big") + topic + b"x"
        client.send(flood)
    client.send(b"\xc0\x00")
    assert client.read(2) == b"\xd0\x00"


def test_definitions_have_a_limit(attack: Attacked) -> None:
    client = attack.keep(amqp_connection(attack.endpoint))
    channel(client)
    declare = b"".join(
        amqp_frame(1, pika.spec.Queue.Declare(queue=f"flood-{number}", nowait=True)) for number in range(20_000)
    )
    client.send_what_is_taken(declare)
    closed = amqp_method(client)
    assert isinstance(closed, pika.spec.Channel.Close)
    assert closed.reply_code == 406
    deep = attack.keep(mqtt_connection(attack.endpoint, b"deep"))
    for number in range(0, 5_000, 100):
        payload = (number + 1).to_bytes(2, "big")
        for each in range(number, number + 100):
            topic_filter = b"+/" * 120 + b"%d" % each
            payload += len(topic_filter).to_bytes(2, "big") + topic_filter + b"\x00"
        deep.send(b"\x82" + length(len(payload)) + payload)
    deep.send(b"\xc0\x00")
    answers = deep.read(50 * 104 + 2)
    assert b"\x80" * 100 in answers, "subscriptions are refused, and the connection lives"
