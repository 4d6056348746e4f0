"""A connection with more work than fits into one turn goes on in the next, in order, and the others have theirs between."""

from collections.abc import Callable
from typing import Any

import pytest

from core.model.names import TOPIC_SPACE
from core.routing.pattern import MANY_WORDS, Pattern
from protocols.amqp.connection import AmqpConnection
from protocols.connection import WORK_LIMIT
from protocols.mqtt.connection import MqttConnection
from protocols.stomp.connection import StompConnection
from tests.core.parts import Recorder, a_client
from tests.protocols.world import Wire, World

Connect = Callable[[World], tuple[Wire[Any], bytes, bytes]]  # returns a wire, much to publish, and the last answer

SINKS = 1_000
MESSAGES = 5 * WORK_LIMIT // SINKS


def framed(kind: int, payload: bytes) -> bytes:
    return bytes([kind]) + b"\x00\x01" + len(payload).to_bytes(4, "big") + payload + b"\xce"


def control(payload: bytes) -> bytes:
    return b"\x01\x00\x00" + len(payload).to_bytes(4, "big") + payload + b"\xce"


def amqp(world: World) -> tuple[Wire[Any], bytes, bytes]:
    wire = world.connect(AmqpConnection)
    plain = b"\0guest\0guest"
    wire.send(b"AMQP\x00\x00\x09\x01")
    start_ok = b"\x00\x0a\x00\x0b" + bytes(4) + b"\x05PLAIN" + len(plain).to_bytes(4, "big") + plain + b"\x05en_US"
    wire.send(control(start_ok))
    wire.send(control(b"\x00\x0a\x00\x1f" + b"\x07\xff" + b"\x00\x02\x00\x00" + b"\x00\x00"))
    wire.send(control(b"\x00\x0a\x00\x28\x01/\x00\x00"))
    wire.send(framed(1, b"\x00\x14\x00\x0a\x00"))
    publish = framed(1, b"\x00\x3c\x00\x28\x00\x00\x09amq.topic\x01a\x00")
    header = framed(2, b"\x00\x3c\x00\x00" + (4).to_bytes(8, "big") + b"\x00\x00")
    ask = framed(1, b"\x00\x3c\x00\x0a" + bytes(4) + b"\x00\x01\x00")
    flood = b"".join(publish + header + framed(3, b"%04d" % number) for number in range(MESSAGES))
    return wire, flood + ask, framed(1, b"\x00\x3c\x00\x0b")


def mqtt(world: World) -> tuple[Wire[Any], bytes, bytes]:
    wire = world.connect(MqttConnection)
    wire.send(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01p")
    flood = b"".join(b"\x30\x07\x00\x01a%04d" % number for number in range(MESSAGES))
    return wire, flood + b"\xc0\x00", b"\xd0\x00"


def stomp(world: World) -> tuple[Wire[Any], bytes, bytes]:
    wire = world.connect(StompConnection)
    wire.send(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0")
    flood = b"".join(b"SEND\ndestination:/topic/a\n\n%04d\0" % number for number in range(MESSAGES))
    return wire, flood + b"BEGIN\ntransaction:t\nreceipt:end\n\n\0", b"RECEIPT\nreceipt-id:end\n\n\0"


@pytest.mark.parametrize("connect", [amqp, mqtt, stomp])
@pytest.mark.parametrize("cut", [0, 1, 7])
def test_a_chunk_of_much_work_is_handled_in_several_turns_and_in_order(connect: Connect, cut: int) -> None:
    world = World()
    wire, chunk, answer = connect(world)
    client = a_client(world.broker)
    sinks = [Recorder() for _ in range(SINKS)]
    for sink in sinks:
        client.subscribe(Pattern((MANY_WORDS,)), "#", sink)
    connection = wire.connection
    connection.receive(chunk[: len(chunk) - cut])
    taken = [len(sinks[0].taken)]
    while connection.behind:
        before = world.broker.counters.work
        connection.go_on()
        assert world.broker.counters.work - before <= WORK_LIMIT + 2 * SINKS
        taken.append(len(sinks[0].taken))
    assert len(taken) >= 5
    assert taken[0] <= WORK_LIMIT // SINKS + 2
    output = wire.take()
    if cut:
        assert answer not in output, "the last frame is not whole"
        output = wire.send(chunk[len(chunk) - cut :])
    assert output.endswith(answer)
    bodies = [b"%04d" % number for number in range(MESSAGES)]
    assert all([message.body for message in sink.taken] == bodies for sink in (sinks[0], sinks[-1]))
    assert sinks[0].taken[0].address.exchange == TOPIC_SPACE
    assert not wire.closed


@pytest.mark.parametrize("connect", [amqp, mqtt, stomp])
def test_a_connection_may_end_while_it_is_behind(connect: Connect) -> None:
    world = World()
    wire, chunk, _ = connect(world)
    client = a_client(world.broker)
    for _ in range(SINKS):
        client.subscribe(Pattern((MANY_WORDS,)), "#", Recorder())
    wire.connection.receive(chunk)
    assert wire.connection.behind
    wire.hang_up()
    assert wire.ended
    assert world.broker.surroundings.usage.unfinished_bytes == 0
