"""Clean and persistent sessions: what is kept, resumed, taken over and given up (MQTT 3.1.1 §3.1.2.4, §4.1, §4.4)."""

import pytest

from core.access import EVERYTHING, NOTHING, Permission, User
from core.broker import SESSION_EXPIRY_LIMIT_S
from core.model.names import DEFAULT_VHOST
from core.queueing.offline import ENTRIES_LIMIT
from protocols.mqtt.session import SESSIONS_LIMIT, MqttSession
from tests.protocols.mqtt.peer import (
    ACCEPTED,
    RESUMED,
    Answer,
    Client,
    Publish,
    puback,
    pubcomp,
    publish,
    pubrec,
    pubrel,
    unsubscribe,
)
from tests.protocols.world import World


def sessions(world: World) -> set[str]:
    return set(world.broker.vhosts[DEFAULT_VHOST].sessions)


def test_session_present_tells_whether_there_was_a_session(world: World) -> None:
    """[MQTT-3.2.2-1], [MQTT-3.2.2-2], [MQTT-3.2.2-3], [MQTT-3.1.2-6]"""
    seen = []
    for clean in (False, False, True, False, True, True):
        client = Client(world, clean=clean)
        seen.append(client.connack)
        client.disconnect()
    assert seen == [ACCEPTED, RESUMED, ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED]


def test_mqtt_3_1_has_no_session_present(world: World) -> None:
    Client(world, clean=False).disconnect()
    assert Client(world, clean=False, level=3).connack == ACCEPTED


def test_a_clean_session_ends_with_its_connection(world: World) -> None:
    client = Client(world)
    assert sessions(world) == {"c"}
    client.hang_up()
    assert sessions(world) == set()


@pytest.mark.parametrize("clean", [True, False])
def test_a_clean_connect_discards_what_was_kept(world: World, clean: bool) -> None:
    """[MQTT-3.1.2-6]"""
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 1))
    client.hang_up()
    sender.publish("a", b"x", 1)
    Client(world, clean=clean).hang_up()
    sender.publish("a", b"y", 1)
    back = Client(world, clean=False)
    # Without PUBACK the first is still in flight and comes again, under its own packet id.
    kept = [Publish("a", b"x", 1, 1, dup=True), Publish("a", b"y", 1, 2)]
    assert back.greeted + back.take() == ([] if clean else kept)
    assert (world.broker.surroundings.usage.held_bytes == 0) is clean


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_wait_for_the_client_by_their_qos(world: World, qos: int) -> None:
    """[MQTT-3.1.2-5]"""
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 2))
    client.disconnect()
    for number in range(3):
        sender.publish("a", b"%d" % number, qos)
    back = Client(world, clean=False)
    expected = [Publish("a", b"%d" % number, qos, number + 1) for number in range(3)] if qos else []
    assert back.greeted + back.take() == expected
    assert world.broker.counters.dropped == ({} if qos else {"session_offline": 3})


def test_a_subscription_of_qos_0_keeps_nothing(world: World) -> None:
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 0))
    client.disconnect()
    sender.publish("a", b"x", 2)
    back = Client(world, clean=False)
    assert back.greeted == []
    sender.publish("a", b"y", 2, 2)
    assert back.take() == [Publish("a", b"y")]


def test_subscriptions_are_kept_and_can_be_removed_later(world: World) -> None:
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a/+", 1), ("b", 0))
    client.hang_up()
    back = Client(world, clean=False)
    sender.publish("a/b", b"x", 1)
    sender.publish("b", b"y")
    assert back.take() == [Publish("a/b", b"x", 1, 1), Publish("b", b"y")]
    back.send(puback(1))
    assert back.send(unsubscribe("a/+", "b")) == [Answer("UNSUBACK", 1)]
    sender.publish("a/b", b"x", 1)
    assert back.take() == []


def test_everything_unacknowledged_is_sent_again_in_order(world: World) -> None:
    """[MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1]"""
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 2))
    for number, qos in enumerate((1, 2, 1, 2, 2, 1)):
        sender.publish("a", b"%d" % number, qos)
    assert [said.packet_id for said in client.take() if isinstance(said, Publish)] == [1, 2, 3, 4, 5, 6]
    client.send(puback(3), pubrec(5), pubrec(2))
    client.hang_up()
    sender.publish("a", b"new", 1)
    back = Client(world, clean=False)
    assert back.greeted + back.take() == [
        Answer("PUBREL", 5),
        Answer("PUBREL", 2),
        Publish("a", b"0", 1, 1, dup=True),
        Publish("a", b"3", 2, 4, dup=True),
        Publish("a", b"5", 1, 6, dup=True),
        Publish("a", b"new", 1, 7),
    ]
    back.send(puback(1), puback(6), puback(7), pubcomp(5), pubcomp(2), pubrec(4), pubcomp(4))
    assert world.broker.surroundings.usage.held_bytes == 0
    back.hang_up()
    assert Client(world, clean=False).greeted == []


def test_nothing_is_sent_again_within_a_connection(world: World) -> None:
    client = Client(world, clean=False)
    client.subscribe(("a", 1))
    client.publish("a", b"x", 1)
    world.advance(1_000)
    assert client.take() == []


def test_inbound_exactly_once_ids_outlive_the_connection(world: World) -> None:
    """[MQTT-4.3.3-2]"""
    watcher, client = Client(world, "watcher"), Client(world, clean=False)
    watcher.subscribe(("a", 0))
    client.send(publish("a", b"x", 2, 9))
    client.hang_up()
    back = Client(world, clean=False)
    assert back.send(publish("a", b"x", 2, 9, dup=True)) == [Answer("PUBREC", 9)]
    assert back.send(pubrel(9)) == [Answer("PUBCOMP", 9)]
    assert watcher.take() == [Publish("a", b"x")]


def test_inbound_exactly_once_ids_of_a_clean_session_do_not(world: World) -> None:
    client = Client(world)
    client.send(publish("a", b"x", 2, 9))
    client.hang_up()
    back = Client(world)
    back.subscribe(("a", 0))
    assert back.send(publish("a", b"y", 2, 9)) == [Publish("a", b"y"), Answer("PUBREC", 9)]


@pytest.mark.parametrize("old_clean", [True, False])
@pytest.mark.parametrize("new_clean", [True, False])
def test_a_second_connection_takes_over(world: World, old_clean: bool, new_clean: bool) -> None:
    """[MQTT-3.1.4-2]"""
    old, sender = Client(world, clean=old_clean), Client(world, "sender")
    old.subscribe(("a", 1))
    sender.publish("a", b"1", 1)
    new = Client(world, clean=new_clean)
    resumed = not old_clean and not new_clean
    assert new.connack == (RESUMED if resumed else ACCEPTED)
    assert new.greeted == ([Publish("a", b"1", 1, 1, dup=True)] if resumed else [])
    assert old.closed
    assert old.notes[-1][0] == "taken over"
    sender.publish("a", b"2", 1)
    assert new.take() == ([Publish("a", b"2", 1, 2)] if resumed else [])
    assert old.take() == [Publish("a", b"1", 1, 1)]
    assert sessions(world) == {"c", "sender"}
    new.hang_up()
    assert sessions(world) == ({"sender"} if new_clean else {"c", "sender"})


def test_bytes_of_a_connection_that_was_taken_over_are_ignored(world: World) -> None:
    old = Client(world)
    new = Client(world)
    new.subscribe(("a", 0))
    old.wire.connection.receive(publish("a", b"late"))
    assert new.take() == []


def test_another_users_client_id_is_not_authorised(world: World) -> None:
    """Neither the connection nor what is kept for it may pass to somebody else."""
    other = User("other")
    other.permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, EVERYTHING)
    world.broker.users["other"], world.passwords["other"] = other, b"other"
    owner = Client(world, clean=False)
    assert Client(world, username="other", password=b"other").connack == b"\x00\x05"
    assert not owner.closed
    owner.hang_up()
    assert Client(world, clean=False, username="other", password=b"other").connack == b"\x00\x05"
    assert Client(world, clean=False).connack == RESUMED


def test_a_session_expires_after_its_client_has_been_away_long_enough(world: World) -> None:
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 1))
    client.hang_up()
    sender.publish("a", b"x", 1)
    world.advance(SESSION_EXPIRY_LIMIT_S - 1)
    assert sessions(world) == {"c", "sender"}
    world.advance(1)
    assert sessions(world) == {"sender"}
    assert world.broker.surroundings.usage.held_bytes == 0
    assert Client(world, clean=False).connack == ACCEPTED


def test_a_session_that_is_in_use_does_not_expire(world: World) -> None:
    Client(world, clean=False).hang_up()
    world.advance(SESSION_EXPIRY_LIMIT_S - 1)
    Client(world, clean=False)
    world.advance(2 * SESSION_EXPIRY_LIMIT_S)
    assert sessions(world) == {"c"}


def test_the_time_away_counts_from_the_last_good_bye(world: World) -> None:
    for _ in range(3):
        Client(world, clean=False).hang_up()
        world.advance(SESSION_EXPIRY_LIMIT_S - 1)
    assert Client(world, clean=False).connack == RESUMED


def test_a_session_that_was_discarded_does_not_end_its_successor(world: World) -> None:
    Client(world, clean=False).hang_up()
    watched = world.broker.timers.count
    client = Client(world)
    assert world.broker.timers.count == watched  # the old session's expiry for the new connection's deadline
    world.advance(SESSION_EXPIRY_LIMIT_S + 1)
    assert sessions(world) == {"c"}
    assert not client.closed


def test_subscriptions_that_are_no_longer_permitted_are_dropped_on_return(world: World) -> None:
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 1), ("b", 1))
    client.hang_up()
    permissions = world.broker.users["guest"].permissions
    permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, EVERYTHING, read_topics=NOTHING)
    back = Client(world, clean=False)
    assert back.connack == RESUMED
    assert back.notes == [("subscriptions dropped", "2 are no longer permitted")]
    sender.publish("a", b"x", 1)
    assert back.take() == []


def test_a_queue_that_is_full_drops_the_oldest_and_counts(world: World) -> None:
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 1))
    client.hang_up()
    chunk = publish("a", b"old", 1) * 1_000
    sender.wire.connection.receive(publish("a", b"first", 1))
    for _ in range(ENTRIES_LIMIT // 1_000):
        sender.wire.connection.receive(chunk)
    assert world.broker.counters.dropped == {"maxlen": 1}
    back = Client(world, clean=False)
    first = (back.greeted + back.take())[0]
    assert first == Publish("a", b"old", 1, 1)


def test_how_much_waits_is_configured(world: World) -> None:
    world.broker.surroundings.offline.entries = 2
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", 1))
    client.hang_up()
    for number in range(3):
        sender.publish("a", b"%d" % number, 1)
    assert world.broker.counters.dropped == {"maxlen": 1}
    back = Client(world, clean=False)
    assert back.greeted + back.take() == [Publish("a", b"1", 1, 1), Publish("a", b"2", 1, 2)]


@pytest.mark.parametrize(("published", "granted"), [(0, 2), (0, 0), (1, 0)])
def test_messages_of_qos_0_wait_where_it_is_configured(world: World, published: int, granted: int) -> None:
    world.broker.surroundings.offline.qos0 = True
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("a", granted), ("b", 1))
    sender.publish("a", b"at once", published)
    assert client.take() == [Publish("a", b"at once")]
    client.hang_up()
    for body in (b"x", b"y"):
        sender.publish("a", body, published)
    sender.publish("b", b"z", 1)
    back = Client(world, clean=False)
    assert back.greeted + back.take() == [Publish("a", b"x"), Publish("a", b"y"), Publish("b", b"z", 1, 1)]
    sender.publish("a", b"at once again", published)
    assert back.take() == [Publish("a", b"at once again")]
    assert world.broker.counters.dropped == {}
    back.send(puback(1))
    assert world.broker.surroundings.usage.held_bytes == 0


def test_messages_of_qos_0_do_not_overtake_what_still_waits(world: World) -> None:
    world.broker.surroundings.offline.qos0 = True
    client, sender = Client(world, clean=False), Client(world, "sender")
    client.subscribe(("#", 1))
    session = world.broker.vhosts[DEFAULT_VHOST].sessions["c"]
    assert isinstance(session, MqttSession)
    session.deliveries.pause()
    sender.publish("a", b"first", 1)
    sender.publish("a", b"second")
    assert client.take() == []
    session.deliveries.go_on()
    sender.publish("a", b"third")
    assert client.take() == [Publish("a", b"first", 1, 1), Publish("a", b"second"), Publish("a", b"third")]


def test_the_number_of_sessions_is_limited(world: World) -> None:
    kept = Client(world, "kept", clean=False)
    table = world.broker.vhosts[DEFAULT_VHOST].sessions
    session = table["kept"]
    assert isinstance(session, MqttSession)
    kept.hang_up()
    table.update({str(number): session for number in range(SESSIONS_LIMIT - 1)})
    assert Client(world, "one more").connack == b"\x00\x03"
    assert Client(world, "kept", clean=False).connack == RESUMED
