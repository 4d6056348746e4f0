"""MQTT sessions that outlive the broker's process: paho-mqtt on both sides of a broker that is killed, or stopped, and comes back."""

import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from interop.broker import BrokerProcess, lasting_ports
from interop.clients.lasting_paho import LastingPaho

pytestmark = pytest.mark.skipif(bool(os.environ.get("DRAGOMAN_HOST")), reason="a broker of somebody else is not killed")

COUNT: Final = 300  # messages in a part of the conversation
LIMIT_S: Final = 20.0  # for one message, with a start of the broker in between
TOPIC: Final = "lasting/topic"
SHARED: Final = f"$share/group/{TOPIC}"
Inbox = queue.Queue[paho.MQTTMessage]

either_version = pytest.mark.parametrize(
    "version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5], ids=["3.1.1", "5.0"]
)
both_qos = pytest.mark.parametrize("qos", [1, 2])
Start = Callable[..., LastingPaho]


class Mortal:
    """A broker with a store, that can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = lasting_ports()
        self.broker = self._start()

    def _start(self) -> BrokerProcess:
        settings = f'[store]\ndirectory = "{self._folder / "store"}"\n'
        return BrokerProcess(self._folder, first=settings, ports=self._ports)

    def end(self, *, in_order: bool) -> None:
        """End the process."""
        if in_order:
            assert self.broker.stop() == 0, self.broker.log
        else:
            self.broker.kill()
        assert "Traceback" not in self.broker.log, self.broker.log

    def again(self, *, in_order: bool = False) -> None:
        """End the process and start another."""
        self.end(in_order=in_order)
        self.broker = self._start()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    mortal = Mortal(tmp_path)
    yield mortal
    mortal.broker.kill()


@pytest.fixture
def start(mortal: Mortal, version: MQTTProtocolVersion) -> Iterator[Start]:
    """Connect a client with a session that lasts, which puts what it receives into `inbox`: `start("id", inbox)`."""
    clients: list[LastingPaho] = []

    def run(client_id: str, inbox: Inbox | None = None) -> LastingPaho:
        client = LastingPaho(
            mortal.broker.endpoint, client_id, version, lambda message: inbox.put(message) if inbox else None
        )
        clients.append(client)
        return client

    yield run
    for client in clients:
        client.close()


def bodies(part: int) -> list[bytes]:
    return [*(b"%d" % number for number in range(part * COUNT, (part + 1) * COUNT)), b"end %d" % part]


def publish(sender: LastingPaho, part: int, qos: int) -> None:
    for body in bodies(part):
        sender.client.publish(TOPIC, body, qos)


def received(inbox: Inbox, part: int, qos: int) -> list[bytes]:
    """Return what comes up to the last message of a part; with QoS 1 any of it may come again."""
    found: list[bytes] = []
    while bodies(part)[-1] not in found:
        found.append(bytes(inbox.get(timeout=LIMIT_S).payload))
    if qos == 2:
        return found
    return [body for body in dict.fromkeys(found) if body in bodies(part)]


@either_version
@both_qos
@pytest.mark.parametrize("in_order", [False, True], ids=["killed", "stopped"])
@pytest.mark.parametrize("topic_filter", [TOPIC, SHARED], ids=["of its own", "of a group"])
def test_what_waits_for_those_who_are_away_outlives_the_process(
    mortal: Mortal, start: Start, qos: int, topic_filter: str, in_order: bool
) -> None:
    for name in ("one", "other")[: 1 + (topic_filter == SHARED)]:
        away = start(name)
        away.subscribe((topic_filter, qos))
        away.close()
    sender = start("sender")
    publish(sender, 0, qos)
    sender.client.publish(TOPIC, b"last", qos).wait_for_publish(LIMIT_S)
    mortal.again(in_order=in_order)
    inbox: Inbox = queue.Queue()
    assert start("one", inbox).present
    assert received(inbox, 0, qos) == bodies(0)
    assert inbox.get(timeout=LIMIT_S).payload == b"last"


@either_version
@both_qos
def test_a_conversation_goes_on_across_the_deaths_of_the_broker(mortal: Mortal, start: Start, qos: int) -> None:
    """Both clients have messages under way each time, in both directions; QoS 2 arrives once, and all in order."""
    inbox: Inbox = queue.Queue()
    receiver, sender = start("receiver", inbox), start("sender")
    receiver.subscribe((TOPIC, qos))
    for part in range(4):
        publish(sender, part, qos)
        mortal.again(in_order=part == 2)
        for client in (receiver, sender):
            client.come_back()
            assert client.present
        assert received(inbox, part, qos) == bodies(part)


@either_version
@both_qos
def test_a_group_shares_its_work_across_the_deaths_of_the_broker(mortal: Mortal, start: Start, qos: int) -> None:
    """Both members and the sender have messages under way each time. With QoS 2 each message goes to one member, once."""
    inbox: Inbox = queue.Queue()
    members = [start(name, inbox) for name in ("one", "other")]
    for member in members:
        member.subscribe((SHARED, qos))
    sender = start("sender")
    found: list[bytes] = []
    for part in range(4):
        publish(sender, part, qos)
        mortal.again(in_order=part == 2)
        for client in (*members, sender):
            client.come_back()
            assert client.present
        expected = {body for number in range(part + 1) for body in bodies(number)}
        while not expected <= set(found):
            found.append(bytes(inbox.get(timeout=LIMIT_S).payload))
        assert set(found) == expected
    assert qos == 1 or len(found) == len(set(found))
