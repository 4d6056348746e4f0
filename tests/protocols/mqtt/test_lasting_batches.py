"""Sessions whose messages are more than one batch of the store holds, and a broker that dies between two of them."""

import pytest

from core.store.journal import BATCH_ENTRIES
from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.lasting_world import LastingWorld
from tests.protocols.mqtt.peer import Client, puback, publish
from tests.protocols.mqtt.peer5 import Client5, connect5

END_S = 100


@pytest.fixture
def world() -> LastingWorld:
    return LastingWorld()


def flood(world: LastingWorld, qos: int) -> None:
    """Publish more in one turn than one batch holds."""
    sender = Client(world, "sender")
    sender.send(b"".join(publish("a", b"%d" % number, qos, number + 1) for number in range(BATCH_ENTRIES)))


def keep_busy(world: LastingWorld) -> None:
    """Have the disk be slow, and something on its way to it."""
    busy = Client(world, "busy", clean=False)
    world.slow = True
    busy.send(publish("nobody", b"x", 2, 9))


@pytest.mark.parametrize("died_after", [1, 2, 3])
def test_packet_ids_last_across_batches_that_are_more_than_full(world: LastingWorld, died_after: int) -> None:
    """What was acknowledged while its batch was being written is under way until that is written too."""
    client = Client5(world, "c", clean=False, session_expiry=END_S, receive_maximum=5)
    client.subscribe(("a", 1))
    keep_busy(world)
    flood(world, 1)
    assert [said.packet_id for said in client.take()] == [1, 2, 3, 4, 5]
    client.send(puback(5))  # the page of packet ids has changed
    flood(world, 1)
    world.commit()
    world.turn()
    client.send(puback(2))
    for _ in range(died_after):
        world.commit()
        world.turn()
    world.die()
    got = Client5(world, "c", clean=False, session_expiry=END_S, receive_maximum=5).greeted
    settled = [5, 2] if died_after == 3 else [5]  # 5 before its batch was written
    expected = [(b"%d" % (number - 1), number) for number in range(1, 6) if number not in settled]
    assert [(said.body, said.packet_id) for said in got][: len(expected)] == expected


def test_qos_2_is_delivered_once_although_its_session_was_about_to_end_between_large_batches(
    world: LastingWorld,
) -> None:
    """The client has the message under one packet id, and would get it under another."""
    client = Client5(world, "c", clean=False, session_expiry=END_S, receive_maximum=5)
    client.subscribe(("a", 2), ("b", 1))
    sender = Client(world, "sender")
    sender.publish("b", b"first", 1)
    (other,) = client.take()
    keep_busy(world)
    flood(world, 2)
    client.send(puback(other.packet_id))
    flood(world, 2)
    world.commit()
    world.turn()  # the first of the two is being written
    world.connect(MqttConnection).send(connect5("c", clean=True))  # ends the session, once that is written
    world.commit()
    world.turn()
    had = {said.body: said.packet_id for said in client.take() if said.name == "PUBLISH"}
    assert list(had) == [b"0", b"1", b"2", b"3"]
    world.commit()
    world.die()
    got = Client5(world, "c", clean=False, session_expiry=END_S, receive_maximum=5).greeted
    again = {said.body: said.packet_id for said in got if said.name == "PUBLISH" and said.body in had}
    assert again == had
