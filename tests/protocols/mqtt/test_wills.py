"""Wills (MQTT 3.1.1 §3.1.2.5)."""

import pytest

from core.access import EVERYTHING, NOTHING, Permission
from core.model.names import DEFAULT_VHOST
from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import Client, Publish, Will, connect, frame
from tests.protocols.world import World


@pytest.fixture
def watcher(world: World) -> Client:
    client = Client(world, "watcher")
    client.subscribe(("#", 2), ("$SYS/#", 2))
    return client


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True])
def test_a_will_is_published_with_all_that_it_says(world: World, watcher: Client, qos: int, retain: bool) -> None:
    """[MQTT-3.1.2-8], [MQTT-3.1.2-16], [MQTT-3.1.2-17]"""
    client = Client(world, will=Will("w/t", b"gone", qos, retain))
    client.hang_up()
    assert watcher.take() == [Publish("w/t", b"gone", qos, 1 if qos else 0)]
    late = Client(world, "late").subscribe(("w/t", 2))
    assert late == ([Publish("w/t", b"gone", qos, 1 if qos else 0, retain=True)] if retain else [])


def test_a_good_bye_discards_the_will(world: World, watcher: Client) -> None:
    """[MQTT-3.1.2-10], [MQTT-3.14.4-3]"""
    client = Client(world, will=Will("w", b"gone"))
    client.disconnect()
    assert client.wire.ended
    assert watcher.take() == []


def test_a_mistake_publishes_the_will(world: World, watcher: Client) -> None:
    Client(world, will=Will("w", b"gone")).send(frame(0xF0, b""))
    assert watcher.take() == [Publish("w", b"gone")]


def test_silence_publishes_the_will(world: World, watcher: Client) -> None:
    Client(world, will=Will("w", b"gone"), keep_alive_s=10)
    world.advance(16)
    assert watcher.take() == [Publish("w", b"gone")]


@pytest.mark.parametrize("clean", [True, False])
def test_a_takeover_publishes_the_will_of_the_old_connection(world: World, watcher: Client, clean: bool) -> None:
    old = Client(world, clean=clean, will=Will("w", b"old"))
    new = Client(world, clean=clean, will=Will("w", b"new"))
    assert old.closed
    assert watcher.take() == [Publish("w", b"old")]
    new.hang_up()
    assert watcher.take() == [Publish("w", b"new")]


def test_a_shutdown_publishes_the_will(world: World, watcher: Client) -> None:
    client = Client(world, will=Will("w", b"gone"))
    client.wire.connection.shut_down()
    client.take()
    assert watcher.take() == [Publish("w", b"gone")]


def test_a_refused_client_leaves_no_will(world: World, watcher: Client) -> None:
    refused = Client(world, will=Will("w", b"gone"), username="guest", password=b"guess")
    assert refused.connack == b"\x00\x04"
    assert refused.wire.ended
    assert watcher.take() == []


def test_a_will_does_not_come_back_to_its_own_clean_session(world: World) -> None:
    client = Client(world, will=Will("w", b"gone"))
    client.subscribe(("w", 1))
    client.hang_up()
    assert client.take() == []
    assert world.broker.counters.dropped == {}


def test_a_will_waits_in_its_own_persistent_session(world: World) -> None:
    client = Client(world, clean=False, will=Will("w", b"gone", 1))
    client.subscribe(("w", 1))
    client.hang_up()
    assert Client(world, clean=False).greeted == [Publish("w", b"gone", 1, 1)]


def test_a_will_is_authorised_when_it_is_published(world: World, watcher: Client) -> None:
    client = Client(world, will=Will("w", b"gone", 1, retain=True))
    world.broker.users["guest"].permissions[DEFAULT_VHOST] = Permission(EVERYTHING, NOTHING, EVERYTHING)
    client.hang_up()
    assert watcher.take() == []
    assert world.broker.counters.dropped == {"denied": 1}
    assert client.notes[-1][0] == "will denied"


def test_a_will_to_the_brokers_own_topics_is_denied(world: World, watcher: Client) -> None:
    Client(world, will=Will("$SYS/x", b"gone")).hang_up()
    assert watcher.take() == []
    assert world.broker.counters.dropped == {"denied": 1}


def test_a_stream_that_ends_in_the_middle_of_a_connect_leaves_no_will(world: World, watcher: Client) -> None:
    wire = world.connect(MqttConnection)
    wire.send(connect(will=Will("w", b"gone"))[:-1])
    wire.hang_up()
    assert watcher.take() == []
