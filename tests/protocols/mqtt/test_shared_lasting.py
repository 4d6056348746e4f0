"""Shared subscriptions whose broker dies: what a group had, and what its members had of it, is there in the next process."""

import pytest

from core.model.names import DEFAULT_VHOST
from core.queueing.group import Group
from core.store import kinds
from core.store.batch import Batch
from tests.protocols.mqtt.lasting_world import LastingWorld
from tests.protocols.mqtt.members import PERSISTENT, SHARED, acknowledge, bodies, feed, member
from tests.protocols.mqtt.peer5 import Client5, Packet, ack, publish5, subscribe5, unsubscribe5

PUBACK, PUBREC, PUBCOMP = 0x40, 0x50, 0x70
EXPIRED_S = 101

either_end = pytest.mark.parametrize("in_order", [False, True], ids=["killed", "stopped"])


@pytest.fixture
def world() -> LastingWorld:
    return LastingWorld()


def end(world: LastingWorld, *, in_order: bool) -> None:
    (world.stop if in_order else world.die)()


def back(world: LastingWorld, name: str, **options: int) -> Client5:
    client = Client5(world, name, **PERSISTENT, **options)
    assert client.connack.present
    return client


def group_of(world: LastingWorld) -> Group:
    return world.broker.vhosts[DEFAULT_VHOST].groups[SHARED]


def in_store(world: LastingWorld) -> tuple[int, int]:
    """Return how many groups and rows the store has."""
    rows = sum(len(world.store.rows(number, 0, 1_000)) for number in world.store.queue_numbers())
    return len([kind for kind, _, _ in world.store.definitions() if kind == kinds.GROUP]), rows


def said(packets: list[Packet]) -> list[tuple[str, int, bool, bytes]]:
    return [(packet.name, packet.packet_id, packet.dup, packet.body) for packet in packets]


@either_end
@pytest.mark.parametrize("qos", [1, 2])
def test_what_waits_for_members_that_are_away_waits_in_the_next_process(
    world: LastingWorld, qos: int, in_order: bool
) -> None:
    member(world, "away", qos, **PERSISTENT).hang_up()
    feed(world, 3, qos)
    end(world, in_order=in_order)
    feed(world, 1, qos, first=3)
    got = back(world, "away").greeted
    assert bodies(got) == [b"0", b"1", b"2", b"3"]
    assert [packet.dup for packet in got] == [qos == 1 and not in_order] * 3 + [False]


@either_end
def test_what_waits_because_every_window_is_full_waits_in_the_next_process(world: LastingWorld, in_order: bool) -> None:
    one = member(world, "one", receive_maximum=1, **PERSISTENT)
    feed(world, 3)
    (first,) = one.take()
    end(world, in_order=in_order)
    one = back(world, "one", receive_maximum=1)
    (again,) = one.greeted
    assert (again.body, again.packet_id, again.dup) == (b"0", first.packet_id, True)
    assert bodies(acknowledge(one, again)) == [b"1"]


@either_end
def test_what_a_member_had_not_acknowledged_is_sent_again_under_the_same_packet_id(
    world: LastingWorld, in_order: bool
) -> None:
    """[MQTT-4.4.0-1]"""
    client = member(world, "alone", **PERSISTENT)
    feed(world, 3)
    first, second, third = client.take()
    acknowledge(client, second)
    end(world, in_order=in_order)
    client = back(world, "alone")
    assert said(client.greeted) == [
        ("PUBLISH", first.packet_id, True, b"0"),
        ("PUBLISH", third.packet_id, True, b"2"),
    ]
    acknowledge(client, first, third)
    assert in_store(world) == (1, 0)
    world.die()
    assert back(world, "alone").greeted == []


@either_end
def test_qos_2_goes_on_where_it_was(world: LastingWorld, in_order: bool) -> None:
    """[MQTT-4.8.2-4]: with the client that had it, and with nobody else."""
    client = member(world, "c", 2, **PERSISTENT)
    feed(world, 3, 2)
    received, sent, finished = client.take()
    client.send(ack(PUBREC, received.packet_id), ack(PUBREC, finished.packet_id), ack(PUBCOMP, finished.packet_id))
    end(world, in_order=in_order)
    other = member(world, "other", 2)
    assert other.take() == []
    client = back(world, "c")
    assert said(client.greeted) == [
        ("PUBREL", received.packet_id, False, b""),
        ("PUBLISH", sent.packet_id, True, b"1"),
    ]
    assert client.send(ack(PUBCOMP, received.packet_id), ack(PUBREC, sent.packet_id))[0].name == "PUBREL"
    client.send(ack(PUBCOMP, sent.packet_id))
    assert in_store(world) == (1, 0)


def test_another_member_gets_what_one_had_that_does_not_come_back_first(world: LastingWorld) -> None:
    """As in one process: sent with QoS 1 and not acknowledged it goes to whoever comes first, and says that it may have been sent."""
    away = member(world, "away", **PERSISTENT)
    feed(world, 2)
    assert bodies(away.take()) == [b"0", b"1"]
    world.die()
    other = Client5(world, "other")
    got = other.subscribe((SHARED, 1))
    assert [(packet.body, packet.dup) for packet in got] == [(b"0", True), (b"1", True)]
    assert back(world, "away").greeted == []
    world.die()
    assert bodies(back(world, "away").greeted) == [b"0", b"1"]


def test_what_has_gone_on_to_another_is_its_own_in_the_next_process(world: LastingWorld) -> None:
    first, second = member(world, "first", **PERSISTENT), member(world, "second", **PERSISTENT)
    feed(world, 2)
    (_,), (own,) = first.take(), second.take()
    first.hang_up()
    (handed,) = second.take()
    world.die()
    assert said(back(world, "second").greeted) == [
        ("PUBLISH", own.packet_id, True, b"1"),  # [MQTT-4.6.0-1]: as they were sent first
        ("PUBLISH", handed.packet_id, True, b"0"),
    ]
    assert back(world, "first").greeted == []


@pytest.mark.parametrize("slow", [False, True])
def test_what_goes_on_to_another_in_one_process_is_new_to_that_one(world: LastingWorld, *, slow: bool) -> None:
    """[MQTT-3.3.1-3], whether the store has it by then or not."""
    first, second = member(world, "first", **PERSISTENT), member(world, "second", **PERSISTENT)
    clean = member(world, "clean")
    world.slow = slow
    feed(world, 3)
    assert [len(client.take()) for client in (first, second, clean)] == [1, 1, 1]
    first.hang_up()
    world.turn()
    second.hang_up()
    world.turn()
    assert [(packet.body, packet.dup) for packet in clean.take()] == [(b"0", False), (b"1", False)]
    world.catch_up()


def test_those_that_come_back_keep_their_places_when_the_group_begins_to_last(world: LastingWorld) -> None:
    clean, other = member(world, "clean", receive_maximum=2), member(world, "other", receive_maximum=2)
    feed(world, 6)
    assert [bodies(client.take()) for client in (clean, other)] == [[b"0", b"2"], [b"1", b"3"]]
    clean.hang_up()
    world.turn()
    member(world, "lasting", receive_maximum=1, **PERSISTENT).hang_up()
    other.hang_up()
    world.turn()
    assert bodies(back(world, "lasting").greeted) == [b"%d" % number for number in range(6)]


def test_a_group_that_lasts_already_takes_members_where_no_number_is_left(world: LastingWorld) -> None:
    member(world, "first", **PERSISTENT)
    world.broker.surroundings.journal.numbers.limit = 1
    member(world, "second", **PERSISTENT)


def test_qos_2_that_was_sent_to_a_session_which_has_died_goes_to_nobody_else(world: LastingWorld) -> None:
    """[MQTT-4.8.2-5]: its session has ended with the process, and the client may have the message."""
    member(world, "away", 2, **PERSISTENT).hang_up()
    clean = member(world, "clean", 2, receive_maximum=1)
    feed(world, 2, 2)
    assert bodies(clean.take()) == [b"0"]
    world.die()
    assert bodies(back(world, "away").greeted) == [b"1"]


def test_qos_2_is_not_sent_to_a_session_that_ends_before_the_store_has_forgotten_it(world: LastingWorld) -> None:
    member(world, "away", 2, **PERSISTENT).hang_up()
    feed(world, 1, 2)
    world.slow = True
    clean = Client5(world, "clean")
    assert clean.send(subscribe5((SHARED, 2))) == []
    assert in_store(world) == (1, 1)
    world.catch_up()
    assert [(packet.name, packet.body) for packet in clean.take()] == [("SUBACK", b""), ("PUBLISH", b"0")]
    assert in_store(world) == (1, 0)


@either_end
def test_qos_1_that_a_session_had_which_has_died_goes_to_another(world: LastingWorld, in_order: bool) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    clean = member(world, "clean")
    feed(world, 2)
    acknowledge(clean, clean.take()[0])
    end(world, in_order=in_order)
    (got,) = back(world, "away").greeted
    assert (got.body, got.dup) == (b"1", True)


def test_a_group_of_sessions_that_die_with_the_process_is_not_stored(world: LastingWorld) -> None:
    clean = member(world, "clean", receive_maximum=1)
    feed(world, 3)
    assert in_store(world) == (0, 0)
    clean.hang_up()
    world.die()
    assert world.broker.vhosts[DEFAULT_VHOST].groups == {}


def test_a_member_of_qos_0_has_nothing_stored(world: LastingWorld) -> None:
    member(world, "away", 0, **PERSISTENT)
    feed(world, 2)
    assert in_store(world) == (0, 0)


def test_what_waited_already_is_stored_from_the_first_lasting_member_on(world: LastingWorld) -> None:
    clean = member(world, "clean", receive_maximum=1)
    feed(world, 3)
    assert bodies(clean.take()) == [b"0"]
    member(world, "lasting", receive_maximum=1, **PERSISTENT).hang_up()
    assert in_store(world) == (1, 2)
    world.die()
    assert bodies(back(world, "lasting").greeted) == [b"1", b"2"]


@either_end
def test_a_group_whose_lasting_members_have_left_ends_with_the_process(world: LastingWorld, in_order: bool) -> None:
    lasting, _ = member(world, "lasting", receive_maximum=1, **PERSISTENT), member(world, "clean", receive_maximum=1)
    feed(world, 4)
    lasting.take()
    lasting.send(unsubscribe5(SHARED), b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00")  # DISCONNECT, with expiry 0
    assert in_store(world)[0] == 1
    end(world, in_order=in_order)
    assert in_store(world) == (0, 0)
    assert world.broker.vhosts[DEFAULT_VHOST].groups == {}
    assert world.broker.surroundings.usage.held_bytes == 0


def test_a_group_that_ends_leaves_nothing(world: LastingWorld) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    feed(world, 3)
    assert in_store(world) == (1, 3)
    world.advance(EXPIRED_S)
    assert in_store(world) == (0, 0)


def test_a_session_that_ends_while_the_broker_is_down_leaves_nothing(world: LastingWorld) -> None:
    client = member(world, "away", **PERSISTENT)
    feed(world, 3)
    client.take()
    client.hang_up()
    world.turn()
    world.die(EXPIRED_S)
    assert world.broker.vhosts[DEFAULT_VHOST].groups == {}
    assert in_store(world) == (0, 0)
    assert world.broker.surroundings.usage.held_bytes == 0


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_what_the_last_member_had_begun_outlives_its_group(world: LastingWorld, deaths: int) -> None:
    """[MQTT-3.10.4-3]"""
    client = member(world, "c", 2, receive_maximum=2, **PERSISTENT)
    feed(world, 3, 2)
    received, sent = client.take()
    client.send(ack(PUBREC, received.packet_id), unsubscribe5(SHARED))
    client.hang_up()
    for _ in range(deaths):
        world.die()
    assert in_store(world) == (1, 2)
    client = back(world, "c")
    assert said(client.greeted) == [
        ("PUBREL", received.packet_id, False, b""),
        ("PUBLISH", sent.packet_id, True, b"1"),
    ]
    client.send(ack(PUBCOMP, received.packet_id), ack(PUBREC, sent.packet_id, 0x87))
    assert in_store(world) == (0, 0)
    assert world.broker.surroundings.usage.held_bytes == 0


def test_a_new_group_of_the_same_name_has_nothing_of_the_one_before(world: LastingWorld) -> None:
    client = member(world, "c", receive_maximum=1, **PERSISTENT)
    feed(world, 2)
    (begun,) = client.take()
    client.send(unsubscribe5(SHARED))
    client.subscribe((SHARED, 1))
    feed(world, 1, first=2)
    assert in_store(world) == (2, 2)
    world.die()
    client = back(world, "c")
    assert said(client.greeted) == [("PUBLISH", begun.packet_id, True, b"0"), ("PUBLISH", 2, True, b"2")]
    assert acknowledge(client, *client.greeted) == []
    assert in_store(world) == (1, 0)


def test_what_was_begun_keeps_the_qos_that_it_was_begun_with(world: LastingWorld) -> None:
    client = member(world, "c", 2, **PERSISTENT)
    feed(world, 1, 2)
    (begun,) = client.take()
    client.subscribe((SHARED, 1))
    client.hang_up()
    feed(world, 1, 2, first=1)
    world.die()
    got = back(world, "c").greeted
    assert [(packet.packet_id, packet.qos, packet.dup) for packet in got] == [
        (begun.packet_id, 2, True),
        (2, 1, True),
    ]


def test_options_and_identifiers_are_those_of_the_subscription(world: LastingWorld) -> None:
    client = Client5(world, "c", receive_maximum=1, **PERSISTENT)
    client.subscribe((SHARED, 1 | 0x08), subscription_identifier=7)
    sender = Client5(world, "sender")
    for number in range(2):
        sender.send(publish5("t/a", b"%d" % number, 1, 1, retain=True))
    client.hang_up()
    world.die()
    got = back(world, "c").greeted
    assert [(packet.body, packet.retain, packet.said) for packet in got] == [
        (b"0", True, {"subscription_identifier": [7]}),
        (b"1", True, {"subscription_identifier": [7]}),
    ]


def test_a_window_that_groups_and_the_session_share_is_full_in_the_next_process_too(world: LastingWorld) -> None:
    client = Client5(world, "c", receive_maximum=4, **PERSISTENT)
    client.subscribe((SHARED, 1), ("own", 1))
    sender = Client5(world, "sender")
    for number in range(4):
        sender.publish("t/a", b"shared %d" % number, 1)
        sender.publish("own", b"own %d" % number, 1)
    assert len(client.take()) == 4
    world.die()
    client = back(world, "c", receive_maximum=4)
    got = list(client.greeted)
    assert len(got) == 4
    for packet in got:
        got += acknowledge(client, packet)
    assert sorted(packet.body for packet in got) == sorted(
        body % number for body in (b"own %d", b"shared %d") for number in range(4)
    )


def test_a_damaged_definition_costs_what_waited_and_the_group_goes_on(world: LastingWorld) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    feed(world, 2)
    batch = Batch(0)
    batch.definitions = [
        (kind, key, record[:-1]) for kind, key, record in world.store.definitions() if kind == kinds.GROUP
    ]
    world.store.commit(batch)
    with pytest.raises(AssertionError):
        world.die()
    assert [sentence.partition(":")[0] for sentence in world.found.damage] == [f"group {SHARED!r} '1' in vhost '/'"]
    assert world.found.strays == [1]
    world.turn()
    feed(world, 1, first=2)
    assert bodies(back(world, "away").greeted) == [b"2"]


def test_queues_of_groups_are_bounded_in_memory_by_their_window(world: LastingWorld) -> None:
    member(world, "away", **PERSISTENT).hang_up()
    feed(world, 1)
    assert group_of(world).queue.window is not None
    world.die()
    assert group_of(world).queue.window is not None
