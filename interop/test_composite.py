"""One message to several places: lists of destinations from a STOMP client, and forwarding rules of the configuration.

The rules are `interop.broker.FORWARDING`.
"""

from typing import Final

import pytest

from interop.clients import (
    QUEUE_DRIVERS,
    TOPIC_DRIVERS,
    AioPikaDriver,
    AmqttDriver,
    Connect,
    Driver,
    PahoDriver,
    PikaDriver,
    Queue,
    StomperDriver,
    StompPyDriver,
    Topic,
)

FROM: Final = Topic("interop.forward")
COPY: Final = Topic("interop.copy")
FORWARDED: Final = Queue("interop.forwarded")


def test_a_list_of_destinations_reaches_a_queue_and_a_topic(connect: Connect, name: str) -> None:
    by_amqp, by_mqtt, sender = connect(PikaDriver), connect(PahoDriver), connect(StompPyDriver)
    by_amqp.subscribe(Queue(name))
    by_mqtt.subscribe(Topic(f"{name}.c"))
    sender.send(f"/queue/{name},/topic/{name}.c", b"both")
    assert by_amqp.receive().body == b"both"
    received = by_mqtt.receive()
    assert (received.body, received.address) == (b"both", f"{name}/c")


def test_a_list_of_topics_reaches_every_protocol(connect: Connect, name: str) -> None:
    receivers: list[Driver] = [connect(AioPikaDriver), connect(AmqttDriver), connect(StomperDriver)]
    for number, receiver in enumerate(receivers):
        receiver.subscribe(Topic(f"{name}.{number}"))
    connect(StompPyDriver).send(",".join(f"/topic/{name}.{n}" for n in range(3)), b"all")
    assert [receiver.receive().body for receiver in receivers] == [b"all"] * 3


def test_each_copy_of_a_list_names_its_own_destination(connect: Connect, name: str) -> None:
    receiver = connect(StomperDriver)
    receiver.subscribe(Topic(f"{name}.one"))
    receiver.subscribe(Queue(name))
    connect(StompPyDriver).send(f"/topic/{name}.one,/queue/{name}", b"x")
    addresses = {receiver.receive().address, receiver.receive().address}
    assert addresses == {f"/topic/{name}.one", f"/queue/{name}"}


@pytest.mark.parametrize("sender_kind", TOPIC_DRIVERS, ids=lambda kind: f"from {kind.name}")
def test_a_rule_forwards_what_any_protocol_publishes(connect: Connect, name: str, sender_kind: type[Driver]) -> None:
    original, queue, copy = connect(PahoDriver), connect(AioPikaDriver), connect(StompPyDriver)
    original.subscribe(FROM)
    queue.subscribe(FORWARDED)
    copy.subscribe(COPY)
    body = name.encode()
    connect(sender_kind).publish(FROM, body)
    assert [driver.receive().body for driver in (original, queue, copy)] == [body] * 3


def test_a_forwarded_message_shows_the_address_that_it_went_to(connect: Connect, name: str) -> None:
    copy, queue = connect(PahoDriver), connect(PikaDriver)
    copy.subscribe(COPY)
    queue.subscribe(FORWARDED)
    connect(StompPyDriver).publish(FROM, name.encode())
    assert copy.receive().address == "interop/copy"
    assert queue.receive().address == "interop.forwarded"


@pytest.mark.parametrize("sender_kind", QUEUE_DRIVERS, ids=lambda kind: f"from {kind.name}")
def test_a_rule_that_keeps_nothing_leaves_the_original_queue_empty(
    connect: Connect, name: str, sender_kind: type[Driver]
) -> None:
    there, original, sender = connect(AmqttDriver), connect(PikaDriver), connect(sender_kind)
    there.subscribe(Topic("interop.moved.here"))
    sender.publish(Queue("interop.moved"), name.encode())
    assert there.receive().body == name.encode()
    answer = original.channel.queue_declare("interop.moved", durable=True)
    assert answer.method.message_count == 0
