"""Queues from MQTT: what is published to `$queue/NAME`, and who may."""

import pytest

from core.access import NOTHING, NamePattern, Permission, User
from core.model.names import DEFAULT_VHOST
from core.routing.sink import Sink
from tests.protocols.mqtt.peer import Answer, Client, Publish, Will, publish, subscribe
from tests.protocols.mqtt.peer5 import Client5, Will5, publish5, subscribe5
from tests.protocols.mqtt.queue_rig import JOBS, PERSISTENT, core, queue
from tests.protocols.world import World


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_first_publish_declares_the_queue(world: World, qos: int) -> None:
    client = Client5(world)
    answers = client.publish(JOBS, b"x", qos, content_type="text/plain")
    assert [(said.name, said.codes) for said in answers] == [
        [],
        [("PUBACK", b"\0")],
        [("PUBREC", b"\0"), ("PUBCOMP", b"\0")],
    ][qos]
    assert queue(world).durable
    entry = queue(world).get()
    assert entry is not None
    message = entry.message
    assert (message.body, message.qos, message.properties.content_type) == (b"x", qos, "text/plain")
    assert (message.address.exchange, message.address.key) == ("", "jobs")


def test_a_queue_that_exists_is_used_as_it_is(world: World) -> None:
    core(world).declare_queue("jobs", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    client = Client5(world)
    assert [said.codes for said in client.publish(JOBS, b"x", 1)] == [b"\0"]
    (refused,) = client.publish(JOBS, b"y", 1)
    assert (refused.name, refused.codes) == ("PUBACK", b"\x97")
    assert not queue(world).durable


@pytest.mark.parametrize(
    ("topic", "name"),
    [("$queue/a/b", "a/b"), ("$queue/a.b", "a.b"), ("$queue//", "/"), ("$queue/$queue/x", "$queue/x")],
)
def test_the_name_is_taken_literally(world: World, topic: str, name: str) -> None:
    client = Client(world)
    client.publish(topic, b"x", 1)
    assert queue(world, name).ready_count == 1
    assert client.send(subscribe((topic, 1))) == [Answer("SUBACK", 1, b"\x01"), Publish(topic, b"x", 1, 1)]


def test_a_queue_that_was_deleted_is_declared_again(world: World) -> None:
    client = Client5(world)
    client.publish(JOBS, b"x", 1)
    core(world).delete_queue("jobs")
    assert [said.codes for said in client.publish(JOBS, b"y", 1)] == [b"\0"]
    assert queue(world).ready_count == 1


def test_a_topic_and_a_queue_of_the_same_name_are_two_places(world: World) -> None:
    client = Client(world)
    client.subscribe(("#", 1), ("jobs", 1), ("$queue", 1))
    assert client.publish(JOBS, b"x", 1) == [Answer("PUBACK", 1)]
    client.publish("jobs", b"y")
    assert client.take() == []
    assert queue(world).ready_count == 1


def test_the_retain_flag_means_nothing_to_a_queue(world: World) -> None:
    client = Client(world)
    client.publish(JOBS, b"x", 1, retain=True)
    assert client.subscribe(("jobs", 1), ("#", 1)) == []
    (said,) = client.subscribe((JOBS, 1))
    assert said == Publish(JOBS, b"x", 1, 1)


def test_a_will_may_go_to_a_queue(world: World) -> None:
    Client(world, will=Will(JOBS, b"gone", 1)).hang_up()
    delayed = Client5(world, will=Will5(JOBS, b"gone later", 1, said={"will_delay": 5}), **PERSISTENT)
    delayed.hang_up()
    assert queue(world).ready_count == 1
    world.advance(6)
    assert queue(world).ready_count == 2


@pytest.mark.parametrize("topic", ["$queue/", "$queue/+", "$queue/a/#", "$queue/" + 256 * "x"])
def test_what_is_no_name_of_a_queue_ends_the_connection_of_a_publisher(world: World, topic: str) -> None:
    """[MQTT-3.3.2-2] for wildcards; names have AMQP's limit."""
    client = Client5(world)
    (goodbye,) = client.send(publish5(topic, b"", 1))
    assert (goodbye.name, goodbye.codes) == ("DISCONNECT", b"\x81" if "+" in topic or "#" in topic else b"\x90")
    older = Client(world)
    assert older.send(publish(topic, b"", 1)) == []
    assert older.closed


@pytest.mark.parametrize("topic", ["$queue", "$share/g/t"])
def test_other_topics_that_have_another_meaning_are_not_published_to(world: World, topic: str) -> None:
    assert [said.codes for said in Client5(world).publish(topic, b"", 1)] == [b"\x87"]


class Answers(Sink):
    """Whoever waits for an answer to a request."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def take(self, message: object) -> bool:
        self.bodies.append(message.body)  # type: ignore[attr-defined]
        return True


def test_an_answer_to_a_direct_request_is_published_to_its_reply_to(world: World) -> None:
    answers = Answers()
    name = core(world).open_replies(answers)
    client = Client5(world)
    assert [said.codes for said in client.publish(f"$queue/{name}", b"x", 1)] == [b"\0"]
    assert answers.bodies == [b"x"]
    # The broker's own names are not declared.
    assert [said.codes for said in client.publish("$queue/amq.gen-other", b"x", 1)] == [b"\x10"]
    (answer,) = client.send(subscribe5(("$queue/amq.gen-other", 1)))
    assert answer.codes == b"\x87"


class Named(NamePattern):
    """Names that begin with `may`, and the default exchange."""

    def matches(self, name: str) -> bool:
        return name.startswith("may") or name == "amq.default"


def test_permissions_are_those_of_amqp(world: World) -> None:
    """Read on the queue to consume, write on the default exchange to publish, configure to declare."""
    for name, permission in {
        "reader": Permission(NOTHING, NOTHING, Named()),
        "writer": Permission(NOTHING, Named(), NOTHING),
        "definer": Permission(Named(), Named(), NOTHING),
        "both": Permission(Named(), Named(), Named()),
    }.items():
        user = world.broker.users[name] = User(name)
        user.permissions[DEFAULT_VHOST] = permission
        world.passwords[name] = b"x"
    core(world).declare_queue("may-be")
    reader, writer, definer, both = [
        Client5(world, name, username=name, password=b"x") for name in ("reader", "writer", "definer", "both")
    ]
    filters = (("$queue/may-be", 1), ("$queue/may-not-yet-be", 1), ("$queue/other", 1))
    assert reader.send(subscribe5(*filters))[0].codes == b"\x01\x87\x87"
    for client in (writer, definer):  # who may declare a queue and not read it does not declare it in vain
        assert client.send(subscribe5(*filters))[0].codes == b"\x87\x87\x87"
    topics = [topic for topic, _ in filters]
    assert [reader.publish(topic, b"", 1)[0].codes for topic in topics] == [b"\x87"] * 3
    assert [writer.publish(topic, b"", 1)[0].codes for topic in topics] == [b"\0", b"\x87", b"\x87"]
    assert set(world.broker.vhosts[DEFAULT_VHOST].queues) == {"may-be"}
    assert both.send(subscribe5(*filters))[0].codes == b"\x01\x01\x87"
