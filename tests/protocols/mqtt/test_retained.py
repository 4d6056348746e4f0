"""Retained messages (MQTT 3.1.1 §3.3.1.3)."""

import itertools

import pytest

from core.model.names import DEFAULT_VHOST
from core.queueing.retained import RETAINED_LIMIT
from protocols.connection import HIGH_WATER_BYTES
from protocols.mqtt.greeting import ASKED_LIMIT, STEPS_LIMIT
from tests.protocols.mqtt.peer import Answer, Client, Publish, publish, read, subscribe, unsubscribe
from tests.protocols.world import World


@pytest.mark.parametrize(("published", "granted"), list(itertools.product(range(3), range(3))))
def test_a_new_subscription_is_greeted_with_the_lower_qos_of_both(world: World, published: int, granted: int) -> None:
    """[MQTT-3.3.1-6], [MQTT-3.3.1-8]"""
    Client(world, "sender").publish("a/b", b"kept", published, retain=True)
    qos = min(published, granted)
    greeting = [Publish("a/b", b"kept", qos, 1 if qos else 0, retain=True)]
    assert Client(world).subscribe(("a/+", granted)) == greeting


def test_the_suback_comes_before_the_greeting(world: World) -> None:
    client = Client(world)
    client.publish("a", b"kept", retain=True)
    assert client.send(subscribe(("a", 0))) == [Answer("SUBACK", 1, b"\0"), Publish("a", b"kept", retain=True)]


def test_who_has_found_nothing_retained_is_greeted_by_what_is_later(world: World) -> None:
    client = Client(world)
    assert client.subscribe(("a", 0), ("b", 0)) == []
    Client(world, "sender").publish("b", b"kept", retain=True)
    assert client.take() == [Publish("b", b"kept")]
    assert client.subscribe(("b", 0)) == [Publish("b", b"kept", retain=True)]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_subscription_that_was_there_gets_the_message_without_the_flag(world: World, qos: int) -> None:
    """[MQTT-3.3.1-9]"""
    client = Client(world)
    client.subscribe(("a", 2))
    assert client.publish("a", b"x", qos, retain=True)[0] == Publish("a", b"x", qos, 1 if qos else 0)


def test_the_last_message_of_a_topic_is_kept(world: World) -> None:
    """[MQTT-3.3.1-5]"""
    client = Client(world)
    for topic, body in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        client.publish(topic, body, retain=True)
    client.publish("a", b"passing")
    assert sorted(client.subscribe(("#", 0))) == [Publish("a", b"3", retain=True), Publish("b", b"2", retain=True)]


def test_an_empty_message_clears_its_topic_and_is_delivered(world: World) -> None:
    """[MQTT-3.3.1-10], [MQTT-3.3.1-11]"""
    watcher, client = Client(world, "watcher"), Client(world)
    watcher.subscribe(("a", 0))
    client.publish("a", b"kept", retain=True)
    client.publish("a", b"", retain=True)
    assert watcher.take() == [Publish("a", b"kept"), Publish("a", b"")]
    assert client.subscribe(("a", 0)) == []


def test_every_subscribe_is_greeted_again(world: World) -> None:
    """[MQTT-3.8.4-3]"""
    client = Client(world)
    client.publish("a", b"kept", retain=True)
    for _ in range(2):
        assert client.subscribe(("a", 0)) == [Publish("a", b"kept", retain=True)]


def test_each_filter_is_greeted_and_a_refused_one_is_not(world: World) -> None:
    client = Client(world)
    client.publish("a/b", b"kept", retain=True)
    assert client.send(subscribe(("a/b", 0), ("/" * 128, 0), ("a/+", 0))) == [
        Answer("SUBACK", 1, b"\x00\x80\x00"),
        Publish("a/b", b"kept", retain=True),
        Publish("a/b", b"kept", retain=True),
    ]


def test_dollar_topics_greet_no_leading_wildcard(world: World) -> None:
    """[MQTT-4.7.2-1]"""
    client = Client(world)
    client.publish("$a/b", b"kept", retain=True)
    assert client.subscribe(("#", 0), ("+/b", 0)) == []
    assert client.subscribe(("$a/#", 0)) == [Publish("$a/b", b"kept", retain=True)]


def test_a_persistent_session_is_not_greeted_again_when_it_comes_back(world: World) -> None:
    client = Client(world, clean=False)
    client.publish("a", b"kept", retain=True)
    client.subscribe(("a", 0))
    client.hang_up()
    assert Client(world, clean=False).greeted == []


def test_what_finds_no_room_is_delivered_but_not_kept(world: World) -> None:
    client = Client(world)
    client.subscribe(("a", 0))
    world.broker.vhosts[DEFAULT_VHOST].retained.count = RETAINED_LIMIT
    assert client.publish("a", b"x", 1, retain=True) == [Publish("a", b"x"), Answer("PUBACK", 1)]
    assert world.broker.counters.dropped == {"retained_limit": 1}
    assert client.notes[0][0] == "message not retained"


@pytest.mark.parametrize("qos", [0, 1])
def test_a_slow_reader_gets_all_retained_messages_at_its_own_speed(world: World, qos: int) -> None:
    sender = Client(world, "sender")
    size, count = HIGH_WATER_BYTES // 8, 40
    for number in range(count):
        sender.publish(f"a/{number:02}", bytes(size), qos, retain=True)
    connection = Client(world).wire.connection
    connection.receive(subscribe(("a/#", 1)))
    topics: list[str] = []
    while len(topics) < count:
        world.broker.run()
        data = b"".join(connection.take_output())
        assert 0 < len(data) <= HIGH_WATER_BYTES + 2 * size
        said = [packet for packet in read(data) if isinstance(packet, Publish)]
        topics += [packet.topic for packet in said]
        connection.sent(0)
    assert sorted(topics) == [f"a/{number:02}" for number in range(count)]


def test_whoever_subscribes_without_reading_is_promised_a_bounded_number_of_greetings(world: World) -> None:
    sender, receiver = Client(world, "sender"), Client(world)
    retained = world.broker.vhosts[DEFAULT_VHOST].retained
    for number in range(2_000):
        sender.wire.connection.receive(publish(f"a/{number}", bytes(600), retain=True))
    assert retained.count == 2_000
    connection = receiver.wire.connection
    connection.receive(subscribe(("a/#", 0)) * (ASKED_LIMIT + 10))
    receiver.wire.catch_up()
    assert HIGH_WATER_BYTES < connection.output_bytes < HIGH_WATER_BYTES + 10 * ASKED_LIMIT  # SUBACK has 5 bytes
    assert 0 < world.broker.counters.dropped["slow_subscriber"] < 10


def test_a_long_search_is_made_in_parts_and_finds_everything(world: World) -> None:
    sender, receiver = Client(world, "sender"), Client(world)
    count = 3 * STEPS_LIMIT
    for number in range(count):
        sender.wire.connection.receive(publish(f"a/{number}", b"x", retain=True))
    connection = receiver.wire.connection
    connection.receive(subscribe(("+/none", 0), ("+/+/none", 0), ("a/#", 0)))
    found = len([p for p in read(b"".join(connection.take_output())) if isinstance(p, Publish)])
    assert found < STEPS_LIMIT, "not all in one turn"
    connection.sent(0)
    for _ in range(10):
        before = found
        for timed in world.broker.timers.due():
            timed.timeout()
            world.broker.timers.watch(timed)
        found += len([p for p in read(b"".join(connection.take_output())) if isinstance(p, Publish)])
        connection.sent(0)
        assert found - before <= STEPS_LIMIT
    assert found == count
    assert not world.broker.timers.due()


def test_a_subscription_that_ends_while_it_is_greeted_gets_no_more(world: World) -> None:
    """[MQTT-3.10.4-2]"""
    sender, receiver = Client(world, "sender"), Client(world)
    for number in range(3 * STEPS_LIMIT):
        sender.wire.connection.receive(publish(f"a/{number}", b"x", retain=True))
    begun = read(receiver.wire.send(subscribe(("a/#", 0)) + unsubscribe("a/#")))
    assert 0 < len([packet for packet in begun if isinstance(packet, Publish)]) < STEPS_LIMIT
    world.advance(1)
    assert receiver.wire.take() == b""


def test_a_connection_may_end_while_it_is_greeted(world: World) -> None:
    sender, receiver = Client(world, "sender"), Client(world)
    for number in range(3 * STEPS_LIMIT):
        sender.wire.connection.receive(publish(f"a/{number}", b"x", retain=True))
    receiver.wire.connection.receive(subscribe(("a/#", 0)))
    receiver.wire.connection.receive(b"")
    world.turn()
    assert not world.broker.timers.due()
