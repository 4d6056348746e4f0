"""Policies that people set with the command while a client of RabbitMQ has its queues and exchanges."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import BrokerProcess, run
from interop.clients.pika_client import connect

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("DRAGOMAN_HOST")), reason="the policies of somebody else are not changed"
)

STORE = '[store]\ndirectory = "data"\n'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path, STORE)
    yield broker
    broker.kill()


def ask(folder: Path, *arguments: str) -> str:
    done = run("policy", *arguments, "--store", "data", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def set_policy(folder: Path, name: str, pattern: str, definition: dict[str, object], *more: str) -> None:
    ask(folder, "set", name, pattern, json.dumps(definition), *more)


def opened(broker: BrokerProcess) -> BlockingChannel:
    channel = connect(broker.endpoint).channel()
    channel.confirm_delivery()
    return channel


def count(channel: BlockingChannel, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def publish(channel: BlockingChannel, queue: str, *bodies: bytes) -> None:
    for body in bodies:
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)


def test_a_policy_changes_a_queue_that_is_in_use_and_what_is_declared_later(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    channel = opened(broker)
    for queue in ("q", "dead"):
        channel.queue_declare(queue, durable=True)
    publish(channel, "q", b"1", b"2", b"3")
    rule = {"max-length": 2, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"}
    set_policy(tmp_path, "short", "^q", rule, "--apply-to", "queues")
    assert (count(channel, "q"), count(channel, "dead")) == (2, 1)
    _, properties, body = channel.basic_get("dead", auto_ack=True)
    assert (body, properties.headers["x-death"][0]["reason"]) == (b"1", "maxlen")
    channel.queue_declare("q", durable=True)
    channel.queue_declare("q2", arguments={"x-max-length": 1})
    publish(channel, "q2", b"1", b"2", b"3")
    assert (count(channel, "q2"), count(channel, "dead")) == (1, 2)
    assert ask(tmp_path, "show", "queue", "q2").startswith("policy                short\neffective definition  {")
    set_policy(tmp_path, "refuse", "^q$", {"max-length": 2, "overflow": "reject-publish"}, "--priority", "1")
    with pytest.raises(pika.exceptions.NackError):
        publish(channel, "q", b"4")
    ask(tmp_path, "clear", "refuse")
    publish(channel, "q", b"4")
    assert channel.basic_get("q", auto_ack=True)[2] == b"3"


def test_policies_outlive_the_broker_and_their_queues_are_as_they_say(tmp_path: Path, broker: BrokerProcess) -> None:
    channel = opened(broker)
    channel.queue_declare("q", durable=True)
    publish(channel, "q", b"1", b"2", b"3", b"4")
    set_policy(tmp_path, "p", "^q", {"max-length": 3})
    set_policy(tmp_path, "bound", "^q", {"max-length": 2}, "--operator")
    broker.kill()
    again = BrokerProcess(tmp_path, STORE)
    try:
        channel = opened(again)
        assert count(channel, "q") == 2
        publish(channel, "q", b"5")
        assert [channel.basic_get("q", auto_ack=True)[2] for _ in range(2)] == [b"4", b"5"]
        assert "max-length" in ask(tmp_path, "list", "--operator")
        both = 'policy                p\noperator policy       bound\neffective definition  {"max-length": 2}\n'
        assert ask(tmp_path, "show", "queue", "q") == both
        assert again.stop() == 0
    finally:
        again.kill()


def test_an_exchange_gets_an_alternate_by_a_policy(broker: BrokerProcess, tmp_path: Path) -> None:
    channel = opened(broker)
    channel.exchange_declare("x", "direct")
    channel.exchange_declare("spare", "fanout")
    channel.queue_declare("caught")
    channel.queue_bind("caught", "spare")
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("x", "nobody's", b"", mandatory=True)
    set_policy(tmp_path, "p", "^x$", {"alternate-exchange": "spare"}, "--apply-to", "exchanges")
    channel.basic_publish("x", "nobody's", b"", mandatory=True)
    assert count(channel, "caught") == 1
    ask(tmp_path, "clear", "p")
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("x", "nobody's", b"", mandatory=True)
