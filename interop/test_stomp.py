"""STOMP as its clients see it: acknowledgement modes, receipts, transactions, heart-beats, errors."""

from typing import Final

import pytest

from interop.clients import AioPikaDriver, Connect, PikaDriver, Queue, StomperDriver, StompPyDriver, Topic
from interop.clients.stomp_py_client import StompError

BODIES: Final = [b"%d" % number for number in range(6)]


def ready(connect: Connect, name: str) -> int:
    """Return how many messages the queue holds that nobody has."""
    answer = connect(PikaDriver).channel.queue_declare(name, durable=True)
    return int(answer.method.message_count)


def filled(connect: Connect, name: str) -> None:
    sender = connect(StompPyDriver)
    for body in BODIES:
        sender.publish(Queue(name), body)


def test_auto_settles_by_delivering(connect: Connect, name: str) -> None:
    filled(connect, name)
    consumer = connect(StompPyDriver)
    number = consumer.subscribe_destination(f"/queue/{name}", "auto")
    messages = [consumer.receive() for _ in BODIES]
    assert [message.body for message in messages] == BODIES
    assert all("ack" not in message.headers for message in messages)
    consumer.unsubscribe(number)
    assert ready(connect, name) == 0


def test_client_acknowledges_everything_up_to_a_message(connect: Connect, name: str) -> None:
    filled(connect, name)
    consumer = connect(StompPyDriver)
    consumer.subscribe_destination(f"/queue/{name}", "client")
    messages = [consumer.receive() for _ in BODIES]
    consumer.settle(messages[3])
    consumer.close()
    later = connect(PikaDriver)
    later.subscribe(Queue(name))
    assert [later.receive().body, later.receive().body] == BODIES[4:]


def test_client_individual_acknowledges_one_message(connect: Connect, name: str) -> None:
    filled(connect, name)
    consumer = connect(StompPyDriver)
    consumer.subscribe_destination(f"/queue/{name}", "client-individual")
    messages = [consumer.receive() for _ in BODIES]
    consumer.settle(messages[3])
    consumer.close()
    later = connect(AioPikaDriver)
    later.subscribe(Queue(name))
    assert [later.receive().body for _ in range(5)] == [*BODIES[:3], *BODIES[4:]]


def test_what_a_closed_connection_left_unsettled_is_given_to_the_next_consumer(connect: Connect, name: str) -> None:
    filled(connect, name)
    consumer = connect(StompPyDriver)
    consumer.subscribe_destination(f"/queue/{name}", "client-individual", **{"prefetch-count": "2"})
    assert [consumer.receive().body, consumer.receive().body] == BODIES[:2]
    consumer.close()
    other = connect(StompPyDriver)
    other.subscribe_destination(f"/queue/{name}", "auto")
    received = [other.receive() for _ in BODIES]
    assert [message.body for message in received] == BODIES
    assert [message.headers.get("redelivered") == "true" for message in received] == [True] * 2 + [False] * 4


def test_nack_requeues(connect: Connect, name: str) -> None:
    consumer = connect(StompPyDriver)
    consumer.subscribe_destination(f"/queue/{name}", "client-individual")
    connect(AioPikaDriver).publish(Queue(name), b"again")
    first = consumer.receive()
    consumer.settle(first, accept=False)
    second = consumer.receive()
    assert (first.body, second.body) == (b"again", b"again")
    assert [message.headers.get("redelivered") == "true" for message in (first, second)] == [False, True]
    consumer.settle(second)


def test_every_frame_can_ask_for_a_receipt(connect: Connect, name: str) -> None:
    """STOMP 1.2 "RECEIPT": each of these waits for its own."""
    client = connect(StompPyDriver)
    number = client.subscribe_destination(f"/queue/{name}", "client")
    client.in_transaction("BEGIN", "t1")
    client.in_transaction("COMMIT", "t1")
    client.in_transaction("BEGIN", "t1")
    client.in_transaction("ABORT", "t1")
    client.send(f"/queue/{name}", b"x")
    client.settle(client.receive())
    client.unsubscribe(number)
    client.close()


def test_a_committed_transaction_sends_everything_at_the_commit(connect: Connect, name: str) -> None:
    sender, watcher = connect(StompPyDriver), connect(StomperDriver)
    watcher.subscribe(Topic(f"{name}.#"))
    sender.in_transaction("BEGIN", "t1")
    for body in BODIES:
        sender.send_in("t1", f"/topic/{name}.inside", body)
    sender.send(f"/topic/{name}.outside", b"before")
    sender.in_transaction("COMMIT", "t1")
    assert [watcher.receive().body for _ in range(7)] == [b"before", *BODIES]


def test_an_aborted_transaction_sends_nothing(connect: Connect, name: str) -> None:
    sender, watcher = connect(StompPyDriver), connect(StomperDriver)
    watcher.subscribe(Topic(f"{name}.#"))
    sender.in_transaction("BEGIN", "t1")
    sender.send_in("t1", f"/topic/{name}.inside", b"never")
    sender.in_transaction("ABORT", "t1")
    sender.send(f"/topic/{name}.outside", b"after")
    assert watcher.receive().body == b"after"


@pytest.mark.parametrize(("end", "left"), [("COMMIT", 0), ("ABORT", 1)])
def test_an_acknowledgement_counts_when_its_transaction_commits(
    connect: Connect, name: str, end: str, left: int
) -> None:
    consumer = connect(StompPyDriver)
    consumer.publish(Queue(name), b"x")
    consumer.subscribe_destination(f"/queue/{name}", "client-individual")
    message = consumer.receive()
    consumer.in_transaction("BEGIN", "t1")
    consumer.settle(message, transaction="t1")
    consumer.in_transaction(end, "t1")
    consumer.close()
    assert ready(connect, name) == left


def test_an_open_transaction_is_aborted_with_its_connection(connect: Connect, name: str) -> None:
    sender, watcher = connect(StompPyDriver), connect(StomperDriver)
    watcher.subscribe(Topic(f"{name}.#"))
    sender.in_transaction("BEGIN", "t1")
    sender.send_in("t1", f"/topic/{name}.inside", b"never")
    sender.close()
    connect(StompPyDriver).send(f"/topic/{name}.outside", b"after")
    assert watcher.receive().body == b"after"


def test_heart_beats_are_agreed_on(connect: Connect, name: str) -> None:
    """STOMP 1.2 "Heart-beating": the broker beats when the client wants it, and the next frame is still understood."""
    client = connect(StomperDriver, (1000, 1000))
    sends_ms, wants_ms = map(int, client.connected.headers["heart-beat"].split(","))
    assert sends_ms > 0
    assert wants_ms > 0
    client.socket.send(b"\n\r\n\n")
    client.subscribe(Topic(name))
    client.publish(Topic(name), b"x")
    assert client.receive().body == b"x"


def test_the_session_says_its_version_and_server(connect: Connect) -> None:
    headers = connect(StomperDriver).connected.headers
    assert headers["version"] == "1.1"
    assert headers["session"]
    assert headers["server"]


@pytest.mark.parametrize("destination", ["/nowhere/x", "/queue/", "/topic/", "/exchange/no-such-exchange/key"])
def test_an_unknown_destination_is_an_error(connect: Connect, destination: str) -> None:
    client = connect(StompPyDriver)
    with pytest.raises(StompError):
        client.send(destination, b"x")


def test_an_error_names_the_destination(connect: Connect) -> None:
    client = connect(StompPyDriver)
    with pytest.raises(StompError, match="/nowhere/x"):
        client.subscribe_destination("/nowhere/x")


@pytest.mark.parametrize("value", ["a:b", "a\\b", "a\nb", "ä€😀", " padded ", ""])
def test_header_values_survive_escaping(connect: Connect, name: str, value: str) -> None:
    """In the way of STOMP 1.2 "Value Encoding", and of 1.1."""
    by_12, by_11, by_amqp = connect(StompPyDriver), connect(StomperDriver), connect(PikaDriver)
    for receiver in (by_12, by_11, by_amqp):
        receiver.subscribe(Topic(name))
    connect(StompPyDriver).publish(Topic(name), b"x", headers={"odd": value})
    assert [receiver.receive().headers["odd"] for receiver in (by_12, by_11, by_amqp)] == [value] * 3


def test_topic_messages_can_be_acknowledged(connect: Connect, name: str) -> None:
    client = connect(StompPyDriver)
    client.subscribe_destination(f"/topic/{name}", "client-individual")
    connect(AioPikaDriver).publish(Topic(name), b"x")
    message = client.receive()
    assert message.body == b"x"
    client.settle(message)


def test_an_exchange_can_be_addressed_by_name(connect: Connect, name: str) -> None:
    client, by_amqp = connect(StompPyDriver), connect(AioPikaDriver)
    client.subscribe_destination(f"/exchange/amq.topic/{name}.*")
    by_amqp.subscribe(Topic(f"{name}.*"))
    client.send(f"/exchange/amq.topic/{name}.a", b"x")
    assert client.receive().body == b"x"
    assert by_amqp.receive().body == b"x"
