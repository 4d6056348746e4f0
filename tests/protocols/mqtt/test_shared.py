"""Shared subscriptions: who gets what, and who may share (MQTT 5.0 §4.8.2)."""

from typing import Final

import pytest

from core.access import EVERYTHING, NamePattern, Permission, User
from core.model.message import plain_message
from core.model.names import DEFAULT_VHOST
from protocols.connection import DIRECT_LIMIT_BYTES, HIGH_WATER_BYTES
from protocols.mqtt.deliveries import FEEDS_LIMIT
from protocols.mqtt.session import MqttSession
from tests.protocols.mqtt.members import PERSISTENT, SHARED, acknowledge, assert_nothing_is_left, bodies, feed, member
from tests.protocols.mqtt.peer import Answer, Client, Publish, subscribe
from tests.protocols.mqtt.peer5 import Client5, Packet, publish5, read, subscribe5, unsubscribe5
from tests.protocols.world import World


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_members_get_messages_in_turn(world: World, qos: int) -> None:
    members = [member(world, name, qos) for name in "abc"]
    feed(world, 7, qos)
    got = [client.take() for client in members]
    assert [bodies(said) for said in got] == [[b"0", b"3", b"6"], [b"1", b"4"], [b"2", b"5"]]
    assert {packet.qos for said in got for packet in said} == {qos}


def test_clients_of_all_versions_share(world: World) -> None:
    newer, older, oldest = member(world, "newer"), Client(world, "older"), Client(world, "oldest", level=3)
    older.subscribe((SHARED, 1))
    oldest.subscribe((SHARED, 1))
    feed(world, 3)
    assert bodies(newer.take()) == [b"0"]
    assert older.take() == [Publish("t/a", b"1", 1, 1)]
    assert oldest.take() == [Publish("t/a", b"2", 1, 1)]


def test_a_member_without_credit_is_passed_over(world: World) -> None:
    slow, quick = member(world, "slow", receive_maximum=1), member(world, "quick")
    feed(world, 5)
    (first,) = slow.take()
    assert bodies(quick.take()) == [b"1", b"2", b"3", b"4"]
    acknowledge(slow, first)
    feed(world, 2, first=5)
    assert bodies(slow.take()) + bodies(quick.take()) in ([b"5", b"6"], [b"6", b"5"])


def test_what_nobody_has_credit_for_waits(world: World) -> None:
    one, other = member(world, "one", receive_maximum=1), member(world, "other", receive_maximum=1)
    feed(world, 4)
    (first,), (second,) = one.take(), other.take()
    assert bodies(acknowledge(other, second)) == [b"2"]
    assert bodies(acknowledge(one, first)) == [b"3"]


def test_the_window_is_one_for_all_that_a_client_gets(world: World) -> None:
    """[MQTT-3.3.4-9]"""
    client = Client5(world, receive_maximum=2)
    client.subscribe(("t/a", 1))
    client.subscribe((SHARED, 1))
    client.subscribe(("$share/other/t/#", 1))
    sender = Client5(world, "sender")
    sender.publish("t/a", b"x", 1)
    sender.publish("t/a", b"y", 1)
    got: list[Packet] = client.take()
    for number in range(6):
        assert len(got) == min(number + 2, 6)
        got += acknowledge(client, got[number])
    assert sorted(bodies(got)) == [b"x"] * 3 + [b"y"] * 3


def test_what_is_under_way_counts_when_a_client_shares_from_then_on(world: World) -> None:
    """[MQTT-3.3.4-9]"""
    client = Client5(world, receive_maximum=2)
    client.subscribe(("t/a", 1))
    feed(world, 2)
    first, _ = client.take()
    client.send(unsubscribe5("t/a"))
    client.subscribe((SHARED, 1))
    feed(world, 2, first=2)
    assert client.take() == []
    assert bodies(acknowledge(client, first)) == [b"2"]


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_the_window_is_that_of_the_present_connection(world: World, before: int, after: int) -> None:
    """[MQTT-3.3.4-9]"""
    client = member(world, "c", receive_maximum=before, **PERSISTENT)
    feed(world, 6)
    assert len(client.take()) == before
    client.hang_up()
    back = Client5(world, "c", receive_maximum=after, **PERSISTENT)
    got = back.greeted
    for number in range(6):
        assert len(got) == min(number + after, 6)
        got += acknowledge(back, got[number])
    assert bodies(got) == [b"%d" % number for number in range(6)]


def test_each_member_gets_the_qos_it_was_granted(world: World) -> None:
    """[MQTT-4.8.2-3]"""
    members = [member(world, name, qos) for qos, name in enumerate("abc")]
    feed(world, 3, 2)
    assert [(packet.body, packet.qos) for client in members for packet in client.take()] == [
        (b"0", 0),
        (b"1", 1),
        (b"2", 2),
    ]


def test_subscribing_again_replaces_the_membership(world: World) -> None:
    """[MQTT-3.8.4-3]"""
    client, other = member(world, "c"), member(world, "other")
    client.subscribe((SHARED, 0), subscription_identifier=7)
    feed(world, 4)
    assert len(other.take()) == 2
    assert [(said.qos, said.said) for said in client.take()] == [(0, {"subscription_identifier": [7]})] * 2


def test_each_group_and_each_ordinary_subscription_has_a_copy(world: World) -> None:
    client, other = member(world, "c"), member(world, "other")
    client.subscribe(("t/#", 1))
    client.subscribe(("$share/second/t/#", 1))
    other.subscribe(("$share/g/t/+", 1))
    feed(world, 2)
    assert sorted(bodies(client.take()) + bodies(other.take())) == [b"0"] * 4 + [b"1"] * 4


def test_options_are_those_of_the_member(world: World) -> None:
    plain, asked = Client5(world, "plain"), Client5(world, "asked")
    plain.subscribe((SHARED, 1), subscription_identifier=1)
    asked.subscribe((SHARED, 1 | 0x08), subscription_identifier=2)
    sender = Client5(world, "sender")
    for _ in range(2):
        sender.publish("t/a", b"x", 1, retain=True)
    assert [(said.retain, said.said) for said in plain.take()] == [(False, {"subscription_identifier": [1]})]
    assert [(said.retain, said.said) for said in asked.take()] == [(True, {"subscription_identifier": [2]})]


@pytest.mark.parametrize("qos", [0, 1])
def test_retained_messages_are_not_sent_to_a_shared_subscription(world: World, qos: int) -> None:
    """[MQTT-3.3.1-9] and MQTT 5.0 §4.8.2"""
    Client5(world, "sender").publish("t/a", b"kept", 1, retain=True)
    client = Client5(world)
    assert client.subscribe((SHARED, qos)) == []
    assert client.take() == []


BAD_NAMES: Final = ["$share/", "$share//t", "$share/g", "$share/g/", "$share/+/t", "$share/#/t"]
BAD_FILTERS: Final = ["$share/g/a/#/b", "$share/g/a+", "$share/g/$share/g/t", "$share/g/$queue/q", "$share/a+b/t"]


@pytest.mark.parametrize("topic_filter", [*BAD_NAMES, *BAD_FILTERS])
def test_what_is_no_shared_subscription_is_refused(world: World, topic_filter: str) -> None:
    """[MQTT-4.8.2-1], [MQTT-4.8.2-2]"""
    client = Client5(world)
    (answer,) = client.send(subscribe5((topic_filter, 1), ("b", 1)))
    assert answer.codes == b"\x8f\x01"
    assert "topic filter" in answer.said["reason_string"]
    assert world.broker.vhosts[DEFAULT_VHOST].groups == {}


@pytest.mark.parametrize("topic_filter", [name for name in BAD_NAMES if "#" not in name])
def test_what_is_no_shared_subscription_is_refused_in_the_older_versions_too(world: World, topic_filter: str) -> None:
    assert Client(world).send(subscribe((topic_filter, 1))) == [Answer("SUBACK", 1, b"\x80")]


def test_no_local_on_a_shared_subscription_is_a_mistake(world: World) -> None:
    """[MQTT-3.8.3-4]"""
    client = Client5(world)
    (goodbye,) = client.send(subscribe5((SHARED, 1 | 0x04)))
    assert (goodbye.name, goodbye.codes) == ("DISCONNECT", b"\x82")
    assert client.closed


class OfClients(NamePattern):
    """The topics below `t`, in the core's form."""

    def matches(self, name: str) -> bool:
        return name.startswith("t.")


def test_permissions_are_asked_for_the_filter_inside(world: World) -> None:
    user = User("limited")
    user.permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, EVERYTHING, read_topics=OfClients())
    world.broker.users["limited"], world.passwords["limited"] = user, b"x"
    client = Client5(world, username="limited", password=b"x", **PERSISTENT)
    (answer,) = client.send(subscribe5((SHARED, 1), ("$share/t.g/secret/#", 1), ("$share/t.g/#", 1)))
    assert answer.codes == b"\x01\x87\x87"
    client.hang_up()
    user.permissions[DEFAULT_VHOST].read_topics = EVERYTHING
    user.permissions[DEFAULT_VHOST].patterns = (EVERYTHING, EVERYTHING, OfClients())
    again = Client5(world, username="limited", password=b"x", **PERSISTENT)
    assert again.connack.present
    assert_nothing_is_left(world)


def test_the_queue_of_a_group_has_no_name_that_anybody_could_use(world: World) -> None:
    member(world, "c")
    vhost = world.broker.vhosts[DEFAULT_VHOST]
    assert vhost.queues == {}
    assert vhost.default_exchange.bindings == {}


def test_what_is_too_large_for_its_member_is_dropped_and_the_next_is_sent(world: World) -> None:
    """[MQTT-3.1.2-24], [MQTT-3.1.2-25]"""
    client = member(world, "small", maximum_packet_size=100)
    sender = Client5(world, "sender")
    sender.publish("t/a", bytes(200), 1)
    sender.publish("t/a", b"x", 1)
    assert bodies(client.take()) == [b"x"]
    assert world.broker.counters.dropped == {"packet_too_large": 1}
    client.hang_up()
    assert_nothing_is_left(world)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_key_that_is_no_topic_is_dropped(world: World, qos: int) -> None:
    client = member(world, "c", 1)
    guest = world.broker.open(world.broker.users["guest"], DEFAULT_VHOST, "amqp", "test")
    target = guest.target("amq.topic", "t.+")
    guest.publish(target.exchange, plain_message(target.address, b"x", qos), None, 0)
    assert client.take() == []
    assert world.broker.counters.dropped == {"not_a_topic": 1}
    client.hang_up()
    assert_nothing_is_left(world)


def test_the_number_of_shared_subscriptions_is_limited(world: World) -> None:
    client = Client5(world)
    filters = [(f"$share/g/{number}", 1) for number in range(FEEDS_LIMIT + 1)]
    (answer,) = client.send(subscribe5(*filters))
    assert answer.codes == b"\x01" * FEEDS_LIMIT + b"\x97"
    (answer,) = client.send(subscribe5(("$share/g/5", 2), ("ordinary", 1)))
    assert answer.codes == b"\x02\x01"
    client.hang_up()
    assert_nothing_is_left(world)


def test_a_session_knows_its_shared_subscriptions(world: World) -> None:
    member(world, "c")
    session = world.broker.vhosts[DEFAULT_VHOST].sessions["c"]
    assert isinstance(session, MqttSession)
    assert list(session.subscriptions) == [SHARED]


@pytest.mark.parametrize("qos", [0, 1])
def test_a_member_that_does_not_read_is_passed_over(world: World, qos: int) -> None:
    """Its output is taken by nobody until the end; what it was given is in there."""
    stuck, reading = member(world, "stuck", qos), member(world, "reading", qos)
    connection = stuck.wire.connection
    sender = Client5(world, "sender").wire.connection
    world.wires.remove(stuck.wire)  # type: ignore[arg-type]
    body = bytes(HIGH_WATER_BYTES // 4)
    got = 0
    for number in range(40):
        sender.receive(publish5("t/a", body, qos, number + 1))
        world.turn()
        for packet in reading.take():
            got += packet.name == "PUBLISH"
            if qos:
                acknowledge(reading, packet)
    assert connection.congested
    assert connection.output_bytes < 2 * HIGH_WATER_BYTES
    kept = len(read(b"".join(connection.take_output())))
    assert (kept, got) == (4, 36)
    connection.sent(0)
    sender.receive(publish5("t/a", b"x", qos, 50) + publish5("t/a", b"y", qos, 51))
    world.turn()
    assert [len(read(b"".join(connection.take_output()))), len(reading.take())] == [1, 1]


def test_what_no_member_reads_is_dropped_beyond_the_limit_of_its_output(world: World) -> None:
    stuck = member(world, "stuck", 0)
    sender = Client5(world, "sender").wire.connection
    world.wires.remove(stuck.wire)  # type: ignore[arg-type]
    body = bytes(1 << 20)
    for _ in range(20):
        sender.receive(publish5("t/a", body))
    assert DIRECT_LIMIT_BYTES < stuck.wire.connection.output_bytes < DIRECT_LIMIT_BYTES + (2 << 20)
    sent = len(read(b"".join(stuck.wire.connection.take_output())))
    assert world.broker.counters.dropped == {"slow_subscriber": 20 - sent}
