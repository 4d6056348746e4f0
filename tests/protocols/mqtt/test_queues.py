"""Queues from MQTT: what is consumed from `$queue/NAME`."""

import pytest

from core.access import EVERYTHING, NOTHING
from core.model.message import plain_message
from core.model.names import DEFAULT_VHOST
from core.queueing.consumer import Consumer
from tests.protocols.mqtt.peer import Answer, Client, Publish, puback, pubcomp, pubrec
from tests.protocols.mqtt.peer5 import Client5, ack, subscribe5, unsubscribe5
from tests.protocols.mqtt.queue_rig import JOBS, PERSISTENT, bodies, core, held, put, queue
from tests.protocols.world import World


@pytest.mark.parametrize("published", [0, 1])
def test_puback_takes_an_entry_off_the_queue(world: World, published: int) -> None:
    """Whatever the message was published with."""
    client = Client5(world)
    client.subscribe((JOBS, 1), subscription_identifier=3)
    put(world, b"a", b"b", qos=published)
    first, second = client.take()
    assert (first.topic, first.body, first.qos, first.dup, first.said) == (
        JOBS,
        b"a",
        1,
        False,
        {"subscription_identifier": [3]},
    )
    assert held(world) == (0, 2)
    client.send(ack(0x40, second.packet_id))
    assert held(world) == (0, 1)
    client.send(ack(0x40, first.packet_id))
    assert held(world) == (0, 0)


def test_pubcomp_takes_an_entry_off_the_queue(world: World) -> None:
    client = Client(world)
    client.subscribe((JOBS, 2))
    put(world, b"a")
    assert client.take() == [Publish(JOBS, b"a", 2, 1)]
    assert client.send(pubrec(1)) == [Answer("PUBREL", 1)]
    assert held(world) == (0, 1)
    client.send(pubcomp(1))
    assert held(world) == (0, 0)


def test_with_qos_0_sending_takes_an_entry_off_the_queue(world: World) -> None:
    client, newer = Client(world), Client5(world, "newer")
    client.subscribe((JOBS, 0))
    put(world, b"a", b"b", qos=1)
    assert client.take() == [Publish(JOBS, b"a"), Publish(JOBS, b"b")]
    newer.subscribe((JOBS, 0))
    client.hang_up()
    Client(world, "sender").publish(JOBS, b"c")
    assert [(said.topic, said.body, said.qos) for said in newer.take()] == [(JOBS, b"c", 0)]
    assert held(world) == (0, 0)


def test_the_topic_of_a_delivery_is_the_queue_wherever_the_message_came_from(world: World) -> None:
    client = core(world)
    client.declare_queue("jobs")
    client.bind_queue("jobs", "amq.topic", "a.*", {})
    one, other = Client(world, "one"), Client(world, "other")
    one.subscribe((JOBS, 1))
    other.subscribe(("a/b", 1))
    other.publish("a/b", b"x", 1)
    assert one.take() == [Publish(JOBS, b"x", 1, 1)]
    assert [said for said in other.take() if isinstance(said, Publish)] == []  # taken above, in its own answer
    topic = client.target("amq.topic", "a.+")
    client.publish(topic.exchange, plain_message(topic.address, b"no topic of MQTT", 1), None, 0)
    assert one.take() == [Publish(JOBS, b"no topic of MQTT", 1, 2)]


def test_frames_are_not_shared_with_subscribers_of_the_topic(world: World) -> None:
    """With QoS 0 subscribers of a topic get the publisher's own frame; a consumer of a queue never does."""
    client = core(world)
    client.declare_queue("jobs")
    client.bind_queue("jobs", "amq.topic", "#", {})
    before, consumer, after = Client5(world, "before"), Client5(world, "consumer"), Client5(world, "after")
    before.subscribe(("a/b", 0))
    consumer.subscribe((JOBS, 0))
    after.subscribe(("a/b", 0))
    Client5(world, "sender").publish("a/b", b"x")
    put_to_topic = client.target("amq.topic", "a.b")
    client.publish(put_to_topic.exchange, plain_message(put_to_topic.address, b"y"), None, 0)
    for subscriber, topic in ((before, "a/b"), (consumer, JOBS), (after, "a/b")):
        assert [(said.topic, said.body) for said in subscriber.take()] == [(topic, b"x"), (topic, b"y")]


def test_topic_aliases_stand_for_queues_too(world: World) -> None:
    client = Client5(world, topic_alias_maximum=5)
    client.subscribe((JOBS, 1))
    put(world, b"a", b"b")
    first, second = client.take()
    assert (first.topic, second.topic) == (JOBS, "")
    assert first.said["topic_alias"] == second.said["topic_alias"]


def test_subscribing_declares_the_queue_and_gives_what_waits(world: World) -> None:
    client = Client5(world)
    assert client.subscribe((JOBS, 1)) == []
    assert queue(world).durable
    client.send(unsubscribe5(JOBS))
    put(world, b"a")
    assert bodies(client.subscribe((JOBS, 1))) == [b"a"]


def test_consumers_take_turns_and_the_window_is_their_credit(world: World) -> None:
    one, other = Client5(world, "one", receive_maximum=1), Client(world, "other")
    one.subscribe((JOBS, 1))
    other.subscribe((JOBS, 1))
    put(world, b"0", b"1", b"2", b"3")
    (first,) = one.take()
    assert [said.body for said in other.take() if isinstance(said, Publish)] == [b"1", b"2", b"3"]
    put(world, b"4", b"5")
    assert bodies(one.send(ack(0x40, first.packet_id))) == []
    assert other.take() == [Publish(JOBS, b"4", 1, 4), Publish(JOBS, b"5", 1, 5)]


def test_what_is_not_acknowledged_goes_back_with_the_connection(world: World) -> None:
    client, older = Client5(world), Client(world, "older")
    client.subscribe((JOBS, 1))
    put(world, b"a", b"b")
    client.take()
    client.hang_up()
    assert held(world) == (2, 0)
    entry = queue(world).get()
    assert entry is not None
    assert entry.redelivered
    queue(world).requeue(entry)
    assert older.subscribe((JOBS, 1)) == [Publish(JOBS, b"a", 1, 1), Publish(JOBS, b"b", 1, 2)]  # new to this client


def test_a_session_without_a_connection_consumes_nothing(world: World) -> None:
    client = Client5(world, **PERSISTENT)
    client.subscribe((JOBS, 1))
    put(world, b"a")
    (first,) = client.take()
    client.hang_up()
    assert not queue(world).consumers
    put(world, b"b")
    assert held(world) == (2, 0)
    back = Client5(world, **PERSISTENT)
    assert [(said.body, said.dup, said.packet_id) for said in back.greeted] == [(b"a", False, 2), (b"b", False, 3)]
    assert back.send(ack(0x40, first.packet_id)) == []  # belongs to what went back
    back.send(ack(0x40, 2), ack(0x40, 3))
    assert held(world) == (0, 0)


def test_what_was_sent_with_qos_2_stays_with_a_session_that_goes_on(world: World) -> None:
    """[MQTT-4.4.0-1]: the client may have it already."""
    client = Client5(world, **PERSISTENT)
    client.subscribe((JOBS, 2))
    put(world, b"a", b"b")
    first, second = client.take()
    client.send(ack(0x50, first.packet_id))
    client.hang_up()
    assert held(world) == (0, 2)
    back = Client5(world, **PERSISTENT)
    assert [(said.name, said.packet_id, said.dup) for said in back.greeted] == [
        ("PUBREL", first.packet_id, False),
        ("PUBLISH", second.packet_id, True),
    ]
    back.hang_up()
    world.advance(101)
    assert held(world) == (1, 0)  # the client never said that it had received the second


def test_a_negative_acknowledgement_discards_the_entry(world: World) -> None:
    client = core(world)
    client.declare_queue("dead")
    client.declare_queue("jobs", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    device = Client5(world)
    device.subscribe((JOBS, 1))
    put(world, b"a")
    (first,) = device.take()
    device.send(ack(0x40, first.packet_id, 0x83))
    assert held(world) == (0, 0)
    assert queue(world, "dead").ready_count == 1


def test_what_is_too_large_for_the_client_is_discarded(world: World) -> None:
    """[MQTT-3.1.2-24]"""
    client = core(world)
    client.declare_queue("dead")
    client.declare_queue("jobs", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    device = Client5(world, maximum_packet_size=100)
    device.subscribe((JOBS, 1))
    put(world, bytes(200), b"small")
    assert bodies(device.take()) == [b"small"]
    assert queue(world, "dead").ready_count == 1


def test_unsubscribing_ends_the_consumer_and_what_was_begun_is_finished(world: World) -> None:
    client = Client5(world)
    client.subscribe((JOBS, 1))
    put(world, b"a")
    (first,) = client.take()
    assert client.send(unsubscribe5(JOBS))[0].codes == b"\0"
    put(world, b"b")
    assert client.take() == []
    assert held(world) == (1, 1)
    client.send(ack(0x40, first.packet_id))
    assert held(world) == (1, 0)


def test_subscribing_again_replaces_the_consumer(world: World) -> None:
    client = Client5(world)
    client.subscribe((JOBS, 1))
    client.subscribe((JOBS, 0))
    assert len(queue(world).consumers) == 1
    put(world, b"a")
    assert [said.qos for said in client.take()] == [0]


def test_an_auto_delete_queue_goes_with_its_last_consumer(world: World) -> None:
    core(world).declare_queue("jobs", auto_delete=True)
    client = Client5(world)
    client.subscribe((JOBS, 1))
    client.subscribe((JOBS, 2))
    client.send(unsubscribe5(JOBS))
    assert world.broker.vhosts[DEFAULT_VHOST].queues == {}
    assert not client.closed


def test_a_client_whose_queue_is_deleted_is_disconnected(world: World) -> None:
    """Reason code 0x98, administrative action; its session goes on with a queue that is declared anew."""
    client, older = Client5(world, **PERSISTENT), Client(world, "older")
    client.subscribe((JOBS, 1))
    older.subscribe((JOBS, 1))
    core(world).delete_queue("jobs")
    (goodbye,) = client.take()
    assert (goodbye.name, goodbye.codes, goodbye.said["reason_string"]) == (
        "DISCONNECT",
        b"\x98",
        "queue 'jobs' was deleted",
    )
    assert client.closed
    assert older.take() == []
    assert older.closed
    assert ("subscription ended", "queue 'jobs' was deleted") in older.notes
    back = Client5(world, **PERSISTENT)
    put(world, b"a")
    assert bodies(back.take()) == [b"a"]


@pytest.mark.parametrize(
    ("options", "name", "code"),
    [
        (1, "$queue/", 0x8F),
        (1, "$queue/+", 0x8F),
        (1, "$queue/a/#", 0x8F),
        (1, "$queue/a+b", 0x8F),
        (1, "$queue/" + 256 * "x", 0x8F),
        (1 | 0x04, "$queue/a", 0x8F),  # No Local [MQTT-3.8.3-3]
        (1, "$queue/amq.mine", 0x87),
    ],
)
def test_what_cannot_be_consumed_is_refused(world: World, options: int, name: str, code: int) -> None:
    client = Client5(world)
    before = world.broker.surroundings.usage.defined_bytes
    (answer,) = client.send(subscribe5((name, options)))
    assert answer.codes == bytes([code])
    assert not client.closed
    assert world.broker.surroundings.usage.defined_bytes == before


def test_a_queue_that_is_another_clients_own_is_refused(world: World) -> None:
    owner = core(world)
    owner.declare_queue("jobs", exclusive=True)
    client = Client5(world)
    (answer,) = client.send(subscribe5((JOBS, 1)))
    assert answer.codes == b"\x87"
    assert [said.codes for said in client.publish(JOBS, b"x", 1)] == [b"\0"]  # as in AMQP, everybody may send to it


def test_a_queue_that_another_consumer_has_for_itself_is_refused(world: World) -> None:
    core(world).declare_queue("jobs")
    core(world).consume("jobs", Consumer(), exclusive=True)
    before = world.broker.surroundings.usage.defined_bytes
    (answer,) = Client5(world).send(subscribe5((JOBS, 1)))
    assert answer.codes == b"\x83"
    assert world.broker.surroundings.usage.defined_bytes == before


def test_a_session_loses_a_queue_that_its_user_may_not_read_any_more(world: World) -> None:
    client = Client5(world, **PERSISTENT)
    client.subscribe((JOBS, 1))
    client.hang_up()
    permission = world.broker.users["guest"].permissions[DEFAULT_VHOST]
    permission.patterns = (EVERYTHING, EVERYTHING, NOTHING)
    back = Client5(world, **PERSISTENT)
    assert back.connack.present
    assert not queue(world).consumers
    assert back.wire.outlet.notes == [("subscriptions dropped", "1 are no longer permitted")]


def test_nothing_is_left_of_a_session_that_ends(world: World) -> None:
    before = world.broker.surroundings.usage.defined_bytes
    client = Client5(world, **PERSISTENT)
    client.subscribe((JOBS, 2))
    put(world, b"a")
    client.hang_up()
    world.advance(101)
    assert held(world) == (1, 0)
    core(world).delete_queue("jobs")
    assert world.broker.surroundings.usage.defined_bytes == before
    assert world.broker.surroundings.usage.held_bytes == 0


def test_a_device_answers_what_it_consumes(world: World) -> None:
    """Both directions at once, with flow of its own for each."""
    device = Client(world)
    device.subscribe(("$queue/requests", 1))
    put(world, b"1", b"2", name="requests")
    for said in device.take():
        assert isinstance(said, Publish)
        device.publish("$queue/answers", said.body * 2, 1, packet_id=said.packet_id)
        device.send(puback(said.packet_id))
    assert queue(world, "answers").ready_count == 2
    assert queue(world, "requests").unsettled_count == 0
