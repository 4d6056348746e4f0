"""SUBSCRIBE and UNSUBSCRIBE."""

import pytest

from core.access import EVERYTHING, NamePattern, Permission, User
from core.model.names import DEFAULT_VHOST
from protocols.mqtt.session import SUBSCRIPTIONS_LIMIT, MqttSession
from tests.protocols.mqtt.peer import Answer, Client, Publish, subscribe, unsubscribe
from tests.protocols.world import World


class Exactly(NamePattern):
    """Covers one name."""

    def __init__(self, text: str) -> None:
        self.text = text

    def matches(self, name: str) -> bool:
        return name == self.text


def bindings(world: World) -> int:
    return len(world.broker.vhosts[DEFAULT_VHOST].exchange("amq.topic").bindings)


def test_each_filter_is_answered_by_itself(world: World) -> None:
    """[MQTT-3.8.4-4], [MQTT-3.8.4-5]"""
    user = User("limited")
    user.permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, EVERYTHING, read_topics=Exactly("a.*.#"))
    world.broker.users["limited"], world.passwords["limited"] = user, b"secret"
    client = Client(world, username="limited", password=b"secret")
    filters = (("a/+/#", 2), ("a/#", 2), ("/" * 128, 1), ("a/+/#", 1))
    assert client.send(subscribe(*filters, packet_id=77)) == [Answer("SUBACK", 77, b"\x02\x80\x80\x01")]
    (note,) = client.notes  # one for the packet, so that a client cannot fill the log with each of its filters
    assert note[0] == "subscription refused"
    assert note[1].endswith(", and 1 more")
    other = Client(world, "other")
    for topic in ("a", "a/b"):
        other.publish(topic, b"", 1)
    assert client.take() == [Publish("a/b", b"", 1, 1)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_overlapping_subscriptions_give_one_copy_with_the_highest_qos(world: World, order: tuple[int, ...]) -> None:
    """[MQTT-3.3.5-1]"""
    client = Client(world)
    client.subscribe(*zip(("a/b", "a/+", "#"), order, strict=True))
    assert client.publish("a/b", b"x", 2)[0] == Publish("a/b", b"x", 2, 1)
    assert client.send(unsubscribe(("a/b", "a/+", "#")[order.index(2)])) == [Answer("UNSUBACK", 1)]
    assert client.publish("a/b", b"y", 2)[0] == Publish("a/b", b"y", 1, 2)


def test_overlapping_subscriptions_of_two_clients_give_each_a_copy(world: World) -> None:
    one, other = Client(world, "one"), Client(world, "other")
    one.subscribe(("a/b", 0), ("a/+", 0))
    other.subscribe(("a/#", 0))
    one.publish("a/b", b"x")
    assert other.take() == [Publish("a/b", b"x")]


def test_subscribing_again_replaces_the_subscription(world: World) -> None:
    """[MQTT-3.8.4-3]"""
    client = Client(world)
    client.subscribe(("a/#", 2))
    before = bindings(world)
    client.subscribe(("a/#", 0))
    assert bindings(world) == before
    assert client.publish("a/b", b"x", 1) == [Publish("a/b", b"x"), Answer("PUBACK", 1)]
    client.subscribe(("a/#", 1))
    assert client.publish("a/b", b"x", 1) == [Publish("a/b", b"x", 1, 1), Answer("PUBACK", 1)]
    client.send(unsubscribe("a/#"))
    assert bindings(world) == before - 1
    assert client.publish("a/b", b"x", 1) == [Answer("PUBACK", 1)]


def test_unsubscribing_compares_filters_and_does_not_match_them(world: World) -> None:
    """[MQTT-3.10.4-1]"""
    client = Client(world)
    client.subscribe(("a/b", 0), ("a/+", 0))
    assert client.send(unsubscribe("a/+", "b", "#", packet_id=9)) == [Answer("UNSUBACK", 9)]
    assert client.publish("a/b", b"x") == [Publish("a/b", b"x")]
    assert client.publish("a/c", b"x") == []


def test_messages_are_hidden_from_leading_wildcards_by_a_dollar(world: World) -> None:
    """[MQTT-4.7.2-1]"""
    client = Client(world)
    client.subscribe(("#", 0), ("+/b", 0))
    assert client.publish("$a/b", b"x") == []
    client.subscribe(("$a/+", 0))
    assert client.publish("$a/b", b"x") == [Publish("$a/b", b"x")]


def test_a_star_is_a_character(world: World) -> None:
    client = Client(world)
    client.subscribe(("a/*", 0))
    assert client.publish("a/b", b"x") == []
    assert client.publish("a/*", b"x") == [Publish("a/*", b"x")]


def test_the_number_of_subscriptions_is_limited(world: World) -> None:
    client = Client(world)
    client.subscribe(("first", 0))
    session = world.broker.vhosts[DEFAULT_VHOST].sessions["c"]
    assert isinstance(session, MqttSession)
    first = session.subscriptions["first"]
    session.subscriptions.update({f"a/{number}": first for number in range(SUBSCRIPTIONS_LIMIT - 1)})
    assert client.send(subscribe(("one more", 0), ("first", 1))) == [Answer("SUBACK", 1, b"\x80\x01")]


def test_a_clean_session_leaves_nothing(world: World) -> None:
    before = bindings(world)
    client = Client(world)
    client.subscribe(("a/#", 1), ("b", 0))
    client.publish("a/b", b"x", 1)
    client.hang_up()
    assert bindings(world) == before
    assert world.broker.surroundings.usage.held_bytes == 0
    assert world.broker.vhosts[DEFAULT_VHOST].sessions == {}
