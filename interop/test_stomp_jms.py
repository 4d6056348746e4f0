"""What applications of ActiveMQ ask for by headers of JMS: schedules, groups, exclusive consumers, noLocal, retroactive."""

import pytest

from interop.clients import Connect, PahoDriver, PikaDriver, Queue, StompPyDriver
from interop.clients.stomp_py_client import StompError


def test_a_message_is_delivered_again_and_again_on_its_schedule(connect: Connect, name: str) -> None:
    client = connect(StompPyDriver)
    client.subscribe_destination(f"/queue/{name}")
    said = {"AMQ_SCHEDULED_DELAY": "100", "AMQ_SCHEDULED_PERIOD": "100", "AMQ_SCHEDULED_REPEAT": "2", "own": "kept"}
    client.send(f"/queue/{name}", b"later", said)
    client.send(f"/queue/{name}", b"now")
    first, *rest = [client.receive() for _ in range(4)]
    assert first.body == b"now"
    assert {message.body for message in rest} == {b"later"}
    assert len({message.headers["scheduledJobId"] for message in rest}) == 1
    assert rest[0].headers["own"] == "kept"


def test_a_cron_schedule_is_refused_by_name(connect: Connect, name: str) -> None:
    with pytest.raises(StompError, match="AMQ_SCHEDULED_CRON"):
        connect(StompPyDriver).send(f"/queue/{name}", b"x", {"AMQ_SCHEDULED_CRON": "0 * * * *"})


def test_each_message_group_goes_to_one_consumer(connect: Connect, name: str) -> None:
    consumers = [connect(StompPyDriver), connect(StompPyDriver)]
    for consumer in consumers:
        consumer.subscribe_destination(f"/queue/{name}", "client-individual")
    sender = connect(StompPyDriver)
    for number in range(12):
        group = "even" if number % 2 == 0 else "odd"
        sender.send(f"/queue/{name}", b"%d" % number, {"JMSXGroupID": group})
    heard = [[int(consumer.receive().body) for _ in range(6)] for consumer in consumers]
    assert sorted(heard) == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
    consumers[0].close()
    again = [int(consumers[1].receive().body) for _ in range(6)]
    assert again == heard[0], "they are for the other one now, in order"


def test_an_exclusive_consumer_has_the_queue_for_itself(connect: Connect, name: str) -> None:
    other, alone, sender = connect(PikaDriver), connect(StompPyDriver), connect(StompPyDriver)
    other.subscribe(Queue(name))
    number = alone.subscribe_destination(f"/queue/{name}", **{"activemq.exclusive": "true"})
    for body in (b"1", b"2", b"3"):
        sender.send(f"/queue/{name}", body)
    assert [alone.receive().body for _ in range(3)] == [b"1", b"2", b"3"]
    alone.unsubscribe(number)
    sender.send(f"/queue/{name}", b"4")
    assert other.receive().body == b"4"


@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_no_local_passes_over_what_the_connection_sends(connect: Connect, name: str, kind: str) -> None:
    client, other = connect(StompPyDriver), connect(StompPyDriver)
    client.subscribe_destination(f"/{kind}/{name}", **{"activemq.noLocal": "true"})
    client.send(f"/{kind}/{name}", b"own")
    other.send(f"/{kind}/{name}", b"another's")
    assert client.receive().body == b"another's"


def test_a_retroactive_subscription_begins_with_what_mqtt_has_retained(connect: Connect, name: str) -> None:
    sender, client = connect(PahoDriver), connect(StompPyDriver)
    sender.publish_topic(f"{name}/a", b"kept", qos=1, retain=True)
    client.subscribe_destination(f"/topic/{name}.*", **{"activemq.retroactive": "true"})
    assert client.receive().body == b"kept"
    client.send(f"/topic/{name}.b", b"new")
    assert client.receive().body == b"new"
    sender.publish_topic(f"{name}/a", b"", qos=1, retain=True)
