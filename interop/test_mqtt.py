"""MQTT 3.1.1 as its clients see it: QoS, retained messages, wills, sessions."""

from typing import Final

import pytest

from interop.clients import AioPikaDriver, AmqttDriver, Connect, PahoDriver, StompPyDriver, Topic
from interop.clients.paho_client import Will

QOS: Final = (0, 1, 2)
CLIENTS: Final = (PahoDriver, AmqttDriver)

both_senders = pytest.mark.parametrize("sender_kind", CLIENTS, ids=lambda kind: f"from {kind.name}")
both_receivers = pytest.mark.parametrize("receiver_kind", CLIENTS, ids=lambda kind: f"to {kind.name}")


@both_senders
@both_receivers
@pytest.mark.parametrize("published", QOS)
@pytest.mark.parametrize("subscribed", QOS)
def test_the_delivered_qos_is_the_lower_of_both(
    connect: Connect,
    name: str,
    sender_kind: type[PahoDriver],
    receiver_kind: type[PahoDriver],
    published: int,
    subscribed: int,
) -> None:
    """[MQTT-3.8.4-6]"""
    receiver, sender = connect(receiver_kind), connect(sender_kind)
    assert receiver.subscribe_filter(f"{name}/#", qos=subscribed) == subscribed
    for number in range(5):
        sender.publish_topic(f"{name}/a", b"%d" % number, qos=published)
    received = [receiver.receive() for _ in range(5)]
    assert [message.body for message in received] == [b"%d" % number for number in range(5)]
    assert {message.properties["qos"] for message in received} == {min(published, subscribed)}


def test_an_exactly_once_message_comes_once(connect: Connect, name: str) -> None:
    receiver, sender = connect(PahoDriver), connect(PahoDriver)
    receiver.subscribe_filter(name, qos=2)
    bodies = [b"%d" % number for number in range(100)]
    for body in (*bodies, b"end"):
        sender.publish_topic(name, body, qos=2)
    assert [receiver.receive().body for _ in range(101)] == [*bodies, b"end"]


@both_receivers
@pytest.mark.parametrize("qos", QOS)
def test_a_retained_message_greets_a_later_subscriber(
    connect: Connect, name: str, receiver_kind: type[PahoDriver], qos: int
) -> None:
    """[MQTT-3.3.1-6]"""
    sender = connect(PahoDriver)
    sender.publish_topic(f"{name}/a", b"old", qos=qos, retain=True)
    sender.publish_topic(f"{name}/a", b"kept", qos=qos, retain=True)
    sender.publish_topic(f"{name}/a", b"passing", qos=1)
    receiver = connect(receiver_kind)
    receiver.subscribe_filter(f"{name}/+", qos=2)
    message = receiver.receive()
    assert (message.body, message.properties["retain"], message.properties["qos"]) == (b"kept", True, qos)
    sender.publish_topic(f"{name}/a", b"live", qos=1, retain=True)
    live = receiver.receive()
    assert (live.body, live.properties["retain"]) == (b"live", False)  # [MQTT-3.3.1-9]


def test_an_empty_retained_message_removes_the_kept_one(connect: Connect, name: str) -> None:
    """[MQTT-3.3.1-10], [MQTT-3.3.1-11]"""
    sender, receiver = connect(PahoDriver), connect(PahoDriver)
    sender.publish_topic(f"{name}/a", b"kept", qos=1, retain=True)
    sender.publish_topic(f"{name}/b", b"stays", qos=1, retain=True)
    sender.publish_topic(f"{name}/a", b"", qos=1, retain=True)
    receiver.subscribe_filter(f"{name}/#", qos=1)
    assert receiver.receive().body == b"stays"
    sender.publish_topic(f"{name}/end", b"end", qos=1)
    assert receiver.receive().body == b"end"


def test_other_protocols_see_a_retained_message_when_it_is_published_and_not_later(connect: Connect, name: str) -> None:
    """The retain flag is MQTT's own: to the others it is a message like any."""
    early, sender = connect(AioPikaDriver), connect(PahoDriver)
    early.subscribe(Topic(f"{name}.#"))
    sender.publish_topic(f"{name}/a", b"kept", qos=1, retain=True)
    assert early.receive().body == b"kept"
    late = connect(AioPikaDriver), connect(StompPyDriver)
    for client in late:
        client.subscribe(Topic(f"{name}.#"))
    sender.publish_topic(f"{name}/b", b"next", qos=1)
    assert [client.receive().body for client in late] == [b"next", b"next"]


@pytest.mark.parametrize("retain", [False, True])
def test_a_will_is_published_when_the_socket_ends(connect: Connect, name: str, retain: bool) -> None:
    """[MQTT-3.1.2-8], seen by a client of each protocol."""
    by_mqtt, by_amqp, by_stomp = connect(AmqttDriver), connect(AioPikaDriver), connect(StompPyDriver)
    for watcher in (by_mqtt, by_amqp, by_stomp):
        watcher.subscribe(Topic(f"{name}.gone"))
    connect(PahoDriver, name, will=Will(f"{name}/gone", b"last words", 1, retain)).vanish()
    assert [watcher.receive().body for watcher in (by_mqtt, by_amqp, by_stomp)] == [b"last words"] * 3
    late = connect(PahoDriver)
    late.subscribe(Topic(f"{name}.gone"))
    by_mqtt.publish_topic(f"{name}/gone", b"later", qos=1)
    assert late.receive().body == (b"last words" if retain else b"later")


def test_a_will_is_dropped_by_a_proper_good_bye(connect: Connect, name: str) -> None:
    """[MQTT-3.1.2-10]"""
    watcher = connect(PahoDriver)
    watcher.subscribe(Topic(f"{name}.#"))
    leaving = connect(PahoDriver, name, will=Will(f"{name}/gone", b"last words", 1))
    leaving.publish_topic(f"{name}/bye", b"bye", qos=1)
    leaving.close()
    # The same client id comes back, so the broker has certainly seen the first connection end.
    connect(PahoDriver, name).publish_topic(f"{name}/back", b"back", qos=1)
    assert [watcher.receive().body, watcher.receive().body] == [b"bye", b"back"]


@both_receivers
@pytest.mark.parametrize("qos", [1, 2])
def test_a_persistent_session_keeps_what_came_while_its_client_was_away(
    connect: Connect, name: str, receiver_kind: type[PahoDriver], qos: int
) -> None:
    """[MQTT-3.1.2-5], with messages of all three protocols."""
    away = connect(receiver_kind, name, clean=False)
    away.subscribe_filter(f"{name}/#", qos)
    away.close()
    for sender in (connect(PahoDriver), connect(AioPikaDriver), connect(StompPyDriver)):
        sender.publish(Topic(f"{name}.{sender.protocol}"), sender.protocol.encode(), durable=True)
    back = connect(receiver_kind, name, clean=False)
    assert [back.receive().address for _ in range(3)] == [f"{name}/mqtt", f"{name}/amqp", f"{name}/stomp"]
    back.publish_topic(f"{name}/live", b"live", qos=1)
    assert back.receive().body == b"live"


def test_session_present_tells_whether_there_was_a_session(connect: Connect, name: str) -> None:
    """[MQTT-3.2.2-2], [MQTT-3.1.2-6]"""
    seen = []
    for clean in (False, False, True, False):
        client = connect(PahoDriver, name, clean=clean)
        seen.append(client.session_present)
        client.close()
    assert seen == [False, True, False, False]


def test_a_clean_session_forgets_subscriptions(connect: Connect, name: str) -> None:
    first = connect(PahoDriver, name, clean=False)
    first.subscribe_filter(f"{name}/old", qos=1)
    first.close()
    second = connect(PahoDriver, name, clean=True)
    second.subscribe_filter(f"{name}/new", qos=1)
    second.publish_topic(f"{name}/old", b"old", qos=1)
    second.publish_topic(f"{name}/new", b"new", qos=1)
    assert second.receive().body == b"new"


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "persistent"])
def test_a_second_client_of_one_id_takes_the_session_over(connect: Connect, name: str, clean: bool) -> None:
    """[MQTT-3.1.4-2]"""
    first = connect(PahoDriver, name, clean=clean)
    first.subscribe_filter(f"{name}/#", qos=1)
    second = connect(PahoDriver, name, clean=clean)
    assert first.closed.wait(10), "the first client was not disconnected"
    assert second.session_present is not clean
    if clean:
        second.subscribe_filter(f"{name}/#", qos=1)
    connect(AioPikaDriver).publish(Topic(f"{name}.x"), b"to the second", durable=True)
    assert second.receive().body == b"to the second"


def test_overlapping_subscriptions_get_the_highest_qos(connect: Connect, name: str) -> None:
    """[MQTT-3.3.5-1]: one copy or one each, but the highest QoS is among them."""
    receiver = connect(PahoDriver)
    receiver.subscribe_filter(f"{name}/a", qos=0)
    receiver.subscribe_filter(f"{name}/+", qos=2)
    receiver.publish_topic(f"{name}/a", b"x", qos=2)
    receiver.publish_topic(f"{name}/end", b"end", qos=2)
    copies = []
    while (message := receiver.receive()).body != b"end":
        copies.append(message.properties["qos"])
    assert max(copies) == 2
