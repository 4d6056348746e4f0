"""Shared subscriptions as their members see them: paho-mqtt in both versions, beside members that leave in mid-flight."""

import queue
import threading
from typing import Final

import pytest

from interop.clients import AioPikaDriver, Connect, PahoDriver, StompPyDriver, Topic
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.paho_worker import PahoWorker

COUNT: Final = 300  # messages, of which each leaving member sees some dozens
POLL_S: Final = 0.02

versions = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


def published(sender: PahoDriver, topic: str, qos: int) -> threading.Thread:
    """Publish the numbers up to COUNT, one after the other, while the test goes on."""

    def publish() -> None:
        for number in range(COUNT):
            sender.publish_topic(topic, b"%d" % number, qos)

    thread = threading.Thread(target=publish)
    thread.start()
    return thread


def gathered(workers: list[PahoWorker], found: list[int], *, acknowledge: bool) -> None:
    """Add what the workers receive until COUNT numbers are there; queue.Empty when they come to a stop before."""
    idle = 0.0
    while len(found) < COUNT:
        for worker in workers:
            try:
                message = worker.inbox.get(timeout=POLL_S)
            except queue.Empty:
                idle += POLL_S
                if idle > ANSWER_LIMIT_S:
                    raise
                continue
            idle = 0.0
            found.append(int(message.payload))
            if acknowledge:
                worker.acknowledge(message)


@versions
@pytest.mark.parametrize("persistent", [False, True], ids=["clean", "persistent"])
def test_each_message_is_acknowledged_once_whoever_leaves(
    connect: Connect, name: str, version: int, *, persistent: bool
) -> None:
    """One member vanishes with all that it has not acknowledged, another unsubscribes and finishes what it has."""
    group = f"$share/{name}/{name}/#"
    vanishing = connect(PahoWorker, version, f"{name}-v", persistent=persistent)
    quitting, one = connect(PahoWorker, version), connect(PahoWorker, version)
    other = connect(PahoWorker, 9 - version, window=3)  # of the other version
    for worker in (vanishing, quitting, one, other):
        assert worker.subscribe(group, 1) == 1
    publishing = published(connect(PahoDriver), f"{name}/a", 1)
    found: list[int] = []
    for _ in range(20):
        message = quitting.receive()
        found.append(int(message.payload))
        quitting.acknowledge(message)
    for _ in range(20):
        vanishing.receive()
    vanishing.vanish()
    quitting.unsubscribe(group)
    while not quitting.inbox.empty():
        message = quitting.receive()
        found.append(int(message.payload))
        quitting.acknowledge(message)
    gathered([one, other], found, acknowledge=True)
    publishing.join()
    assert sorted(found) == list(range(COUNT))


@versions
def test_exactly_once_survives_reconnects(connect: Connect, name: str, version: int) -> None:
    """QoS 2 is finished with the member that it was begun with [MQTT-4.8.2-4]."""
    group = f"$share/{name}/{name}"
    workers = [connect(PahoWorker, version, f"{name}-{number}", persistent=True, manual=False) for number in range(3)]
    for worker in workers:
        assert worker.subscribe(group, 2) == 2
    publishing = published(connect(PahoDriver), name, 2)
    found: list[int] = []
    for worker in (workers[0], workers[1], workers[0]):
        for _ in range(5):
            found.append(int(worker.receive().payload))
        worker.vanish()
        worker.come_back()
    gathered(workers, found, acknowledge=False)
    publishing.join()
    assert sorted(found) == list(range(COUNT))


@versions
def test_messages_wait_for_the_session_of_a_member(connect: Connect, name: str, version: int) -> None:
    worker = connect(PahoWorker, version, name, persistent=True)
    worker.subscribe(f"$share/g/{name}", 1)
    worker.close()
    sender = connect(PahoDriver)
    for number in range(3):
        sender.publish_topic(name, b"%d" % number, 1)
    back = connect(PahoWorker, version, name, persistent=True)
    assert [back.receive().payload for _ in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("sender_kind", [PahoDriver, AioPikaDriver, StompPyDriver], ids=lambda kind: kind.protocol)
@pytest.mark.parametrize("qos", [0, 1])
def test_what_other_protocols_publish_is_shared_too(
    connect: Connect, name: str, sender_kind: type[PahoDriver], qos: int
) -> None:
    one, other, sender = connect(PahoDriver), connect(PahoDriver), connect(sender_kind)
    for member in (one, other):
        assert member.subscribe_filter(f"$share/{name}/{name}/+", qos) == qos
    for number in range(6):
        sender.publish(Topic(f"{name}.a"), b"%d" % number, durable=qos > 0)
    assert [one.receive().body for _ in range(3)] == [b"0", b"2", b"4"]
    assert [other.receive().body for _ in range(3)] == [b"1", b"3", b"5"]


@versions
def test_a_new_member_is_not_greeted_with_what_is_retained(connect: Connect, name: str, version: int) -> None:
    sender = connect(PahoDriver)
    sender.publish_topic(name, b"kept", 1, retain=True)
    worker = connect(PahoWorker, version)
    assert worker.subscribe(f"$share/g/{name}", 1) == 1
    sender.publish_topic(name, b"new", 1)
    assert worker.receive().payload == b"new"
