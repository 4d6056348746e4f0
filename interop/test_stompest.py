"""STOMP by stompest: each version, the modes of acknowledgement, transactions, and what both families' clients ask for."""

from typing import Final

import pytest
from stompest.protocol import StompFrame, StompSpec

from interop.clients import Connect, PikaDriver, Queue, Topic
from interop.clients.stompest_client import StompestDriver, StompestError

VERSIONS: Final = (StompSpec.VERSION_1_0, StompSpec.VERSION_1_1, StompSpec.VERSION_1_2)
BODIES: Final = [b"", b"text", "grüße".encode(), b"a\0b\n\nc", bytes(range(256)) * 200]

each_version = pytest.mark.parametrize("version", VERSIONS)


def left(connect: Connect, name: str) -> int:
    """Return how many messages the queue holds that nobody has."""
    answer = connect(PikaDriver).channel.queue_declare(name, durable=True)
    return int(answer.method.message_count)


@each_version
def test_bodies_and_headers_go_both_ways(connect: Connect, name: str, version: str) -> None:
    client, elsewhere = connect(StompestDriver, version), connect(PikaDriver)
    assert client.version == version
    client.subscribe(Topic(f"{name}.back"))
    elsewhere.subscribe(Topic(f"{name}.there"))
    for body in BODIES:
        client.publish(Topic(f"{name}.there"), body, headers={"odd": "value"}, durable=True)
        there = elsewhere.receive()
        assert (there.body, there.headers["odd"], there.durable) == (body, "value", True)
        elsewhere.publish(Topic(f"{name}.back"), body, headers={"odd": "value"})
        back = client.receive()
        assert (back.body, back.headers["odd"]) == (body, "value")


@each_version
@pytest.mark.parametrize("ack", ["auto", "client", "client-individual"])
def test_acknowledgement(connect: Connect, name: str, version: str, ack: str) -> None:
    client = connect(StompestDriver, version)
    for body in (b"1", b"2", b"3"):
        client.publish(Queue(name), body)
    client.subscribe_destination(f"/queue/{name}", ack)
    frames = [client.receive_frame() for _ in range(3)]
    assert [bytes(frame.body) for frame in frames] == [b"1", b"2", b"3"]
    if ack != "auto":
        receipt = client.new_receipt()
        client.client.ack(frames[1], receipt)
        client.await_receipt(receipt)
    client.close()
    assert left(connect, name) == {"auto": 0, "client": 1, "client-individual": 2}[ack]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_nack(connect: Connect, name: str, version: str) -> None:
    client = connect(StompestDriver, version)
    client.publish(Queue(name), b"x")
    client.subscribe_destination(f"/queue/{name}", "client-individual")
    receipt = client.new_receipt()
    client.client.nack(client.receive_frame(), receipt)
    client.await_receipt(receipt)
    again = client.receive_frame()
    assert (again.headers["redelivered"], again.headers["x-delivery-count"]) == ("true", "1")


@each_version
@pytest.mark.parametrize("commits", [True, False])
def test_a_transaction(connect: Connect, name: str, version: str, commits: bool) -> None:
    client = connect(StompestDriver, version)
    client.publish(Queue(name), b"before")
    client.subscribe_destination(f"/queue/{name}", "client-individual")
    frame = client.receive_frame()
    receipt = client.new_receipt()
    client.client.begin("t", receipt)
    client.await_receipt(receipt)
    headers = {**frame.headers, "transaction": "t"}  # the library wants it there
    client.client.ack(StompFrame(frame.command, headers, frame.body, version=frame.version))
    client.client.send(f"/queue/{name}.out", b"inside", {"transaction": "t"})
    receipt = client.new_receipt()
    if commits:
        client.client.commit("t", receipt)
    else:
        client.client.abort("t", receipt)
    client.await_receipt(receipt)
    client.close()
    assert (left(connect, name), left(connect, f"{name}.out")) == ((0, 1) if commits else (1, 0))


def test_an_error_says_what_was_wrong(connect: Connect) -> None:
    client = connect(StompestDriver)
    with pytest.raises(StompestError, match="/nowhere/x"):
        client.subscribe_destination("/nowhere/x")


def test_a_selector(connect: Connect, name: str) -> None:
    client = connect(StompestDriver)
    client.subscribe_destination(f"/queue/{name}", selector="size > 10 AND colour LIKE 'r%'")
    for size, colour in (("5", "red"), ("15", "red"), ("25", "blue")):
        client.publish(Queue(name), size.encode(), headers={"size": size, "colour": colour})
    assert client.receive().body == b"15"
    assert left(connect, name) == 2


def test_a_list_of_destinations(connect: Connect, name: str) -> None:
    client = connect(StompestDriver)
    client.subscribe_destination(f"/queue/{name}.a,/topic/{name}.b", "client")
    client.publish(Queue(f"{name}.a"), b"1")
    client.publish(Topic(f"{name}.b"), b"2")
    assert [client.receive().body, client.receive().body] == [b"1", b"2"]
