"""Nothing follows the DISCONNECT of the broker, whatever else happens in the same turn [MQTT-3.14.4-1]."""

import pytest

from tests.protocols.mqtt.peer5 import Client5, connect5, publish5
from tests.protocols.mqtt.queue_rig import JOBS, PERSISTENT, core, held, put, queue
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def said_last(client: Client5) -> list[tuple[str, bytes]]:
    return [(packet.name, packet.codes) for packet in client.take()]


def test_what_was_acknowledged_is_said_before_another_connection_takes_over(world: World) -> None:
    client, other = Client5(world), Client5(world, "other")
    client.wire.connection.receive(publish5("t", b"x", 1, 7))
    other.wire.connection.receive(publish5("elsewhere", b"y", 0))
    newer = world.connect(type(client.wire.connection))
    newer.connection.receive(connect5())
    assert said_last(client) == [("PUBACK", b"\x10"), ("DISCONNECT", b"\x8e")]


def test_what_is_published_after_a_mistake_is_not_sent_to_who_made_it(world: World) -> None:
    client, sender = Client5(world), Client5(world, "sender")
    client.subscribe(("t", 0), ("u", 1))
    client.wire.connection.receive(publish5("t", b"own", 1, 7) + b"\xc0\x01\x00")
    sender.wire.connection.receive(publish5("t", b"x") + publish5("u", b"x", 1))
    assert said_last(client) == [("PUBLISH", b""), ("PUBACK", b"\0"), ("DISCONNECT", b"\x81")]


def test_what_is_published_after_a_queue_was_deleted_is_not_sent_to_its_consumer(world: World) -> None:
    client, sender = Client5(world, **PERSISTENT), Client5(world, "sender")
    client.subscribe((JOBS, 1), ("t", 0), ("u", 1))
    client.wire.connection.receive(publish5("elsewhere", b"x", 1, 7))
    core(world).delete_queue("jobs")
    sender.wire.connection.receive(publish5("t", b"x") + publish5("u", b"x", 1))
    assert said_last(client) == [("PUBACK", b"\x10"), ("DISCONNECT", b"\x98")]
    back = Client5(world, **PERSISTENT)
    assert [packet.topic for packet in back.greeted] == ["u"]  # it has waited for the session


def test_a_client_whose_two_queues_are_deleted_is_told_once(world: World) -> None:
    client = Client5(world)
    client.subscribe((JOBS, 1), ("$queue/more", 1))
    for name in ("jobs", "more"):
        core(world).delete_queue(name)
    assert said_last(client) == [("DISCONNECT", b"\x98")]
    assert [event for event, _ in client.wire.outlet.notes] == ["subscription ended"]


@pytest.mark.parametrize("expiry_s", [0, 100])
def test_a_queue_does_not_keep_the_session_that_has_given_an_entry_back(world: World, expiry_s: int) -> None:
    client = Client5(world, clean=not expiry_s, session_expiry=expiry_s)
    client.subscribe((JOBS, 1))
    put(world, b"a")
    client.hang_up()
    assert held(world) == (1, 0)
    assert queue(world).backlog.head().via is None
