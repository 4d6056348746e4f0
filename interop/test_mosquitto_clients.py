"""Mosquitto's command line clients, from Debian: what scripts and devices use. Without them the tests are skipped."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Final

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from interop.broker import Endpoint
from interop.clients import AioPikaDriver, Connect, PahoDriver, Topic
from interop.clients.paho5_client import Paho5
from interop.clients.returning import ReturningPaho5
from interop.cutter import Cutter

RUN_LIMIT_S: Final = 20.0  # of a command, from its start to its end
VERSIONS: Final = ("31", "311", "5")

every_version = pytest.mark.parametrize("version", VERSIONS)


class Commands:
    """Starts the clients with the broker's address."""

    def __init__(self, endpoint: Endpoint, port: int | None = None) -> None:
        self._at = ["-h", endpoint.host, "-p", str(endpoint.ports["mqtt"] if port is None else port)]
        if endpoint.named:
            self._at += ["-u", endpoint.user, "-P", endpoint.password]
        self._running: list[subprocess.Popen[str]] = []

    def start(self, command: str, *arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            ["stdbuf", "-oL", command, *self._at, *arguments],  # whoever reads their lines wants each at once
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._running.append(process)
        limit = threading.Timer(RUN_LIMIT_S, process.kill)
        limit.daemon = True
        limit.start()
        return process

    def run(self, command: str, *arguments: str, said: str | None = None) -> str:
        """Run to its end and return what it printed; AssertionError with that unless it went well."""
        process = self.start(command, *arguments)
        output, _ = process.communicate(said, timeout=RUN_LIMIT_S)
        assert process.returncode == 0, output
        return output

    def subscribed(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `mosquitto_sub` and return when its subscriptions are made."""
        process = self.start("mosquitto_sub", "-d", *arguments)
        assert process.stdout is not None
        said: list[str] = []
        while "SUBACK" not in (line := process.stdout.readline()):
            said.append(line)
            assert line, f"mosquitto_sub ended: {said}"
        return process

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


class Lines:
    """Reads lines until the last message."""

    def __init__(self, stream: IO[str] | None) -> None:
        assert stream is not None
        self.found: list[str] = []
        self.ended = threading.Event()
        self._stream = stream
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._stream:
            self.found.append(line.rstrip("\n"))
            if line == "end\n":
                self.ended.set()
                return


@pytest.fixture
def commands(endpoint: Endpoint) -> Iterator[Commands]:
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto-clients is not installed")
    found = Commands(endpoint)
    yield found
    found.end()


def bodies(lines: str) -> list[str]:
    """Return what was received among the lines of `mosquitto_sub -d`."""
    talk = ("Client ", "Subscribed ")
    return [line for line in lines.splitlines() if not line.startswith(talk)]


@every_version
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_what_one_publishes_another_receives(commands: Commands, name: str, version: str, qos: str) -> None:
    receiver = commands.subscribed("-V", version, "-t", f"{name}/#", "-q", qos, "-C", "3")
    commands.run("mosquitto_pub", "-V", version, "-t", f"{name}/a", "-q", qos, "-l", said="one\ntwo\nthree\n")
    output, _ = receiver.communicate(timeout=RUN_LIMIT_S)
    assert bodies(output) == ["one", "two", "three"]
    assert receiver.returncode == 0


@every_version
def test_they_meet_the_other_protocols(commands: Commands, connect: Connect, name: str, version: str) -> None:
    elsewhere = connect(AioPikaDriver)
    elsewhere.subscribe(Topic(f"{name}.there"))
    commands.run("mosquitto_pub", "-V", version, "-t", f"{name}/there", "-q", "1", "-m", "from the shell")
    assert elsewhere.receive().body == b"from the shell"
    receiver = commands.subscribed("-V", version, "-t", f"{name}/back", "-q", "1", "-C", "1")
    elsewhere.publish(Topic(f"{name}.back"), b"from AMQP", durable=True)
    assert bodies(receiver.communicate(timeout=RUN_LIMIT_S)[0]) == ["from AMQP"]


@every_version
def test_retained_messages_and_wills(commands: Commands, connect: Connect, name: str, version: str) -> None:
    commands.run("mosquitto_pub", "-V", version, "-t", f"{name}/kept", "-q", "1", "-r", "-m", "kept")
    said = commands.run("mosquitto_sub", "-V", version, "-t", f"{name}/kept", "-C", "1", "-F", "%r %q %t %p")
    assert said == f"1 0 {name}/kept kept\n"
    commands.run("mosquitto_pub", "-V", version, "-t", f"{name}/kept", "-q", "1", "-r", "-n")
    watcher = connect(PahoDriver)
    watcher.subscribe_filter(f"{name}/#", 1)
    will = ("--will-topic", f"{name}/will", "--will-payload", "gone", "--will-qos", "1")
    commands.subscribed("-V", version, "-t", f"{name}/nothing", *will).kill()
    assert watcher.receive().body == b"gone"


def test_properties_and_options_of_mqtt_5(commands: Commands, name: str) -> None:
    receiver = commands.subscribed("-V", "5", "-t", f"{name}/a", "-q", "1", "-C", "1", "-F", "%p %C %R %D %P")
    said = (
        ("content-type", "text/plain"),
        ("response-topic", f"{name}/r"),
        ("correlation-data", "c"),
        ("user-property", "n", "v"),
    )
    more = [word for one in said for word in ("-D", "PUBLISH", *one)]
    commands.run("mosquitto_pub", "-V", "5", "-t", f"{name}/a", "-q", "1", "-m", "body", *more)
    assert bodies(receiver.communicate(timeout=RUN_LIMIT_S)[0]) == [f"body text/plain {name}/r c n:v"]


@pytest.mark.parametrize("version", ["311", "5"])
def test_a_question_is_answered(commands: Commands, connect: Connect, name: str, version: str) -> None:
    """`mosquitto_rr` names the topic of the answer in 5.0; in 3.1.1 both know it."""
    responder = connect(Paho5)
    responder.subscribe((f"{name}/question", SubscribeOptions(1)))
    asker = commands.start(
        *("mosquitto_rr", "-V", version, "-t", f"{name}/question", "-e", f"{name}/answer", "-q", "1", "-m", "how much?")
    )
    question = responder.receive()
    assert question.body == b"how much?"
    if version == "5":
        assert question.said["ResponseTopic"] == f"{name}/answer"
    responder.publish(f"{name}/answer", b"seven", 1)
    output, _ = asker.communicate(timeout=RUN_LIMIT_S)
    assert (output, asker.returncode) == ("seven\n", 0)


def test_a_wrong_password_is_told(commands: Commands, name: str) -> None:
    process = commands.start("mosquitto_pub", "-V", "5", "-u", "guest", "-P", "wrong", "-t", name, "-m", "x")
    output, _ = process.communicate(timeout=RUN_LIMIT_S)
    assert process.returncode != 0
    assert "bad user name or password" in output.lower()


@pytest.mark.parametrize("version", ["311", "5"])
def test_a_subscriber_that_is_cut_off_gets_everything(endpoint: Endpoint, name: str, version: str) -> None:
    """[MQTT-4.4.0-1], with QoS 1. It comes back a second after it was cut off.

    What it had received with QoS 2 and not passed on it forgets: it answers the PUBREL that it gets for it, and shows no
    message. With MQTT 5.0 it also counts what is sent again twice, and ends with a protocol error.
    """
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto-clients is not installed")
    cutter = Cutter(endpoint.host, endpoint.ports["mqtt"])
    commands = Commands(endpoint, cutter.port)
    sender = ReturningPaho5(endpoint, endpoint.ports["mqtt"], f"{name}-sender")
    try:
        receiver = commands.subscribed("-V", version, "-c", "-i", name, "-q", "1", "-t", f"{name}/t")
        lines = Lines(receiver.stdout)
        cutter.cut((77, 140, 201))
        expected = [f"message {number}" for number in range(50)] + ["end"]
        sender.publish(f"{name}/t", [line.encode() for line in expected], 1)
        lines.ended.wait(RUN_LIMIT_S)
        got = bodies("\n".join(lines.found))
        assert list(dict.fromkeys(got)) == expected
        assert cutter.cuts == 3
    finally:
        commands.end()
        sender.close()
        cutter.close()


@pytest.mark.parametrize("version", ["311", "5"])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_publisher_that_is_cut_off_delivers_everything(
    commands: Commands, endpoint: Endpoint, name: str, version: str, qos: int
) -> None:
    """[MQTT-4.3.3-2], [MQTT-4.3.2-2]"""
    del commands  # it skips where the clients are not installed
    cutter = Cutter(endpoint.host, endpoint.ports["mqtt"])
    receiver = ReturningPaho5(endpoint, endpoint.ports["mqtt"], f"{name}-receiver")
    cut_off = Commands(endpoint, cutter.port)
    try:
        receiver.subscribe(f"{name}/t", qos)
        cutter.cut((150, 140, 200))
        expected = [f"message {number}" for number in range(50)] + ["end"]
        said = "".join(f"{line}\n" for line in expected)
        more = ("-V", version, "-c", "-i", name, "-q", str(qos))
        cut_off.run("mosquitto_pub", *more, "-t", f"{name}/t", "-l", said=said)
        got: list[str] = []
        while "end" not in got:
            got.append(receiver.bodies.get(timeout=RUN_LIMIT_S).decode())
        assert (got if qos == 2 else list(dict.fromkeys(got))) == expected
        assert cutter.cuts == 3
    finally:
        cut_off.end()
        receiver.close()
        cutter.close()


@pytest.mark.parametrize("version", ["311", "5"])
def test_who_is_cut_off_while_the_answer_comes_gets_it_when_it_is_back(
    commands: Commands, connect: Connect, endpoint: Endpoint, name: str, version: str
) -> None:
    """`mosquitto_rr` ends when it loses its connection; started again, it finds the answer in its session."""
    cutter = Cutter(endpoint.host, endpoint.ports["mqtt"])
    cut_off = Commands(endpoint, cutter.port)
    responder = connect(Paho5)
    responder.subscribe((f"{name}/question", SubscribeOptions(1)))
    ask = ("mosquitto_rr", "-V", version, "-c", "-i", name, "-q", "1", "-t", f"{name}/question", "-e", f"{name}/answer")
    more = ("-x", "3600") if version == "5" else ()
    try:
        asker = cut_off.start(*ask, *more, "-m", "how much?")
        assert responder.receive().body == b"how much?"
        cutter.cut((12,))
        responder.publish(f"{name}/answer", b"seven", 1)
        asker.communicate(timeout=RUN_LIMIT_S)
        assert asker.returncode != 0
        assert cutter.cuts == 1
        assert commands.run(*ask, *more, "-m", "how much?") == "seven\n"
    finally:
        cut_off.end()
        cutter.close()
