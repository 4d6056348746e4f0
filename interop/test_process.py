"""The process: what it says at its start, how it ends, and what it does with a wrong configuration.

These start brokers of their own, so they need the command and not only a running broker.
"""

import os
import re
import signal
from pathlib import Path
from typing import Final

import pika.exceptions
import pytest

from interop.broker import FORWARDING, BrokerProcess, free_ports, listeners, run, running_endpoint
from interop.clients import TOPIC_DRIVERS, PikaDriver, Topic
from interop.clients.driver import ANSWER_LIMIT_S
from interop.raw import RawSocket, stomp_connection

pytestmark = pytest.mark.skipif(running_endpoint() is not None, reason="DRAGOMAN_HOST names a running broker")

LISTENER: Final = '[[listener]]\nprotocol = "amqp"\naddress = "127.0.0.1:0"\n'

# The file's text, and what the complaint must name besides the file: the key, and the reason by its value or word.
WRONG: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "unknown protocol": (
        '[[listener]]\nprotocol = "amqpp"\naddress = "127.0.0.1:0"\n',
        ("listener", "protocol", "amqp"),
    ),
    "address without a port": ('[[listener]]\nprotocol = "amqp"\naddress = "nowhere"\n', ("listener", "address")),
    "port out of range": ('[[listener]]\nprotocol = "amqp"\naddress = "127.0.0.1:70000"\n', ("listener", "address")),
    "missing address": ('[[listener]]\nprotocol = "amqp"\n', ("listener", "address")),
    "unknown key": (f"{LISTENER}colour = 1\n", ("colour",)),
    "unknown section": (f"{LISTENER}[nonsense]\na = 1\n", ("nonsense",)),
    "wrong type": (
        f'{LISTENER}[[forward]]\nfrom = "/topic/a"\nto = ["/queue/b"]\nkeep = "maybe"\n',
        ("forward", "keep"),
    ),
    "rule without a target": (f'{LISTENER}[[forward]]\nfrom = "/topic/a"\n', ("forward", "to")),
    "rule to nowhere": (f'{LISTENER}[[forward]]\nfrom = "/topic/a"\nto = ["/nowhere/b"]\n', ("forward", "/nowhere/b")),
    "no TOML": ("[[listener]\n", ("line",)),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=[key.replace(" ", "-") for key in WRONG])
def test_a_wrong_configuration_names_file_key_and_reason_and_exits_with_2(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(text)
    ended = run("serve", "--config", str(config), cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    for word in (str(config), *words):
        assert word in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    ended = run("serve", "--config", str(tmp_path / "absent.toml"), cwd=tmp_path)
    assert ended.returncode == 2
    assert "absent.toml" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    config = tmp_path / "dragoman.toml"
    config.write_text(listeners({"amqp": port, "mqtt": port}))
    ended = run("serve", "--config", str(config), cwd=tmp_path)
    assert ended.returncode != 0
    assert f"127.0.0.1:{port}" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_the_version_is_printed(tmp_path: Path) -> None:
    ended = run("--version", cwd=tmp_path)
    assert ended.returncode == 0
    assert re.search(r"\bdragoman \d+\.\d+\.\d+", ended.stdout)


def test_the_start_up_says_what_listens_where(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path)
    try:
        assert broker.stop() == 0
    finally:
        broker.kill()
    for port in broker.endpoint.ports.values():
        assert f"127.0.0.1:{port}" in broker.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_the_broker_in_time_with_clients_connected(tmp_path: Path, number: signal.Signals) -> None:
    broker = BrokerProcess(tmp_path, FORWARDING)
    try:
        clients = [kind(broker.endpoint) for kind in TOPIC_DRIVERS]
        for client in clients:
            client.subscribe(Topic("a.#"))
        clients[0].publish(Topic("a.b"), b"x", durable=True)
        assert [client.receive().body for client in clients] == [b"x"] * len(clients)
        silent = RawSocket("127.0.0.1", broker.endpoint.ports["auto"])
        assert broker.stop(number) == 0, broker.log
        assert silent.read_to_the_end() == b""
        assert "Traceback" not in broker.log
    finally:
        broker.kill()


def test_an_amqp_client_is_told_that_the_broker_stops(tmp_path: Path) -> None:
    """RabbitMQ's 320 CONNECTION_FORCED: clients know then that they may connect again."""
    broker = BrokerProcess(tmp_path)
    try:
        client = PikaDriver(broker.endpoint)
        assert broker.stop() == 0
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as failure:
            client.connection.process_data_events(ANSWER_LIMIT_S)
        assert failure.value.reply_code == 320
    finally:
        broker.kill()


def test_a_broker_whose_log_nobody_reads_goes_on_and_ends(tmp_path: Path) -> None:
    """A pipe is full after the lines of some hundred connections."""
    log = tmp_path / "broker.log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    broker = BrokerProcess(tmp_path)
    try:
        for _ in range(1_000):
            stomp_connection(broker.endpoint).close()
        assert broker.stop() == 0
    finally:
        broker.kill()
        os.close(reader)
