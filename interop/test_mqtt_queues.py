"""Queues from MQTT: what AMQP and STOMP clients put into a queue reaches a device by `$queue/NAME`, and the way back."""

import json
import time
from typing import Final

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.clients import Connect, PahoDriver, PikaDriver, Queue, StompPyDriver
from interop.clients.paho5_client import Paho5
from interop.clients.paho_worker import PahoWorker
from interop.clients.pika_inbox import PikaInbox, ready
from interop.test_mqtt5 import plain

SOON_S: Final = 4.0

versions = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


def wait_until_ready(channel: BlockingChannel, queue: str, count: int) -> None:
    """Return when so many messages are ready: the broker has noticed that their consumer is gone."""
    end = time.monotonic() + SOON_S
    while ready(channel, queue) != count:
        assert time.monotonic() < end, f"{ready(channel, queue)} messages are ready, not {count}"


@versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_from_amqp_to_a_device_and_back(connect: Connect, name: str, version: int, qos: int) -> None:
    device, backend = connect(PahoWorker, version, manual=False), connect(PikaDriver)
    backend.publish(Queue(name), b"waits already")
    assert device.subscribe(f"$queue/{name}", qos) == qos
    backend.publish(Queue(name), b"request", durable=True)
    got = [device.receive() for _ in range(2)]
    assert [(message.topic, message.payload, message.qos, message.retain) for message in got] == [
        (f"$queue/{name}", b"waits already", qos, False),
        (f"$queue/{name}", b"request", qos, False),
    ]
    device.publish(f"$queue/{name}.answers", b"answer", qos)
    backend.subscribe(Queue(f"{name}.answers"))
    answer = backend.receive()
    assert (answer.body, answer.address, answer.durable) == (b"answer", f"{name}.answers", qos > 0)
    assert ready(backend.channel, name) == 0


@versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_from_stomp_to_a_device_and_back(connect: Connect, name: str, version: int, qos: int) -> None:
    device, backend = connect(PahoWorker, version, manual=False), connect(StompPyDriver)
    assert device.subscribe(f"$queue/{name}/jobs", qos) == qos
    backend.send(f"/queue/{name}%2Fjobs", b"request")
    message = device.receive()
    assert (message.topic, message.payload, message.qos) == (f"$queue/{name}/jobs", b"request", qos)
    device.publish(f"$queue/{name}/answers", b"answer", qos)
    backend.subscribe_destination(f"/queue/{name}%2Fanswers")
    answer = backend.receive()
    assert (answer.body, answer.address) == (b"answer", f"/queue/{name}%2Fanswers")


def test_properties_go_both_ways(connect: Connect, name: str) -> None:
    device, backend = connect(Paho5), connect(PikaDriver)
    assert device.subscribe((f"$queue/{name}", plain())) == [1]
    backend.publish(
        Queue(name),
        b"{}",
        headers={"unit": "C"},
        properties={"content_type": "application/json", "correlation_id": "7", "reply_to": f"{name}.answers"},
    )
    request = device.receive()
    assert request.said["ContentType"] == "application/json"
    assert request.said["CorrelationData"] == b"7"
    said = dict(request.said["UserProperty"])
    assert said == {"unit": "C", "reply-to": f"{name}.answers"}
    code = device.publish(
        f"$queue/{said['reply-to']}",
        json.dumps({"t": 20}).encode(),
        1,
        CorrelationData=request.said["CorrelationData"],
        UserProperty=[("unit", "C")],
    )
    assert code == 0
    backend.subscribe(Queue(f"{name}.answers"))
    answer = backend.receive()
    assert (answer.headers, answer.properties["correlation_id"]) == ({"unit": "C"}, "7")


def test_an_answer_to_a_direct_request(connect: Connect, channel: BlockingChannel, name: str) -> None:
    """RabbitMQ's direct reply-to: there is no queue, and none is declared."""
    device = connect(Paho5)
    device.subscribe((f"$queue/{name}", plain()))
    answers = PikaInbox(channel, "amq.rabbitmq.reply-to", auto_ack=True)
    channel.basic_publish("", name, b"request", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
    reply_to = dict(device.receive().said["UserProperty"])["reply-to"]
    assert device.publish(f"$queue/{reply_to}", b"answer", 1) == 0
    assert answers.wait(1)[0].body == b"answer"


@versions
@pytest.mark.parametrize("persistent", [False, True], ids=["clean", "persistent"])
def test_what_a_device_leaves_unacknowledged_goes_to_an_amqp_consumer(
    connect: Connect, channel: BlockingChannel, name: str, version: int, *, persistent: bool
) -> None:
    channel.queue_declare(name, durable=True)
    device = connect(PahoWorker, version, name, persistent=persistent)
    assert device.subscribe(f"$queue/{name}", 1) == 1
    for number in range(3):
        channel.basic_publish("", name, b"%d" % number)
    first, second, third = (device.receive() for _ in range(3))
    device.acknowledge(second)
    device.publish(f"{name}/barrier", b"")  # acknowledged after what was said before
    device.vanish()
    wait_until_ready(channel, name, 2)
    inbox = PikaInbox(channel, name)
    left = inbox.wait(2)
    assert [(delivery.body, delivery.method.redelivered) for delivery in left] == [
        (first.payload, True),
        (third.payload, True),
    ]
    for delivery in left:
        channel.basic_ack(delivery.method.delivery_tag)
    back = connect(PahoWorker, version, name, persistent=persistent)
    if not persistent:
        back.subscribe(f"$queue/{name}", 1)
    channel.basic_cancel(inbox.tag)
    channel.basic_publish("", name, b"3")
    assert back.receive().payload == b"3"


@versions
def test_devices_and_amqp_consumers_take_turns(
    connect: Connect, channel: BlockingChannel, name: str, version: int
) -> None:
    channel.queue_declare(name, durable=True)
    device = connect(PahoWorker, version, manual=False)
    device.subscribe(f"$queue/{name}", 1)
    inbox = PikaInbox(channel, name, auto_ack=True)
    for number in range(6):
        channel.basic_publish("", name, b"%d" % number)
    bodies = {device.receive().payload for _ in range(3)} | {delivery.body for delivery in inbox.wait(3)}
    assert bodies == {b"%d" % number for number in range(6)}


def test_a_device_whose_queue_is_deleted_is_told(connect: Connect, channel: BlockingChannel, name: str) -> None:
    device, older = connect(Paho5), connect(PahoDriver)
    device.subscribe((f"$queue/{name}", plain()))
    older.subscribe_filter(f"$queue/{name}", 1)
    channel.queue_delete(name)
    assert device.ended.wait(SOON_S)
    assert device.end_code == 0x98
    assert older.closed.wait(SOON_S)


def test_a_queue_that_refuses_is_over_quota(connect: Connect, channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    device = connect(Paho5)
    assert device.publish(f"$queue/{name}", b"1", 1) == 0
    assert device.publish(f"$queue/{name}", b"2", 1) == 0x97
