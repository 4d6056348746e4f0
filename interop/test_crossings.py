"""Every client publishes to every client, with bodies that are any bytes."""

from typing import Final

import pytest

from interop.clients import QUEUE_DRIVERS, TOPIC_DRIVERS, Address, Connect, Driver, Queue, Topic

BODIES: Final = {
    "empty": b"",
    "one byte": b"\0",
    "every byte": bytes(range(256)),
    "1 MiB": bytes(range(256)) * 4096,
}
NATIVE_TOPICS: Final = {"amqp": "{0}.b.c", "mqtt": "{0}/b/c", "stomp": "/topic/{0}.b.c"}
NATIVE_QUEUES: Final = {"amqp": "{0}", "stomp": "/queue/{0}"}

to_topic_clients = pytest.mark.parametrize("receiver_kind", TOPIC_DRIVERS, ids=lambda kind: f"to {kind.name}")
from_topic_clients = pytest.mark.parametrize("sender_kind", TOPIC_DRIVERS, ids=lambda kind: f"from {kind.name}")
to_queue_clients = pytest.mark.parametrize("receiver_kind", QUEUE_DRIVERS, ids=lambda kind: f"to {kind.name}")
from_queue_clients = pytest.mark.parametrize("sender_kind", QUEUE_DRIVERS, ids=lambda kind: f"from {kind.name}")


@from_topic_clients
@to_topic_clients
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_crosses_topic_space_unchanged(
    connect: Connect, name: str, sender_kind: type[Driver], receiver_kind: type[Driver], body: bytes
) -> None:
    receiver, sender = connect(receiver_kind), connect(sender_kind)
    receiver.subscribe(Topic(f"{name}.b.c"))
    sender.publish(Topic(f"{name}.b.c"), body)
    received = receiver.receive()
    assert received.body == body
    assert received.address == NATIVE_TOPICS[receiver.protocol].format(name)


@from_queue_clients
@to_queue_clients
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_crosses_queue_space_unchanged(
    connect: Connect, name: str, sender_kind: type[Driver], receiver_kind: type[Driver], body: bytes
) -> None:
    receiver, sender = connect(receiver_kind), connect(sender_kind)
    receiver.subscribe(Queue(name))
    sender.publish(Queue(name), body)
    received = receiver.receive()
    assert received.body == body
    assert received.address == NATIVE_QUEUES[receiver.protocol].format(name)


@from_queue_clients
@to_queue_clients
def test_a_queue_keeps_messages_for_a_consumer_that_comes_later(
    connect: Connect, name: str, sender_kind: type[Driver], receiver_kind: type[Driver]
) -> None:
    sender = connect(sender_kind)
    for number in range(3):
        sender.publish(Queue(name), b"%d" % number)
    sender.close()
    receiver = connect(receiver_kind)
    receiver.subscribe(Queue(name))
    assert [receiver.receive().body for _ in range(3)] == [b"0", b"1", b"2"]


@from_topic_clients
@to_topic_clients
@pytest.mark.parametrize("durable", [False, True], ids=["transient", "durable"])
def test_order_and_durability_survive_the_crossing(
    connect: Connect, name: str, sender_kind: type[Driver], receiver_kind: type[Driver], durable: bool
) -> None:
    receiver, sender = connect(receiver_kind), connect(sender_kind)
    receiver.subscribe(Topic(f"{name}.#"))
    bodies = [b"%d" % number for number in range(20)]
    for body in bodies:
        sender.publish(Topic(f"{name}.x"), body, durable=durable)
    received = [receiver.receive() for _ in bodies]
    assert [message.body for message in received] == bodies
    assert {message.durable for message in received} == {durable}


@pytest.mark.parametrize("address", [Topic("b.c"), Queue("q")], ids=["topic", "queue"])
def test_one_message_reaches_each_protocol_once(connect: Connect, name: str, address: Address) -> None:
    """A queue gives each message to one consumer, a topic gives a copy to each subscriber."""
    kinds = TOPIC_DRIVERS if isinstance(address, Topic) else QUEUE_DRIVERS
    place: Address = Topic(f"{name}.{address.key}") if isinstance(address, Topic) else Queue(name)
    receivers = [connect(kind) for kind in kinds]
    for receiver in receivers:
        receiver.subscribe(place)
    rounds = len(kinds) if isinstance(address, Queue) else 1
    for number in range(rounds):
        connect(kinds[0]).publish(place, b"%d" % number)
    bodies = sorted(receiver.receive().body for receiver in receivers)
    assert bodies == sorted([b"0"] * len(kinds) if isinstance(address, Topic) else [b"%d" % n for n in range(rounds)])
