"""Attacks on everybody's time: many small things that are a lot of work, or that come very often.

The canary's round trip tells whether others wait. What a flood is refused with is for the tests of each protocol.
"""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pika.spec
import pytest

from interop.attack import Attacked, attacked
from interop.raw import (
    MQTT_CONNACK,
    RawSocket,
    amqp_connection,
    amqp_frame,
    amqp_greeted,
    amqp_method,
    mqtt_connect,
    mqtt_connection,
    stomp_connection,
)

PING: Final = b"\xc0\x00"
PONG: Final = b"\xd0\x00"
ARGON2: Final = "$argon2id$v=19$m=19456,t=2,p=1$ywHMA8UhS7NfTkQ5Fb1REQ$i321b0hlwKIartJaWQugkeM6Qjfmf+pb4GYwf7Vde7A"
USERS: Final = f"""
[[user]]
name = "visitor"
[[user.permission]]
configure = ".*"
write = ".*"
read = ".*"

[[user]]
name = "ada"
password_hash = "{ARGON2}"
"""


@pytest.fixture
def attack(tmp_path: Path) -> Iterator[Attacked]:
    with attacked(tmp_path) as attack:
        yield attack


def answered(client: RawSocket) -> None:
    """Wait until everything that was sent has been handled."""
    client.send(PING)
    seen = b""
    while not seen.endswith(PONG):
        seen = (seen + client.read(1))[-2:]


def subscribe(packet_id: int, *filters: bytes, qos: int = 0) -> bytes:
    payload = packet_id.to_bytes(2, "big")
    for topic_filter in filters:
        payload += len(topic_filter).to_bytes(2, "big") + topic_filter + bytes([qos])
    return b"\x82" + length(len(payload)) + payload


def publish(topic: bytes, body: bytes, first: int = 0x30) -> bytes:
    payload = len(topic).to_bytes(2, "big") + topic + body
    return bytes([first]) + length(len(payload)) + payload


def length(size: int) -> bytes:
    encoded = b""
    while size >= 0x80:
        encoded += bytes([size & 0x7F | 0x80])
        size >>= 7
    return encoded + bytes([size])


def test_two_thousand_handshakes_that_never_end(attack: Attacked) -> None:
    starts = {"amqp": b"AMQ", "mqtt": b"\x10", "stomp": b"CONN", "auto": b"A"}
    for number in range(2_000):
        name = ("amqp", "mqtt", "stomp", "auto")[number % 4]
        client = attack.keep(RawSocket(attack.endpoint.host, attack.endpoint.ports[name]))
        client.send(starts[name])
    mqtt_connection(attack.endpoint, b"somebody").close()


def test_connections_that_are_reset_at_once(attack: Attacked) -> None:
    for number in range(2_000):
        name = ("amqp", "mqtt", "stomp", "auto")[number % 4]
        client = socket.create_connection((attack.endpoint.host, attack.endpoint.ports[name]))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        client.close()
    mqtt_connection(attack.endpoint, b"somebody").close()


def test_a_frame_that_comes_byte_by_byte(attack: Attacked) -> None:
    client = mqtt_connection(attack.endpoint, b"slow")
    packet = publish(b"a", bytes(20_000))
    for at in range(len(packet)):
        client.send(packet[at : at + 1])
    answered(client)
    client.close()


def test_a_storm_of_clients_with_the_same_id(attack: Attacked) -> None:
    for _ in range(1_000):
        client = RawSocket(attack.endpoint.host, attack.endpoint.ports["mqtt"])
        client.send(mqtt_connect(attack.endpoint, b"same"))
        assert client.read(4) == MQTT_CONNACK
        attack.keep(client)


def test_filters_that_all_match_one_topic(attack: Attacked) -> None:
    """2^13 filters of one session: they are one group of sinks, and a trie with 2^13 ways to the topic."""
    client = attack.keep(mqtt_connection(attack.endpoint, b"overlapping"))
    filters = [b"/".join(b"+" if number >> bit & 1 else b"a" for bit in range(13)) for number in range(1 << 13)]
    for at in range(0, len(filters), 1 << 10):
        client.send(subscribe(1, *filters[at : at + (1 << 10)]))
    answered(client)
    flood = b"".join(publish(b"/".join([b"a"] * 12 + [b"%d" % number]), b"x") for number in range(200))
    client.send(flood + publish(b"/".join([b"a"] * 13), b"x"))
    answered(client)


def test_searches_of_retained_messages_that_find_nothing(attack: Attacked) -> None:
    client = attack.keep(mqtt_connection(attack.endpoint, b"searching"))
    client.send(b"".join(publish(b"%d/%d" % (n % 100, n), b"x", 0x31) for n in range(10_000)))
    answered(client)
    client.send(subscribe(1, *[b"+/+/%d" % number for number in range(2_000)]))
    answered(client)
    client.send(subscribe(2, b"none") * 2_000)
    answered(client)


def test_subscribing_and_unsubscribing_all_the_time(attack: Attacked) -> None:
    client = attack.keep(mqtt_connection(attack.endpoint, b"restless"))
    pair = subscribe(1, b"a/+/b", b"#", qos=1) + b"\xa2\x0c\x00\x02\x00\x05a/+/b\x00\x01#"
    for _ in range(20):
        client.send(pair * 200)
        answered(client)


def test_a_message_to_many_subscribers_again_and_again(attack: Attacked) -> None:
    for number in range(500):
        client = attack.keep(mqtt_connection(attack.endpoint, b"many-%d" % number))
        client.send(subscribe(1, b"many"))
        client.read(5)
    client = attack.keep(mqtt_connection(attack.endpoint, b"publisher"))
    client.send(publish(b"many", b"") * 5_000)
    answered(client)


def test_acknowledgements_of_nothing(attack: Attacked) -> None:
    client = attack.keep(mqtt_connection(attack.endpoint, b"acknowledging"))
    client.send((b"\x40\x02\x12\x34" + b"\x50\x02\x12\x34" + b"\x62\x02\x12\x34" + b"\x70\x02\x12\x34") * 20_000)
    answered(client)
    amqp = attack.keep(amqp_connection(attack.endpoint))
    opened = amqp_frame(1, pika.spec.Channel.Open())
    once = opened + amqp_frame(1, pika.spec.Basic.Ack(77)) * 20 + amqp_frame(1, pika.spec.Channel.CloseOk())
    amqp.send(once * 2_000)
    for _ in range(2_000):
        assert isinstance(amqp_method(amqp), pika.spec.Channel.OpenOk)
        assert isinstance(amqp_method(amqp), pika.spec.Channel.Close)


def test_channels_that_are_opened_and_closed(attack: Attacked) -> None:
    client = attack.keep(amqp_connection(attack.endpoint))
    numbers = range(1, 2_048)
    for _ in range(3):
        client.send(b"".join(amqp_frame(number, pika.spec.Channel.Open()) for number in numbers))
        client.send(b"".join(amqp_frame(number, pika.spec.Channel.Close(200, "", 0, 0)) for number in numbers))
        for _ in range(2 * len(numbers)):
            amqp_method(client)
    client.send(b"".join(amqp_frame(number, pika.spec.Channel.Open()) for number in range(1, 2_049)))
    for _ in numbers:
        assert isinstance(amqp_method(client), pika.spec.Channel.OpenOk)
    closed = amqp_method(client)
    assert isinstance(closed, pika.spec.Connection.Close)
    assert closed.reply_code == 530


def test_ten_thousand_consumers_of_one_queue(attack: Attacked) -> None:
    client = attack.keep(amqp_connection(attack.endpoint))
    client.send(amqp_frame(1, pika.spec.Channel.Open()))
    client.send(amqp_frame(1, pika.spec.Queue.Declare(queue="q")))
    amqp_method(client)
    amqp_method(client)
    for at in range(0, 10_000, 500):
        client.send(
            b"".join(
                amqp_frame(1, pika.spec.Basic.Consume(queue="q", consumer_tag=f"c{number}", nowait=True))
                for number in range(at, at + 500)
            )
        )
    client.send(amqp_frame(1, pika.spec.Basic.Qos(prefetch_count=1, global_qos=True)) * 20)
    for _ in range(20):
        assert isinstance(amqp_method(client), pika.spec.Basic.QosOk)
    client.close()
    mqtt_connection(attack.endpoint, b"somebody").close()


def test_exchanges_that_remember_many_keys(attack: Attacked) -> None:
    client = attack.keep(amqp_connection(attack.endpoint))
    client.send(amqp_frame(1, pika.spec.Channel.Open()))
    amqp_method(client)
    header = b"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c" + bytes(12) + b"\xce"
    for number in range(40):
        name = f"x{number}"
        client.send(amqp_frame(1, pika.spec.Exchange.Declare(exchange=name, type="direct")))
        amqp_method(client)
        key = "k" * 240
        client.send(
            b"".join(
                amqp_frame(1, pika.spec.Basic.Publish(exchange=name, routing_key=f"{key}{each}")) + header
                for each in range(2_000)
            )
        )
    client.send(amqp_frame(1, pika.spec.Basic.Qos()))
    assert isinstance(amqp_method(client), pika.spec.Basic.QosOk)


@pytest.mark.parametrize("number", ["1_0", " +7 ", "+7", "-1", "٣", "0x10", "1e3", "9" * 30, ""])
@pytest.mark.parametrize(
    "frame",
    [
        "SEND\ndestination:/topic/a\ncontent-length:{}\n\nabcdefghijklmnop\0",
        "SEND\ndestination:/topic/a\nexpires:{}\n\nx\0",
        "SEND\ndestination:/topic/a\nexpiration:{}\n\nx\0",
        "SEND\ndestination:/topic/a\npriority:{}\n\nx\0",
        "SEND\ndestination:/topic/a\ntimestamp:{}\n\nx\0",
        "SUBSCRIBE\nid:0\ndestination:/queue/a\nprefetch-count:{}\n\n\0",
        "SUBSCRIBE\nid:0\ndestination:/queue/a\nx-max-length:{}\n\n\0",
    ],
    ids=["content-length", "expires", "expiration", "priority", "timestamp", "prefetch-count", "x-max-length"],
)
def test_what_python_takes_for_a_number_is_none(shared: Attacked, frame: str, number: str) -> None:
    client = stomp_connection(shared.endpoint)
    client.send(frame.format(number).encode())
    assert client.read_to_the_end().lstrip(b"\n").startswith(b"ERROR\n")


@pytest.mark.parametrize("beat", ["1_0,0", "+7,0", "٣,0", "-1,0", "1", "0,0,0", "a,b", "9" * 30 + ",0"])
def test_a_heart_beat_that_is_no_pair_of_numbers_is_refused(shared: Attacked, beat: str) -> None:
    client = RawSocket(shared.endpoint.host, shared.endpoint.ports["stomp"])
    client.send(f"CONNECT\naccept-version:1.2\nhost:/\nheart-beat:{beat}\n\n\0".encode())
    assert client.read_to_the_end().startswith(b"ERROR\n")


@pytest.mark.parametrize("expiration", ["1_0", " 7", "٣", "-1", "0x10", "7 ", ""])
def test_an_amqp_expiration_that_is_no_number_closes_the_channel(shared: Attacked, expiration: str) -> None:
    client = amqp_connection(shared.endpoint)
    client.send(amqp_frame(1, pika.spec.Channel.Open()))
    amqp_method(client)
    text = expiration.encode()
    payload = b"\x00\x3c" + bytes(10) + b"\x01\x00" + bytes([len(text)]) + text
    header = b"\x02\x00\x01" + len(payload).to_bytes(4, "big") + payload + b"\xce"
    client.send(amqp_frame(1, pika.spec.Basic.Publish(routing_key="a")) + header)
    closed = amqp_method(client)
    assert isinstance(closed, pika.spec.Channel.Close)
    assert closed.reply_code == 406
    client.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """One broker for many small questions."""
    with attacked(tmp_path_factory.mktemp("shared")) as attack:
        yield attack


def test_a_flood_of_wrong_passwords(tmp_path: Path) -> None:
    """Hashing takes its time in a thread; who needs no hash is served meanwhile, and the guessers wait in a line."""
    with attacked(tmp_path, USERS, first='anonymous = "visitor"\n') as attack:
        body = b"\x00\x04MQTT\x04\xc2\x00\x3c\x00\x07guesser\x00\x03ada\x00\x05wrong"
        packet = bytes([0x10, len(body)]) + body
        begun = time.monotonic()
        for _ in range(1_500):
            client = attack.keep(RawSocket(attack.endpoint.host, attack.endpoint.ports["mqtt"]))
            client.send(packet)
        client = amqp_greeted(attack.endpoint)
        client.close()
        while time.monotonic() - begun < 3.0:
            somebody = mqtt_connection(attack.endpoint, b"somebody")
            answered(somebody)
            somebody.close()
