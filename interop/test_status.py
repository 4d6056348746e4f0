"""`$SYS` as dashboards read it: by `mosquitto_sub` and paho-mqtt, and beside what a Mosquitto says of itself."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from interop.broker import BrokerProcess, Endpoint, free_ports
from interop.clients.paho5_client import Paho5

INTERVAL_S: Final = 1
LISTEN_S: Final = 4  # in which three updates come
START_LIMIT_S: Final = 10.0
MOSQUITTO: Final = "/usr/sbin/mosquitto"
ROOT: Final = "$SYS/broker/"
OUR_OWN: Final = ("store/commits/count", "store/commits/messages")  # which Mosquitto has nothing like
SHAPES: Final = {"number": r"\d+", "average": r"\d+\.\d\d", "uptime": r"\d+ seconds", "version": r"\w+ version \S+"}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A broker of its own, which nobody else talks to and which updates every second."""
    broker = BrokerProcess(tmp_path_factory.mktemp("status"), f"[mqtt]\nsys_interval_s = {INTERVAL_S}\n")
    try:
        yield broker.endpoint
        assert broker.stop() == 0, broker.log
        assert "Traceback" not in broker.log, broker.log
    finally:
        broker.kill()


def told(port: int) -> list[tuple[str, bool, str]]:
    """Return what `mosquitto_sub` hears of `$SYS` in some seconds: topic, whether it was retained, and text."""
    command = ["mosquitto_sub", "-p", str(port), "-t", "$SYS/#", "-W", str(LISTEN_S), "-F", "%t\t%r\t%p"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_LIMIT_S + LISTEN_S, check=False)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return [(topic, retained == "1", text) for topic, retained, text in lines]


def needed(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


def shape(text: str) -> str:
    [name] = [name for name, pattern in SHAPES.items() if re.fullmatch(pattern, text)]
    return name


def test_mosquitto_sub_reads_it(endpoint: Endpoint) -> None:
    needed("mosquitto_sub")
    heard = told(endpoint.ports["mqtt"])
    kept = {topic: text for topic, retained, text in heard if retained}
    assert kept[f"{ROOT}version"].startswith("dragoman version ")
    assert all(shape(text) for text in kept.values())
    uptimes = [int(text.split()[0]) for topic, _, text in heard if topic == f"{ROOT}uptime"]
    assert len(uptimes) >= 3
    assert uptimes == sorted(set(uptimes))
    connected = [text for topic, _, text in heard if topic == f"{ROOT}clients/connected"]
    assert connected[-1] == "1"
    times: dict[str, list[str]] = {}
    for topic, _, text in heard:
        times.setdefault(topic, []).append(text)
    assert all(a != b for texts in times.values() for a, b in pairwise(texts))


def test_it_has_the_topics_and_formats_of_mosquitto(endpoint: Endpoint, tmp_path: Path) -> None:
    needed("mosquitto_sub")
    if not Path(MOSQUITTO).exists():
        pytest.skip("mosquitto is not installed")
    [port] = free_ports(1)
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nsys_interval {INTERVAL_S}\n")
    with subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL) as mosquitto:
        try:
            theirs = {topic: shape(text) for topic, _, text in _as_soon_as_there(port)}
        finally:
            mosquitto.terminate()
    ours = {topic: shape(text) for topic, _, text in told(endpoint.ports["mqtt"])}
    assert len(theirs) > 40
    assert all(ours.pop(f"{ROOT}{topic}") == "number" for topic in OUR_OWN)
    assert ours == theirs


def _as_soon_as_there(port: int) -> list[tuple[str, bool, str]]:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        with suppress(ValueError, subprocess.TimeoutExpired):
            heard = told(port)
            if heard:
                return heard
    raise AssertionError("mosquitto says nothing")


def test_paho_reads_it_and_does_not_publish_to_it(endpoint: Endpoint) -> None:
    client = Paho5(endpoint)
    try:
        assert client.subscribe((f"{ROOT}uptime", SubscribeOptions(qos=1)), ("#", SubscribeOptions(qos=1))) == [1, 1]
        first = client.receive()
        assert (first.topic, first.retain, first.qos) == (f"{ROOT}uptime", True, 1)
        assert client.publish(f"{ROOT}uptime", b"never", 1) == 0x87
        for _ in range(3):
            message = client.receive()
            assert (message.topic, message.retain) == (f"{ROOT}uptime", False)
            assert shape(message.body.decode()) == "uptime"
    finally:
        client.close()
