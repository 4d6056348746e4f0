"""SUBSCRIBE and UNSUBSCRIBE of MQTT 5.0: options, identifiers, overlapping subscriptions, reason codes."""

import pytest

from core.access import EVERYTHING, NamePattern, Permission, User
from tests.protocols.mqtt.peer5 import Client5, publish5, subscribe5, unsubscribe5
from tests.protocols.world import World

NO_LOCAL, AS_PUBLISHED, IF_NEW, NEVER = 0x04, 0x08, 0x10, 0x20


@pytest.mark.parametrize("qos", [0, 1])
def test_no_local_keeps_a_client_from_its_own_messages(world: World, qos: int) -> None:
    """[MQTT-3.8.3-3]"""
    client, other = Client5(world), Client5(world, "other")
    client.subscribe(("t", qos | NO_LOCAL))
    assert [said.name for said in client.publish("t", b"mine", qos)] == ["PUBACK"] * qos
    other.publish("t", b"theirs", qos)
    assert [said.body for said in client.take()] == [b"theirs"]


def test_no_local_is_for_its_own_subscription_only(world: World) -> None:
    client, other = Client5(world), Client5(world, "other")
    client.subscribe(("t", 2 | NO_LOCAL), subscription_identifier=1)
    client.subscribe(("+", 1), subscription_identifier=2)
    mine = [said for said in client.send(publish5("t", b"mine", 2)) if said.name == "PUBLISH"]
    assert [(said.qos, said.said) for said in mine] == [(1, {"subscription_identifier": [2]})]
    other.publish("t", b"theirs", 2)
    (theirs,) = client.take()
    assert (theirs.qos, sorted(theirs.said["subscription_identifier"])) == (2, [1, 2])


@pytest.mark.parametrize("qos", [0, 1])
def test_the_retain_flag_stays_as_published_when_asked(world: World, qos: int) -> None:
    """[MQTT-3.3.1-12], [MQTT-3.3.1-13]"""
    plain, asked, sender = Client5(world, "plain"), Client5(world, "asked"), Client5(world, "sender")
    plain.subscribe(("t", qos))
    asked.subscribe(("t", qos | AS_PUBLISHED))
    for retain in (True, False):
        sender.publish("t", b"x", qos, retain=retain)
        assert [said.retain for said in plain.take()] == [False]
        assert [said.retain for said in asked.take()] == [retain]


def test_retain_handling(world: World) -> None:
    """[MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]"""
    Client5(world, "sender").publish("t", b"kept", retain=True, content_type="x")
    client = Client5(world)
    assert client.subscribe(("t", NEVER)) == []
    assert client.subscribe(("t", IF_NEW)) == []
    (kept,) = client.subscribe(("t", 0))
    assert (kept.body, kept.retain, kept.said) == (b"kept", True, {"content_type": "x"})
    client.send(unsubscribe5("t"))
    assert [said.retain for said in client.subscribe(("t", IF_NEW))] == [True]


@pytest.mark.parametrize("qos", [0, 1])
def test_every_matching_identifier_is_on_the_one_copy(world: World, qos: int) -> None:
    """[MQTT-3.3.4-2], [MQTT-3.3.4-3], [MQTT-3.3.4-4]"""
    client, sender = Client5(world), Client5(world, "sender")
    client.subscribe(("a/#", 0), ("a/+", 1), subscription_identifier=1)
    client.subscribe(("a/b", 0), subscription_identifier=268_435_455)
    client.subscribe(("#", 0))
    sender.publish("a/b", b"x", qos)
    (message,) = client.take()
    assert message.qos == qos
    assert sorted(message.said["subscription_identifier"]) == [1, 268_435_455]
    sender.publish("c", b"x", qos)
    assert [said.said for said in client.take()] == [{}]


def test_a_retained_message_has_the_identifier_too(world: World) -> None:
    """[MQTT-3.3.4-3]"""
    Client5(world, "sender").publish("t", b"kept", 1, retain=True)
    (kept,) = Client5(world).subscribe(("t", 1), subscription_identifier=5)
    assert kept.said == {"subscription_identifier": [5]}


def test_a_subscription_is_replaced_with_its_options(world: World) -> None:
    """[MQTT-3.8.4-3]"""
    client, sender = Client5(world), Client5(world, "sender")
    client.subscribe(("t", 1 | NO_LOCAL), subscription_identifier=5)
    client.subscribe(("t", 0))
    client.publish("t", b"mine")
    sender.publish("t", b"x", 1)
    assert [(said.body, said.qos, said.said) for said in client.take()] == [(b"x", 0, {})]


def test_each_filter_has_its_own_code(world: World) -> None:
    """[MQTT-3.8.4-6], [MQTT-3.9.3-1], [MQTT-3.9.3-2]"""
    client = Client5(world)
    (answer,) = client.send(
        subscribe5(("a", 2), ("a/#/b", 1), ("$share/g/a", 1), ("$share/g", 1), ("b", 0), packet_id=77)
    )
    assert (answer.name, answer.packet_id, answer.codes) == ("SUBACK", 77, b"\x02\x8f\x01\x8f\x00")
    assert "a/#/b" in answer.said["reason_string"]


def test_unsuback_tells_what_there_was(world: World) -> None:
    """[MQTT-3.10.4-4], [MQTT-3.10.4-5], [MQTT-3.10.4-6], [MQTT-3.11.3-1]"""
    client = Client5(world)
    client.subscribe(("a", 0), ("b", 0))
    (answer,) = client.send(unsubscribe5("a", "c", "b", "a", packet_id=8))
    assert (answer.name, answer.packet_id, answer.codes) == ("UNSUBACK", 8, b"\x00\x11\x00\x11")
    client.publish("a", b"x")
    assert client.take() == []


class Mine(NamePattern):
    """The topics of one client."""

    def matches(self, name: str) -> bool:
        return name.startswith("mine.")


def test_a_subscription_that_may_not_be_made_says_so(world: World) -> None:
    limited = User("limited")
    limited.permissions["/"] = Permission(EVERYTHING, EVERYTHING, EVERYTHING, read_topics=Mine())
    world.broker.users["limited"], world.passwords["limited"] = limited, b"x"
    client = Client5(world, username="limited", password=b"x")
    (answer,) = client.send(subscribe5(("mine/a", 1), ("theirs/a", 1)))
    assert answer.codes == b"\x01\x87"
