"""Topic space seen from three protocols: wildcards, literal dots and slashes, names that look like wildcards.

That something did not arrive is shown by a later message of the same publisher that did.
"""

from typing import Final

import pytest

from interop.clients import (
    TOPIC_DRIVERS,
    AioPikaDriver,
    AmqttDriver,
    Connect,
    Driver,
    PahoDriver,
    StomperDriver,
    StompPyDriver,
    Topic,
)

SENDERS: Final = (AioPikaDriver, PahoDriver, StompPyDriver)

# (pattern, keys that it matches, keys that it does not) in AMQP's form; each driver says it in its own.
PATTERNS: Final = (
    ("a.*.#", ("a.b", "a.b.c", "a.b.c.d"), ("a", "b.a", "x.a.b")),
    ("a.#", ("a", "a.b", "a.b.c"), ("b", "b.a", "aa.b")),
    ("a.*", ("a.b", "a.c"), ("a", "a.b.c")),
    ("*.b", ("a.b", "c.b"), ("b", "a.b.c", "a.c.b")),
    ("a.*.c", ("a.b.c", "a.a.c"), ("a.c", "a.b.b.c", "a.b.d")),
)

every_receiver = pytest.mark.parametrize("receiver_kind", TOPIC_DRIVERS, ids=lambda kind: f"to {kind.name}")
every_sender = pytest.mark.parametrize("sender_kind", SENDERS, ids=lambda kind: f"from {kind.protocol}")


@every_sender
@every_receiver
@pytest.mark.parametrize(("pattern", "matching", "others"), PATTERNS, ids=[row[0] for row in PATTERNS])
def test_a_wildcard_means_the_same_in_every_protocol(
    connect: Connect,
    name: str,
    sender_kind: type[Driver],
    receiver_kind: type[Driver],
    pattern: str,
    matching: tuple[str, ...],
    others: tuple[str, ...],
) -> None:
    receiver, sender = connect(receiver_kind), connect(sender_kind)
    receiver.subscribe(Topic(f"{name}.{pattern}"))
    for key in (*others, *matching):
        sender.publish(Topic(f"{name}.{key}"), key.encode())
    assert [receiver.receive().body.decode() for _ in matching] == list(matching)


@pytest.mark.parametrize("receiver_kind", [PahoDriver, AmqttDriver], ids=lambda kind: kind.name)
def test_a_slash_in_a_key_is_a_dot_in_a_topic(connect: Connect, name: str, receiver_kind: type[Driver]) -> None:
    receiver = connect(receiver_kind)
    receiver.subscribe(Topic(f"{name}.#"))
    connect(AioPikaDriver).publish(Topic(f"{name}.b/c"), b"amqp")
    connect(StompPyDriver).publish(Topic(f"{name}.b/c"), b"stomp")
    assert [(m.address, m.body) for m in (receiver.receive(), receiver.receive())] == [
        (f"{name}/b.c", b"amqp"),
        (f"{name}/b.c", b"stomp"),
    ]


def test_a_dot_in_a_topic_is_a_slash_in_a_key(connect: Connect, name: str) -> None:
    by_amqp, by_stomp, sender = connect(AioPikaDriver), connect(StomperDriver), connect(PahoDriver)
    by_amqp.subscribe(Topic(f"{name}.*"))
    by_stomp.subscribe(Topic(f"{name}.*"))
    sender.publish_topic(f"{name}/b.c", b"x")
    assert by_amqp.receive().address == f"{name}.b/c"
    assert by_stomp.receive().address == f"/topic/{name}.b%2Fc"


@pytest.mark.parametrize("topic", ["a.b/c", "1.5/v2.0", "a//b", "/a", "a/", "ä/ö.ü", "a b/c", "*/x", "a/*.-"])
def test_a_topic_survives_the_round_trip_through_amqp(connect: Connect, name: str, topic: str) -> None:
    """MQTT to a key, and that key published again to MQTT, is the topic that it was."""
    topic = f"{name}/{topic}"
    receiver, sender, between = connect(PahoDriver), connect(AmqttDriver), connect(AioPikaDriver)
    between.subscribe(Topic(f"{name}.#"))
    sender.publish_topic(topic, b"there")
    key = between.receive().address
    assert receiver.subscribe_filter(topic, qos=1) == 1
    between.publish(Topic(key), b"back")
    returned = receiver.receive()
    assert (returned.address, returned.body) == (topic, b"back")


def test_a_star_in_a_topic_is_no_wildcard(connect: Connect, name: str) -> None:
    literal, sender = connect(PahoDriver), connect(StompPyDriver)
    assert literal.subscribe_filter(f"{name}/*", qos=1) == 1
    sender.publish(Topic(f"{name}.other"), b"not this")
    connect(PahoDriver).publish_topic(f"{name}/*", b"this", qos=1)
    assert literal.receive().body == b"this"


def test_a_leading_wildcard_does_not_see_dollar_topics(connect: Connect, name: str) -> None:
    """[MQTT-4.7.2-1]"""
    receiver, sender = connect(PahoDriver), connect(AioPikaDriver)
    assert receiver.subscribe_filter(f"+/{name}/#", qos=1) == 1
    sender.publish(Topic(f"$hidden.{name}.x"), b"not this")
    sender.publish(Topic(f"open.{name}.x"), b"this")
    assert receiver.receive().body == b"this"


def test_unsubscribing_ends_the_copies(connect: Connect, name: str) -> None:
    receiver, sender = connect(PahoDriver), connect(AioPikaDriver)
    receiver.subscribe_filter(f"{name}/a", qos=1)
    receiver.subscribe_filter(f"{name}/b", qos=1)
    receiver.unsubscribe(f"{name}/a")
    sender.publish(Topic(f"{name}.a"), b"not this")
    sender.publish(Topic(f"{name}.b"), b"this")
    assert receiver.receive().body == b"this"
