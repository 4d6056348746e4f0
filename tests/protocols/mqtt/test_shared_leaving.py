"""Shared subscriptions: what becomes of messages when members leave, are away and come back (MQTT 5.0 §4.8.2)."""

import pytest

from core.model.names import DEFAULT_VHOST
from tests.protocols.mqtt.members import PERSISTENT, SHARED, acknowledge, assert_nothing_is_left, bodies, feed, member
from tests.protocols.mqtt.peer import Answer, Client, Publish, puback, pubcomp, pubrec, unsubscribe
from tests.protocols.mqtt.peer5 import Client5, ack, publish5, unsubscribe5
from tests.protocols.world import World


@pytest.mark.parametrize("persistent", [True, False])
def test_another_member_gets_what_one_that_left_had_not_acknowledged(world: World, *, persistent: bool) -> None:
    leaving = member(world, "leaving", **(PERSISTENT if persistent else {}))
    staying = member(world, "staying")
    feed(world, 6)
    first, second, third = leaving.take()
    acknowledge(leaving, second)
    assert bodies(staying.take()) == [b"1", b"3", b"5"]
    leaving.hang_up()
    got = staying.take()
    assert bodies(got) == [first.body, third.body]
    assert not any(packet.dup for packet in got)  # it is sent to this client for the first time [MQTT-3.3.1-3]
    if persistent:
        assert Client5(world, "leaving", **PERSISTENT).greeted == []


def test_a_member_that_was_alone_finds_what_it_had_as_it_left_it(world: World) -> None:
    """[MQTT-4.4.0-1]"""
    client = member(world, "alone", **PERSISTENT)
    feed(world, 2)
    before = client.take()
    client.hang_up()
    feed(world, 1, first=2)
    after = Client5(world, "alone", **PERSISTENT).greeted
    assert [(packet.body, packet.packet_id, packet.dup) for packet in after] == [
        (b"0", before[0].packet_id, True),
        (b"1", before[1].packet_id, True),
        (b"2", 3, False),
    ]


def test_a_member_that_comes_later_gets_what_one_that_is_away_had_not_acknowledged(world: World) -> None:
    away = member(world, "away", **PERSISTENT)
    feed(world, 2)
    assert bodies(away.take()) == [b"0", b"1"]
    away.hang_up()
    indifferent, other = Client5(world, "indifferent"), Client5(world, "other")
    assert indifferent.subscribe((SHARED, 0)) == []  # it would not acknowledge them: their owner may still come back
    got = other.subscribe((SHARED, 1))
    acknowledge(other, *got)
    assert bodies(got) + bodies(indifferent.take()) == [b"1", b"0"]
    back = Client5(world, "away", **PERSISTENT)
    assert back.greeted == []
    back.hang_up()
    for client in (other, indifferent):
        client.hang_up()
    world.advance(101)
    assert_nothing_is_left(world)


def test_what_was_sent_with_qos_2_is_finished_with_the_same_client(world: World) -> None:
    """[MQTT-4.8.2-4]"""
    client, other = member(world, "c", 2, **PERSISTENT), member(world, "other", 2)
    feed(world, 4, 2)
    received, sent = client.take()
    other.take()
    client.send(ack(0x50, received.packet_id))
    client.hang_up()
    assert other.take() == []
    back = Client5(world, "c", **PERSISTENT)
    assert [(said.name, said.packet_id, said.dup, said.body) for said in back.greeted] == [
        ("PUBREL", received.packet_id, False, b""),
        ("PUBLISH", sent.packet_id, True, b"2"),
    ]


def test_what_was_sent_with_qos_2_goes_to_nobody_else_when_the_session_ends(world: World) -> None:
    """[MQTT-4.8.2-5]"""
    client, other = member(world, "c", 2, **PERSISTENT), member(world, "other", 2)
    feed(world, 4, 2)
    received, _ = client.take()
    other.take()
    client.send(ack(0x50, received.packet_id))
    client.hang_up()
    world.advance(101)
    assert other.take() == []
    assert world.broker.counters.dropped == {"session_ended": 1}
    other.hang_up()
    assert world.broker.surroundings.usage.held_bytes == 0


def test_what_a_member_refuses_is_offered_to_nobody_else(world: World) -> None:
    """[MQTT-4.8.2-6]"""
    one, other = member(world, "one", 2), member(world, "other", 2)
    feed(world, 2, 1)
    (first,), (second,) = one.take(), other.take()
    one.send(ack(0x40, first.packet_id, 0x80))
    assert acknowledge(other, second) == []
    feed(world, 1, 2, first=2)
    (third,) = one.take()
    assert one.send(ack(0x50, third.packet_id, 0x97)) == []
    assert other.take() == []
    assert world.broker.counters.dropped == {"rejected": 2}
    one.hang_up()
    other.hang_up()
    assert_nothing_is_left(world)


def test_messages_wait_for_a_member_that_is_away(world: World) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    feed(world, 3)
    feed(world, 1, 0, first=9)
    assert world.broker.counters.dropped == {"session_offline": 1}
    assert bodies(Client5(world, "away", **PERSISTENT).greeted) == [b"0", b"1", b"2"]


def test_members_that_are_away_are_passed_over(world: World) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    here = member(world, "here")
    feed(world, 3)
    feed(world, 1, 0, first=3)
    assert bodies(here.take()) == [b"0", b"1", b"2", b"3"]
    assert Client5(world, "away", **PERSISTENT).greeted == []


def test_nothing_waits_for_members_that_acknowledge_nothing(world: World) -> None:
    """As for a subscription with QoS 0 that is not shared."""
    member(world, "away", 0, **PERSISTENT).hang_up()
    feed(world, 2, 1)
    assert Client5(world, "away", **PERSISTENT).greeted == []
    assert world.broker.counters.dropped == {"session_offline": 2}


def test_what_waits_is_limited(world: World) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    world.broker.vhosts[DEFAULT_VHOST].groups[SHARED].queue.limit_entries = 2
    feed(world, 5)
    assert world.broker.counters.dropped == {"maxlen": 3}
    assert bodies(Client5(world, "away", **PERSISTENT).greeted) == [b"3", b"4"]


def test_what_waits_expires(world: World) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    Client5(world, "sender").publish("t/a", b"short-lived", 1, message_expiry=10)
    feed(world, 1)
    world.advance(11)
    assert bodies(Client5(world, "away", **PERSISTENT).greeted) == [b"0"]


def test_a_group_ends_with_the_session_of_its_last_member(world: World) -> None:
    vhost = world.broker.vhosts[DEFAULT_VHOST]
    before = world.broker.surroundings.usage.defined_bytes
    member(world, "away", **PERSISTENT).hang_up()
    member(world, "brief").hang_up()
    feed(world, 3)
    assert list(vhost.groups) == [SHARED]
    world.advance(101)
    assert_nothing_is_left(world)
    assert world.broker.surroundings.usage.defined_bytes == before
    assert world.broker.counters.dropped == {"group_ended": 3}


def test_unsubscribing_leaves_the_group_and_finishes_what_was_begun(world: World) -> None:
    """[MQTT-3.10.4-2], [MQTT-3.10.4-3]"""
    leaving, staying = member(world, "leaving", receive_maximum=1), member(world, "staying", receive_maximum=1)
    feed(world, 4)
    (begun,), (other,) = leaving.take(), staying.take()
    (answer,) = leaving.send(unsubscribe5(SHARED))
    assert (answer.name, answer.codes) == ("UNSUBACK", b"\0")
    assert acknowledge(leaving, begun) == []
    assert bodies(acknowledge(staying, other)) == [b"2"]
    assert leaving.send(unsubscribe5(SHARED))[0].codes == b"\x11"


def test_what_was_begun_and_not_finished_goes_to_another_after_all_when_the_connection_is_lost(world: World) -> None:
    leaving, staying = member(world, "leaving"), member(world, "staying")
    feed(world, 2)
    assert bodies(leaving.take()) == [b"0"]
    leaving.send(unsubscribe5(SHARED))
    assert bodies(staying.take()) == [b"1"]
    leaving.hang_up()
    assert bodies(staying.take()) == [b"0"]


def test_what_the_last_member_had_begun_is_finished_after_it_has_unsubscribed(world: World) -> None:
    """[MQTT-3.10.4-3]"""
    client = member(world, "c", **PERSISTENT)
    feed(world, 1)
    (begun,) = client.take()
    client.send(unsubscribe5(SHARED))
    client.hang_up()
    back = Client5(world, "c", **PERSISTENT)
    assert [(said.packet_id, said.dup) for said in back.greeted] == [(begun.packet_id, True)]
    assert acknowledge(back, begun) == []
    assert_nothing_is_left(world)


def test_a_session_that_is_taken_over_stays_a_member(world: World) -> None:
    first, other = member(world, "c", **PERSISTENT), member(world, "other")
    feed(world, 2)
    assert bodies(first.take()) == [b"0"]
    second = Client5(world, "c", **PERSISTENT)
    assert first.take()[0].codes == b"\x8e"
    assert sorted(bodies(other.take()) + bodies(second.greeted)) == [b"0", b"1"]
    feed(world, 2, first=2)
    assert (len(second.take()), len(other.take())) == (1, 1)


def test_a_new_session_of_the_same_client_begins_without_the_membership(world: World) -> None:
    first = member(world, "c", **PERSISTENT)
    first.hang_up()
    assert not Client5(world, "c", clean=True).connack.present
    assert_nothing_is_left(world)


def test_the_older_version_goes_through_all_of_it(world: World) -> None:
    one, other = Client(world, "one", clean=False), Client(world, "other")
    one.subscribe((SHARED, 2))
    other.subscribe((SHARED, 2))
    sender = Client5(world, "sender")
    sender.send(*[publish5("t/a", b"%d" % number, 2, number + 1) for number in range(4)])
    got, _ = one.take(), other.take()
    assert got == [Publish("t/a", b"0", 2, 1), Publish("t/a", b"2", 2, 2)]
    assert one.send(pubrec(1)) == [Answer("PUBREL", 1)]
    one.hang_up()
    assert other.take() == []
    back = Client(world, "one", clean=False)
    assert back.greeted == [Answer("PUBREL", 1), Publish("t/a", b"2", 2, 2, dup=True)]
    assert back.send(pubcomp(1), pubrec(2)) == [Answer("PUBREL", 2)]
    assert back.send(pubcomp(2)) == []
    assert back.send(puback(9), unsubscribe(SHARED)) == [Answer("UNSUBACK", 1)]
