"""Sessions that outlive the process: what a client finds that comes back to a broker that has died or stopped."""

import pytest

from core.model.names import DEFAULT_VHOST
from core.store import kinds
from core.store.batch import Batch
from tests.protocols.mqtt.lasting_world import LastingWorld
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
    subscribe,
)
from tests.protocols.mqtt.peer5 import Client5, publish5

END_S = 100


@pytest.fixture(params=[False, True], ids=["", "small windows"])
def world(request: pytest.FixtureRequest) -> LastingWorld:
    return LastingWorld(small_windows=request.param)


def stay(world: LastingWorld, *filters: tuple[str, int], name: str = "c") -> Client:
    """Connect with a session that lasts, and subscribe."""
    client = Client(world, name, clean=False)
    if filters:
        client.subscribe(*filters)
    return client


def back(world: LastingWorld, name: str = "c") -> Client:
    client = Client(world, name, clean=False)
    assert client.connack == RESUMED
    return client


def stored(world: LastingWorld) -> int:
    """Return how many definitions and rows the store has."""
    rows = sum(len(world.store.rows(number, 0, 1_000)) for number in world.store.queue_numbers())
    return rows + len([kind for kind, _, _ in world.store.definitions() if kind >= kinds.SESSION])


@pytest.mark.parametrize("qos", [1, 2])
def test_what_waits_for_a_client_waits_in_the_next_process(world: LastingWorld, qos: int) -> None:
    """[MQTT-3.1.2-5], [MQTT-4.1.0-1]"""
    stay(world, ("a/#", qos)).disconnect()
    sender = Client(world, "sender")
    for number in range(1, 4):
        sender.publish(f"a/{number}", b"%d" % number, qos, number)
    world.die()
    bodies = [said.body for said in back(world).greeted if isinstance(said, Publish)]
    assert bodies == [b"1", b"2", b"3"]


def test_subscriptions_are_there_with_all_that_they_ask_for(world: LastingWorld) -> None:
    """Identifiers, No Local and Retain As Published, of one copy for two that overlap."""
    client = Client5(world, "c", clean=False, session_expiry=END_S)
    client.subscribe(("a/+", 1 | 0x08), subscription_identifier=7)
    client.subscribe(("a/b", 2 | 0x04), subscription_identifier=300)
    client.hang_up()
    world.die()
    client = Client5(world, "c", clean=False, session_expiry=END_S)
    assert client.connack.present
    own = [said for said in client.send(publish5("a/b", b"mine", 1, 1)) if said.name == "PUBLISH"]
    assert [(said.qos, said.said) for said in own] == [(1, {"subscription_identifier": [7]})]
    Client(world, "sender").publish("a/b", b"theirs", 2, retain=True)
    (said,) = [said for said in client.take() if said.name == "PUBLISH"]
    assert (said.body, said.qos, said.retain) == (b"theirs", 2, True)
    assert sorted(said.said["subscription_identifier"]) == [7, 300]


def test_what_was_granted_comes_back_with_each_entry(world: LastingWorld) -> None:
    client = Client5(world, "c", clean=False, session_expiry=END_S)
    client.subscribe(("a/+", 1 | 0x08), subscription_identifier=7)
    client.hang_up()
    Client(world, "sender").publish("a/b", b"x", 2, retain=True)
    world.die()
    client = Client5(world, "c", clean=False, session_expiry=END_S)
    (said,) = client.greeted
    assert (said.qos, said.retain, said.said) == (1, True, {"subscription_identifier": [7]})


def test_an_unsubscribed_filter_stays_away(world: LastingWorld) -> None:
    client = stay(world, ("a", 1), ("b", 1))
    client.send(b"\xa2\x05\x00\x02\x00\x01a")
    world.die()
    client = back(world)
    sender = Client(world, "sender")
    sender.publish("a", b"no", 1)
    sender.publish("b", b"yes", 1)
    assert [said.body for said in client.take() if isinstance(said, Publish)] == [b"yes"]


def test_a_client_that_begins_anew_leaves_nothing(world: LastingWorld) -> None:
    """[MQTT-3.1.2-6]: neither in the broker nor in the store."""
    client = stay(world, ("a", 2))
    Client(world, "sender").publish("a", b"x", 2)
    client.send(publish("nobody", b"x", 2, 9))
    assert stored(world) > 0
    assert Client(world, "c", clean=True).connack == ACCEPTED
    assert stored(world) == 0
    world.die()
    assert Client(world, "c", clean=False).connack == ACCEPTED


def test_a_clean_session_stores_nothing(world: LastingWorld) -> None:
    client = Client(world, "c")
    client.subscribe(("a", 2), ("b", 1))
    sender = Client(world, "sender")
    before = world.broker.surroundings.journal.promises
    sender.send(publish("a", b"x", 2, 1))
    sender.send(publish("b", b"x", 1, 2))
    client.take()
    client.send(pubrec(1))
    assert world.broker.surroundings.journal.promises == before
    assert stored(world) == 0
    world.die()
    assert not world.broker.vhosts[DEFAULT_VHOST].sessions


def test_what_was_sent_comes_again_under_its_packet_id(world: LastingWorld) -> None:
    """[MQTT-4.4.0-1], [MQTT-3.3.1-1]"""
    client = stay(world, ("a", 1), ("b", 2))
    sender = Client(world, "sender")
    sender.publish("a", b"0", 1)
    assert client.take() == [Publish("a", b"0", 1, 1)]
    client.send(puback(1))
    sender.publish("a", b"1", 1)
    sender.publish("b", b"2", 2)
    assert client.take() == [Publish("a", b"1", 1, 2), Publish("b", b"2", 2, 3)]
    world.die()
    assert back(world).greeted == [Publish("a", b"1", 1, 2, dup=True), Publish("b", b"2", 2, 3, dup=True)]


def test_what_is_released_stays_released(world: LastingWorld) -> None:
    """[MQTT-4.3.3-1]: the client has it, and gets PUBREL and no second PUBLISH."""
    client = stay(world, ("b", 2))
    Client(world, "sender").publish("b", b"x", 2)
    client.take()
    assert client.send(pubrec(1)) == [Answer("PUBREL", 1)]
    world.die()
    client = back(world)
    assert client.greeted == [Answer("PUBREL", 1)]
    client.send(pubcomp(1))
    world.die()
    assert back(world).greeted == []


def test_a_message_of_qos_2_waits_for_its_packet_id_to_be_stored(world: LastingWorld) -> None:
    """Else the client could get it once more, under another id, from a process that knows nothing of the first."""
    client = stay(world, ("b", 2))
    sender = Client(world, "sender")
    world.slow = True
    assert sender.send(publish("b", b"x", 2, 1)) == []
    assert client.take() == []
    world.commit()
    assert client.take() == [Publish("b", b"x", 2, 1)]
    assert sender.take() == [Answer("PUBREC", 1)]


def test_a_message_of_qos_1_waits_for_nothing(world: LastingWorld) -> None:
    client = stay(world, ("a", 1))
    sender = Client(world, "sender")
    world.slow = True
    assert sender.send(publish("a", b"x", 1, 1)) == []  # no PUBACK
    assert client.take() == [Publish("a", b"x", 1, 1)]


def test_pubrel_waits_for_what_it_says_to_be_stored(world: LastingWorld) -> None:
    client = stay(world, ("b", 2))
    Client(world, "sender").publish("b", b"x", 2)
    client.take()
    world.slow = True
    assert client.send(pubrec(1)) == []
    world.commit()
    assert client.take() == [Answer("PUBREL", 1)]


def test_a_message_is_not_published_twice_across_a_death(world: LastingWorld) -> None:
    """[MQTT-4.3.3-2]: its packet id is stored with it, before PUBREC."""
    stay(world, ("b", 2)).disconnect()
    sender = stay(world, name="sender")
    assert sender.send(publish("b", b"x", 2, 5)) == [Answer("PUBREC", 5)]
    world.die()
    sender = back(world, "sender")
    assert sender.send(publish("b", b"x", 2, 5, dup=True)) == [Answer("PUBREC", 5)]
    assert sender.send(pubrel(5)) == [Answer("PUBCOMP", 5)]
    assert [said.body for said in back(world).greeted if isinstance(said, Publish)] == [b"x"]


def test_an_id_that_was_released_is_free_in_the_next_process(world: LastingWorld) -> None:
    """Else the next message under it would be taken for the old one, and lost."""
    stay(world, ("b", 2)).disconnect()
    sender = stay(world, name="sender")
    sender.publish("b", b"1", 2, 5)
    world.die()
    back(world, "sender").publish("b", b"2", 2, 5)
    assert [said.body for said in back(world).greeted if isinstance(said, Publish)] == [b"1", b"2"]


def test_what_is_said_of_a_packet_id_waits_until_it_is_stored(world: LastingWorld) -> None:
    """PUBREC that it is taken, PUBCOMP that it is free again; also where nothing else is to be stored."""
    sender = stay(world)
    world.slow = True
    assert sender.send(publish("nobody", b"x", 2, 5)) == []
    world.commit()
    assert sender.take() == [Answer("PUBREC", 5)]
    assert sender.send(pubrel(5)) == []
    world.commit()
    assert sender.take() == [Answer("PUBCOMP", 5)]


def test_answers_wait_until_what_they_say_is_stored(world: LastingWorld) -> None:
    client = stay(world)
    world.slow = True
    assert client.send(subscribe(("a", 1))) == []
    world.commit()
    assert client.take() == [Answer("SUBACK", 1, b"\x01")]


@pytest.mark.parametrize(("down_s", "present"), [(END_S - 11, True), (END_S - 10, False), (END_S, False)])
def test_a_session_expires_by_the_clock_on_the_wall(world: LastingWorld, down_s: int, present: bool) -> None:
    """[MQTT-3.1.2-23]: ten seconds are over when the process ends."""
    Client5(world, "c", clean=False, session_expiry=END_S).hang_up()
    world.advance(10)
    world.die(down_s)
    assert Client5(world, "c", clean=False, session_expiry=END_S).connack.present is present
    if not present:
        world.die()
        assert stored(world) == 1  # the new one


def test_a_session_whose_connection_died_with_the_process_expires_from_the_restart_on(world: LastingWorld) -> None:
    Client5(world, "c", clean=False, session_expiry=END_S)
    world.die(2 * END_S)
    world.advance(END_S - 1)
    world.die(0)
    assert "c" in world.broker.vhosts[DEFAULT_VHOST].sessions
    world.advance(1)
    assert "c" not in world.broker.vhosts[DEFAULT_VHOST].sessions
    assert stored(world) == 0


def test_a_shared_subscription_is_still_one_of_its_group(world: LastingWorld) -> None:
    stay(world, ("$share/g/a", 1), name="one")
    stay(world, ("$share/g/a", 1), name="two")
    world.die()
    one, two = back(world, "one"), back(world, "two")
    sender = Client(world, "sender")
    for number in range(4):
        sender.publish("a", b"%d" % number, 1, number + 1)
    got = [[said.body for said in client.take() if isinstance(said, Publish)] for client in (one, two)]
    assert sorted(map(len, got)) == [2, 2]


def test_a_subscription_to_a_queue_consumes_again_when_its_client_is_back(world: LastingWorld) -> None:
    client = stay(world, ("$queue/work", 1))
    sender = Client(world, "sender")
    sender.publish("$queue/work", b"1", 1, 1)
    assert client.take() == [Publish("$queue/work", b"1", 1, 1)]
    world.die()
    queue = world.broker.vhosts[DEFAULT_VHOST].queues["work"]
    assert (queue.ready_count, len(queue.consumers)) == (1, 0)
    client = back(world)
    assert client.greeted == [Publish("$queue/work", b"1", 1, 1)]
    client.send(puback(1))
    world.die()
    assert back(world).greeted == []


def test_a_session_is_still_its_users_own(world: LastingWorld) -> None:
    stay(world)
    world.die()
    assert Client(world, "c", clean=False, username="nobody", password=b"nobody").connack not in {ACCEPTED, RESUMED}
    assert back(world).connack == RESUMED


def test_what_is_retained_says_so_in_the_next_process(world: LastingWorld) -> None:
    Client(world, "sender").publish("a", b"kept", 1, retain=True)
    client = stay(world)
    client.send(subscribe(("a", 1)))
    world.die()
    assert back(world).greeted == [Publish("a", b"kept", 1, 1, dup=True, retain=True)]


def test_one_batch_states_a_page_of_packet_ids_once(world: LastingWorld) -> None:
    """However many messages there are in it."""
    client = stay(world, ("a", 1))
    sender = Client(world, "sender")
    before = len(world.store.batches)
    sender.send(*[publish("a", b"x", 1, number + 1) for number in range(600)])
    pages = [
        key for batch in world.store.batches[before:] for kind, key, _ in batch.definitions if kind == kinds.IN_FLIGHT
    ]
    assert len(pages) == len(set(pages)) == 3
    assert len(client.take()) == 600
    world.die()
    assert len(back(world).greeted) == 600


def test_what_is_settled_leaves_no_page_behind(world: LastingWorld) -> None:
    client = stay(world, ("a", 1), ("b", 2))
    sender = Client(world, "sender")
    before = stored(world)
    for number in range(1, 301):
        sender.publish("a", b"x", 1, number)
    client.take()
    client.send(*[puback(number) for number in range(1, 301)])
    sender.publish("b", b"x", 2, 1)
    client.take()
    client.send(pubrec(301))
    client.send(pubcomp(301))
    client.send(publish("nobody", b"x", 2, 9), pubrel(9))
    assert stored(world) == before
    assert world.broker.surroundings.usage.held_bytes == 0


def test_damage_to_a_page_of_packet_ids_costs_no_message(world: LastingWorld) -> None:
    client = stay(world, ("a", 1))
    Client(world, "sender").publish("a", b"x", 1)
    client.take()
    batch = Batch(0)
    batch.definitions = [
        (kind, key, record[:-1]) for kind, key, record in world.store.definitions() if kind == kinds.IN_FLIGHT
    ]
    assert batch.definitions
    world.store.commit(batch)
    with pytest.raises(AssertionError):
        world.die()
    assert any("page of packet ids" in sentence for sentence in world.found.damage)
    assert [said.body for said in back(world).greeted if isinstance(said, Publish)] == [b"x"]


def test_qos_1_gets_the_ids_again_that_no_commit_knows_of(world: LastingWorld) -> None:
    """[MQTT-4.4.0-1]: what was sent since the last commit is sent again, marked, in the same order under the same ids."""
    client = Client5(world, "c", clean=False, session_expiry=END_S, receive_maximum=1)
    client.subscribe(("a", 1))
    sender = Client(world, "sender")
    for number in range(1, 3):
        sender.publish("a", b"%d" % number, 1, number)
    assert [said.packet_id for said in client.take()] == [1]
    world.slow = True
    assert [(said.body, said.packet_id) for said in client.send(puback(1))] == [(b"2", 2)]
    world.die()
    client = Client5(world, "c", clean=False, session_expiry=END_S, receive_maximum=1)
    assert [(said.packet_id, said.dup) for said in client.greeted] == [(1, True)]
    assert [(said.body, said.packet_id, said.dup) for said in client.send(puback(1))] == [(b"2", 2, True)]
