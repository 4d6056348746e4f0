"""Subscriptions in both versions: several filters in one packet, replacement, the end of one, and what matches."""

import pytest

from tests.protocols.mqtt.either import VERSIONS, Either, bodies, names
from tests.protocols.world import World

PUBACK, PUBREC, PUBCOMP = 0x40, 0x50, 0x70

both = pytest.mark.parametrize("version", VERSIONS)


@both
def test_several_filters_are_subscriptions_of_their_own(world: World, version: int) -> None:
    """[MQTT-3.8.4-4], [MQTT-3.8.4-5], [MQTT-3.8.4-6], [MQTT-3.8.4-7], [MQTT-3.9.3-1]"""
    client, sender = Either(world, version), Either(world, version, "sender")
    (suback,) = client.subscribe(("a", 2), ("b", 0), ("c", 1))
    assert suback.codes == b"\2\0\1"
    for topic in "abc":
        sender.publish(topic, b"x", 1)
    assert [(said.topic, said.qos) for said in client.take()] == [("a", 1), ("b", 0), ("c", 1)]


@both
def test_several_filters_end_one_by_one(world: World, version: int) -> None:
    """[MQTT-3.10.4-6], [MQTT-3.10.4-1], [MQTT-3.10.4-2], [MQTT-3.10.4-5]"""
    client, sender = Either(world, version), Either(world, version, "sender")
    client.subscribe(("a", 0), ("b", 0), ("a/+", 0))
    assert names(client.unsubscribe("a", "never", "a/+", packet_id=5)) == [("UNSUBACK", 5)]
    assert names(client.unsubscribe("never", packet_id=6)) == [("UNSUBACK", 6)]
    for topic in ("a", "a/b", "b"):
        sender.publish(topic, b"x")
    assert [said.topic for said in client.take()] == ["b"]


@both
def test_what_is_under_way_is_finished_after_the_subscription_has_ended(world: World, version: int) -> None:
    """[MQTT-3.10.4-2], [MQTT-3.10.4-3]"""
    client, sender = Either(world, version, clean=False), Either(world, version, "sender")
    client.subscribe(("t", 2))
    sender.publish("t", b"1", 1)
    sender.publish("t", b"2", 2)
    one, two = client.take()
    assert names(client.unsubscribe("t")) == [("UNSUBACK", 1)]
    sender.publish("t", b"3", 1)
    assert names(client.answer(PUBREC, two.packet_id)) == [("PUBREL", two.packet_id)]
    client.hang_up()
    client = Either(world, version, clean=False)
    assert sorted(names(client.greeted)) == [("PUBLISH", one.packet_id), ("PUBREL", two.packet_id)]
    assert client.answer(PUBACK, one.packet_id) == []
    assert client.answer(PUBCOMP, two.packet_id) == []
    client.hang_up()
    assert Either(world, version, clean=False).greeted == []


@both
def test_no_message_is_lost_while_a_subscription_is_replaced(world: World, version: int) -> None:
    """[MQTT-3.8.4-3], [MQTT-3.8.4-4]"""
    client, sender = Either(world, version, clean=False), Either(world, version, "sender")
    sender.publish("t", b"kept", 1, retain=True)
    assert bodies(client.subscribe(("t", 1))) == [b"kept"]
    sender.publish("t", b"before", 1)
    assert b"kept" in bodies(client.subscribe(("t", 2)))
    sender.publish("t", b"after", 2)
    client.hang_up()
    greeted = Either(world, version, clean=False).greeted
    assert sorted(bodies(greeted)) == [b"after", b"before", b"kept", b"kept"]


@both
@pytest.mark.parametrize(
    ("topic_filter", "topic"),
    [
        ("é", "é"),  # composed and not
        ("a/b", "A/b"),
        ("a", "a/"),
        ("a", "/a"),
        ("a//b", "a/b"),
        ("a b", "a  b"),
        ("\ufeffa", "a"),  # [MQTT-1.5.3-3], [MQTT-1.5.4-3]
    ],
)
def test_nothing_is_normalised(world: World, version: int, topic_filter: str, topic: str) -> None:
    """[MQTT-4.7.3-4], [MQTT-3.3.2-3]"""
    client = Either(world, version)
    client.subscribe((topic_filter, 0))
    client.publish(topic, b"other")
    assert [(said.topic, said.body) for said in client.publish(topic_filter, b"same")] == [(topic_filter, b"same")]


@both
def test_the_longest_topic_arrives(world: World, version: int) -> None:
    """[MQTT-4.7.3-3]: no string can say a longer one."""
    topic = "é" * 32_767
    client = Either(world, version)
    client.subscribe((topic, 0))
    assert [said.topic for said in client.publish(topic, b"x")] == [topic]


@both
def test_messages_of_one_topic_and_qos_keep_their_order(world: World, version: int) -> None:
    """[MQTT-4.6.0-5], [MQTT-4.6.0-6]"""
    client, sender = Either(world, version), Either(world, version, "sender")
    client.subscribe(("t", 2), ("#", 1))
    for number in range(30):
        sender.publish("t", b"%d" % number, number % 3, number + 1)
    came = client.take()
    for qos in range(3):
        assert bodies([said for said in came if said.qos == qos]) == [b"%d" % n for n in range(30) if n % 3 == qos]


@both
@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_the_lower_qos_of_both_is_delivered(world: World, version: int, published: int, granted: int) -> None:
    """[MQTT-3.8.4-6] of 3.1.1, [MQTT-3.8.4-8] of 5.0"""
    client, sender = Either(world, version), Either(world, version, "sender")
    client.subscribe(("t", granted))
    sender.publish("t", b"x", published)
    assert [said.qos for said in client.take()] == [min(published, granted)]


@both
@pytest.mark.parametrize(
    ("topic_filter", "matching", "others"),
    [
        ("sport/#", ["sport", "sport/", "sport/a/b"], ["sports", "/sport"]),
        ("#", ["a", "/", "a/$b"], ["$a", "$a/b"]),
        ("+", ["a"], ["/", "a/b", "$a"]),
        ("+/+", ["/", "a/", "/a", "a/b"], ["a", "$a/b"]),
        ("$a/+", ["$a/b"], ["$b/b", "a/b"]),
        ("a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b/b/c"]),
    ],
)
def test_wildcards_stand_for_levels(
    world: World, version: int, topic_filter: str, matching: list[str], others: list[str]
) -> None:
    """[MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.2-1], [MQTT-3.3.2-3]; in 5.0 [MQTT-4.7.1-1]"""
    client, sender = Either(world, version), Either(world, version, "sender")
    client.subscribe((topic_filter, 0))
    for topic in (*others, *matching):
        sender.publish(topic, b"x")
    assert [said.topic for said in client.take()] == matching


@both
@pytest.mark.parametrize("topic_filter", ["a#", "a/#/b", "#/", "a+", "+a/b", "a/b+/c"])
def test_a_wildcard_in_a_wrong_place_subscribes_to_nothing(world: World, version: int, topic_filter: str) -> None:
    """[MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.8.0-1]: 3.1.1 closes, and 5.0 has a code for the filter."""
    client = Either(world, version)
    said = client.subscribe((topic_filter, 0))
    assert [packet.codes for packet in said] == [b"\x8f"] * (version == 5)
    assert client.closed is (version == 4)


@both
@pytest.mark.parametrize("topic", ["a/#", "+", "a+b", ""])
def test_a_topic_name_that_is_none_ends_the_connection(world: World, version: int, topic: str) -> None:
    """[MQTT-3.3.2-2], [MQTT-4.7.1-1], [MQTT-4.7.0-1], [MQTT-4.7.3-1]"""
    watcher = Either(world, version, "watcher")
    watcher.subscribe(("#", 0))
    client = Either(world, version)
    client.publish(topic, b"x", 1)
    assert client.closed
    assert watcher.take() == []


@both
def test_a_filter_of_no_characters_ends_the_connection(world: World, version: int) -> None:
    """[MQTT-4.7.3-1]"""
    for filters in (True, False):
        client = Either(world, version)
        said = client.subscribe(("", 0)) if filters else client.unsubscribe("")
        assert [packet.codes for packet in said] == [b"\x81"] * (version == 5)
        assert client.closed
