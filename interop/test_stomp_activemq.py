"""What applications of ActiveMQ do, by the libraries that they use, on a listener that speaks its dialect."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
import stomp

from interop.broker import BrokerProcess, Endpoint, free_ports, running_endpoint
from interop.clients import Connect, Driver, PikaDriver, Queue, StompestDriver, StompPyDriver, Topic
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.stomp_py_client import StompError
from interop.clients.stomp_py_versions import VERSIONS, StompPyVersionDriver

LISTENER: Final = '[[listener]]\nprotocol = "stomp"\naddress = "127.0.0.1:{port}"\ndialect = "activemq"\n'

each_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A broker of which every port is ordinary but that of STOMP."""
    if running_endpoint() is not None:
        pytest.skip("the configuration of a broker that runs already is not ours to change")
    (port,) = free_ports(1)
    broker = BrokerProcess(tmp_path_factory.mktemp("activemq"), LISTENER.format(port=port))
    try:
        yield replace(broker.endpoint, ports={**broker.endpoint.ports, "stomp": port})
        assert broker.stop() == 0, broker.log
        assert "Traceback" not in broker.log, broker.log
    finally:
        broker.kill()


@each_version
@pytest.mark.parametrize("kind", [StompPyVersionDriver, StompestDriver], ids=lambda kind: kind.name)
def test_messages_go_both_ways(connect: Connect, name: str, version: str, kind: type[Driver]) -> None:
    client, elsewhere = connect(kind, version), connect(PikaDriver)
    client.subscribe(Topic(f"{name}.back"))
    elsewhere.subscribe(Topic(f"{name}.there"))
    client.publish(Topic(f"{name}.there"), b"a\0b", headers={"odd": "value"})
    assert elsewhere.receive().headers["odd"] == "value"
    elsewhere.publish(Topic(f"{name}.back"), b"a\0b")
    back = client.receive()
    assert (back.body, back.headers["priority"], back.headers["expires"]) == (b"a\0b", "4", "0")
    assert back.headers["message-id"].startswith("ID:")
    assert "redelivered" not in back.headers


@each_version
def test_a_nack_goes_to_the_queue_of_dead_letters(connect: Connect, name: str, version: str) -> None:
    client, dead = connect(StompPyVersionDriver, version), connect(StompPyDriver)
    dead.subscribe_destination("/queue/ActiveMQ.DLQ")
    client.publish(Queue(name), b"x")
    client.subscribe_destination(f"/queue/{name}", "client-individual")
    client.settle(client.receive(), accept=False, requeue="true")
    again = client.receive()
    assert (again.headers["redelivered"], again.headers["JMSXDeliveryCount"]) == ("true", "2")
    client.settle(again, accept=False)
    letter = dead.receive()
    assert (letter.body, letter.headers["x-first-death-queue"]) == (b"x", name)


@each_version
def test_acknowledgement_knows_the_ids_of_this_dialect(connect: Connect, name: str, version: str) -> None:
    client = connect(StompPyVersionDriver, version)
    for number in range(3):
        client.publish(Queue(name), b"%d" % number)
    client.subscribe_destination(f"/queue/{name}", "client")
    messages = [client.receive() for _ in range(3)]
    client.settle(messages[1])
    client.close()
    later = connect(PikaDriver)
    later.subscribe(Queue(name))
    assert later.receive().body == b"2"


def test_wildcards_of_topics_and_of_queues(connect: Connect, name: str) -> None:
    client, sender = connect(StompPyDriver), connect(PikaDriver)
    client.subscribe_destination(f"/topic/{name}.>")
    client.subscribe_destination(f"/queue/{name}.*", "client-individual")
    for address in (Topic(f"{name}.a.b"), Queue(f"{name}.a"), Queue(f"{name}.a.b"), Queue(f"{name}.c")):
        sender.publish(address, repr(address).encode())
    messages = [client.receive() for _ in range(3)]
    assert [message.address for message in messages] == [f"/topic/{name}.a.b", f"/queue/{name}.a", f"/queue/{name}.c"]
    for message in messages[1:]:
        client.settle(message)


def test_a_durable_subscription(connect: Connect, name: str) -> None:
    named = {"activemq.subscriptionName": "news"}
    sender = connect(PikaDriver)
    for number in range(2):
        client = connect(StompPyVersionDriver, "1.2", client_id=name)
        client.subscribe_destination(f"/topic/{name}", **named)
        if number:
            assert client.receive().body == b"meanwhile"
            with pytest.raises(StompError, match="exclusive use"):
                connect(StompPyVersionDriver, "1.2", client_id=name).subscribe_destination(f"/topic/{name}", **named)
        client.close()
        sender.publish(Topic(name), b"meanwhile")


@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_a_question_and_its_answer_at_a_temporary_destination(connect: Connect, name: str, kind: str) -> None:
    asker, answerer = connect(StompPyDriver), connect(PikaDriver)
    answerer.subscribe(Queue(name))
    asker.subscribe_destination(f"/temp-{kind}/mine")
    asker.send(f"/queue/{name}", b"question", {"reply-to": f"/temp-{kind}/mine", "correlation-id": "c"})
    question = answerer.receive()
    answerer.channel.basic_publish("", question.properties["reply_to"], b"answer")
    answer = asker.receive()
    assert (answer.body, answer.address) == (b"answer", f"/temp-{kind}/mine")


def test_a_browser(connect: Connect, name: str) -> None:
    client = connect(StompPyDriver)
    client.publish(Queue(name), b"x")
    client.subscribe_destination(f"/queue/{name}", browser="true")
    assert client.receive().body == b"x"
    end = client.receive()
    assert (end.headers["browser"], end.headers["message-id"], end.body) == ("end", "0", b"")
    client.subscribe_destination(f"/queue/{name}")
    assert client.receive().body == b"x"


def test_a_prefetch(connect: Connect, name: str) -> None:
    client = connect(StompPyDriver)
    for number in range(3):
        client.publish(Queue(name), b"%d" % number)
    client.subscribe_destination(f"/queue/{name}", "client-individual", **{"activemq.prefetchSize": "1"})
    first = client.receive()
    client.send(f"/topic/{name}", b"barrier")  # its receipt comes when more would have come
    assert client.inbox.empty()
    client.settle(first)
    assert client.receive().body == b"1"


def test_names_with_slashes(connect: Connect, name: str) -> None:
    client = connect(StompPyDriver)
    client.subscribe_destination(f"/queue/{name}/x")
    connect(PikaDriver).publish(Queue(f"{name}/x"), b"x")
    assert client.receive().address == f"/queue/{name}/x"


@pytest.mark.parametrize("kind", [stomp.Connection11, stomp.Connection12])
def test_a_client_that_is_told_nothing_but_the_address(endpoint: Endpoint, kind: Any) -> None:
    """As `host` stomp.py says the name of the server, where RabbitMQ's clients must say a virtual host."""
    connection = kind([(endpoint.host, endpoint.ports["stomp"])], reconnect_attempts_max=1, timeout=ANSWER_LIMIT_S)
    connection.connect(endpoint.user, endpoint.password, wait=True)
    connection.disconnect()


def test_a_list_with_two_wildcards_leaves_both_with_its_end(connect: Connect, name: str) -> None:
    client, elsewhere = connect(StompPyDriver), connect(PikaDriver)
    number = client.subscribe_destination(f"/queue/{name}.a.*,/queue/{name}.b.*")
    client.unsubscribe(number)
    for queue in (f"{name}.a.x", f"{name}.b.x"):
        elsewhere.subscribe(Queue(queue))
        client.publish(Queue(queue), queue.encode())
        assert elsewhere.receive().body == queue.encode()
