"""STOMP by stomp.py in each of its versions: what the versions say differently, and what is the same in all of them."""

from typing import Final

import pytest

from interop.clients import Connect, PikaDriver, Queue, Topic
from interop.clients.stomp_py_client import StompError
from interop.clients.stomp_py_versions import VERSIONS, StompPyVersionDriver

BODIES: Final = [b"%d" % number for number in range(4)]

each_version = pytest.mark.parametrize("version", VERSIONS)


def ready(connect: Connect, name: str) -> int:
    """Return how many messages the queue holds that nobody has."""
    answer = connect(PikaDriver).channel.queue_declare(name, durable=True)
    return int(answer.method.message_count)


@each_version
def test_bodies_and_headers_go_both_ways(connect: Connect, name: str, version: str) -> None:
    client, elsewhere = connect(StompPyVersionDriver, version), connect(PikaDriver)
    client.subscribe(Topic(f"{name}.back"))
    elsewhere.subscribe(Topic(f"{name}.there"))
    odd = "grüße" if version == "1.0" else "a:b\\c\nd"
    for body in (b"", b"a\0b\n\nc", bytes(range(256)) * 500):
        client.publish(Topic(f"{name}.there"), body, headers={"odd": odd}, durable=True)
        there = elsewhere.receive()
        assert (there.body, there.headers["odd"], there.durable) == (body, odd, True)
        elsewhere.publish(Topic(f"{name}.back"), body, headers={"odd": odd}, durable=True)
        back = client.receive()
        assert (back.body, back.headers["odd"], back.durable) == (body, odd, True)


@each_version
@pytest.mark.parametrize(("ack", "left"), [("auto", 0), ("client", 1), ("client-individual", 3)])
def test_acknowledgement(connect: Connect, name: str, version: str, ack: str, left: int) -> None:
    client = connect(StompPyVersionDriver, version)
    for body in BODIES:
        client.publish(Queue(name), body)
    client.subscribe_destination(f"/queue/{name}", ack)
    messages = [client.receive() for _ in BODIES]
    assert [message.body for message in messages] == BODIES
    if ack != "auto":
        client.settle(messages[2])
    client.close()
    assert ready(connect, name) == left


@each_version
def test_nack_comes_back_at_once_or_later_or_never(connect: Connect, name: str, version: str) -> None:
    client = connect(StompPyVersionDriver, version)
    client.publish(Queue(name), b"x")
    client.subscribe_destination(f"/queue/{name}", "client-individual")
    client.settle(client.receive(), accept=False)
    again = client.receive()
    assert (again.headers["redelivered"], again.headers["x-delivery-count"]) == ("true", "1")
    client.settle(again, accept=False, delay="300")
    later = client.receive()
    assert later.headers["x-delivery-count"] == "2"
    client.settle(later, accept=False, requeue="false")
    client.close()
    assert ready(connect, name) == 0


@each_version
@pytest.mark.parametrize(("end", "out", "left"), [("COMMIT", 1, 0), ("ABORT", 0, 1)])
def test_a_transaction_sends_and_settles_as_one(
    connect: Connect, name: str, version: str, end: str, out: int, left: int
) -> None:
    client = connect(StompPyVersionDriver, version)
    client.publish(Queue(name), b"x")
    client.subscribe_destination(f"/queue/{name}", "client-individual")
    message = client.receive()
    client.in_transaction("BEGIN", "t")
    client.send_in("t", f"/queue/{name}.out", b"y")
    client.settle(message, transaction="t")
    client.in_transaction(end, "t")
    client.close()
    assert (ready(connect, f"{name}.out"), ready(connect, name)) == (out, left)


@each_version
@pytest.mark.parametrize("destination", ["/nowhere/x", "/queue/", "/queue/a/b", "/exchange/no-such-exchange/key"])
def test_a_mistake_is_an_error_with_the_receipt(connect: Connect, version: str, destination: str) -> None:
    client = connect(StompPyVersionDriver, version)
    with pytest.raises(StompError):
        client.subscribe_destination(destination)


@each_version
def test_selectors_and_browsing(connect: Connect, name: str, version: str) -> None:
    client = connect(StompPyVersionDriver, version)
    for number, body in enumerate(BODIES):
        client.publish(Queue(name), body, headers={"n": str(number)})
    client.subscribe_destination(f"/queue/{name}", browser="true", selector="n >= 1 AND n < 3")
    seen = [client.receive() for _ in range(3)]
    assert [message.body for message in seen] == [b"1", b"2", b""]
    assert [message.headers.get("browser") for message in seen] == [None, None, "end"]
    assert ready(connect, name) == 4
    with pytest.raises(StompError, match="column 4"):
        client.subscribe_destination(f"/queue/{name}", selector="n > ")


@each_version
def test_a_durable_subscription_outlives_its_connection(connect: Connect, name: str, version: str) -> None:
    durable = {"durable": "true", "auto-delete": "false", "id": "mine"}
    elsewhere = connect(PikaDriver)
    bodies = []
    for number in range(3):
        client = connect(StompPyVersionDriver, version)
        receipt = client.new_receipt()
        client.connection.subscribe(f"/topic/{name}", "mine", "auto", headers={"receipt": receipt, **durable})
        client.answer(receipt)
        if number:
            bodies.append(client.receive().body)
        if number == 2:
            receipt = client.new_receipt()
            client.connection.send_frame("UNSUBSCRIBE", {"receipt": receipt, **durable})
            client.answer(receipt)
        client.close()
        elsewhere.publish(Topic(name), b"%d" % number)
    assert bodies == [b"0", b"1"]
