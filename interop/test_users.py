"""Users made, changed and removed by commands while the broker runs, as real clients see it, and after `kill -9`."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pika
import pika.exceptions
import pytest
import stomp.exception

from interop.broker import BrokerProcess, Endpoint, lasting_ports, run, running_endpoint
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.paho5_client import Paho5
from interop.clients.pika_client import PikaDriver
from interop.clients.stomp_py_client import StompError, StompPyDriver

pytestmark = pytest.mark.skipif(running_endpoint() is not None, reason="commands go to a broker of this machine")

STORE: Final = '[store]\ndirectory = "data"\n'
NOT_AUTHORIZED: Final = 0x87
ADMINISTRATIVE_ACTION: Final = 0x98
ALL: Final = ("--configure", ".*", "--write", ".*", "--read", ".*")


class House:
    """A folder with a configuration, a broker that may be started and killed, and the commands about its users."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = lasting_ports()
        self.broker: BrokerProcess | None = None
        (folder / "dragoman.toml").write_text(STORE)

    def start(self) -> BrokerProcess:
        self.broker = BrokerProcess(self.folder, STORE, ports=self.ports)
        return self.broker

    def command(self, *words: str, password: str = "") -> tuple[int, str]:
        """Run `dragoman user …` and return its exit code and what it printed."""
        words = (*words, "--config", "dragoman.toml")
        if password:
            (self.folder / "password").write_text(f"{password}\n")
            words = (*words, "--password-file", "password")
        ended = run("user", *words, cwd=self.folder)
        return ended.returncode, ended.stdout + ended.stderr

    def done(self, *words: str, password: str = "") -> str:
        code, printed = self.command(*words, password=password)
        assert code == 0, printed
        return printed

    def add(self, name: str = "ada", password: str = "secret") -> None:
        self.done("add", name, password=password)
        self.done("permit", name, *ALL)

    def as_user(self, name: str = "ada", password: str = "secret") -> Endpoint:
        return dataclasses.replace(Endpoint("127.0.0.1", self.ports, name, password, named=True))

    def gets_in(self, protocol: str, name: str = "ada", password: str = "secret") -> bool:
        """Tell whether a client of a protocol may log in."""
        endpoint = self.as_user(name, password)
        try:
            if protocol == "amqp":
                PikaDriver(endpoint).close()
            elif protocol == "stomp":
                StompPyDriver(endpoint).close()
            else:
                paho = Paho5(endpoint)
                paho.close()
                return paho.code == 0
        except (pika.exceptions.AMQPError, stomp.exception.StompException, AssertionError):
            return False
        return True

    def close(self) -> None:
        if self.broker is not None:
            assert "Traceback" not in self.broker.log, self.broker.log
            self.broker.kill()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def running(house: House) -> House:
    house.start()
    return house


PROTOCOLS: Final = ("amqp", "mqtt", "stomp")


@contextmanager
def connected(house: House) -> Iterator[tuple[PikaDriver, Paho5, StompPyDriver]]:
    """Have a client of each protocol connected as `ada`."""
    endpoint = house.as_user()
    drivers = (PikaDriver(endpoint), Paho5(endpoint, "ada"), StompPyDriver(endpoint))
    try:
        yield drivers
    finally:
        for driver in drivers:
            with suppress(Exception):
                driver.close()


def test_a_new_user_logs_in_by_every_protocol_and_guest_no_more(running: House) -> None:
    assert all(running.gets_in(protocol, "guest", "guest") for protocol in PROTOCOLS)
    assert not running.gets_in("mqtt")
    assert "user 'guest', who was there while nobody was named, is gone" in running.done(
        "add", "ada", password="secret"
    )
    assert not running.gets_in("amqp")  # it may enter no virtual host
    running.done("permit", "ada", *ALL)
    assert running.done("show", "ada").endswith("\n/      .*         .*     .*    .*            .*\n")
    assert all(running.gets_in(protocol) for protocol in PROTOCOLS)
    assert not running.gets_in("stomp", password="wrong")
    assert not any(running.gets_in(protocol, "guest", "guest") for protocol in PROTOCOLS)
    assert "may log in from this machine again" in running.done("remove", "ada")
    assert all(running.gets_in(protocol, "guest", "guest") for protocol in PROTOCOLS)


def test_another_password_refuses_the_old_one_and_leaves_who_is_connected(running: House) -> None:
    running.add()
    with connected(running) as (pika_driver, paho, stomp_py):
        running.done("password", "ada", password="other")
        assert not any(running.gets_in(protocol) for protocol in PROTOCOLS)
        assert all(running.gets_in(protocol, password="other") for protocol in PROTOCOLS)
        pika_driver.channel.basic_publish("amq.topic", "t", b"x")
        assert paho.publish("t", b"x", 1) in {0, 0x10}
        stomp_py.send("/topic/t", b"x")


def test_a_permission_that_is_taken_away_holds_for_the_next_message(running: House) -> None:
    running.add()
    with connected(running) as (pika_driver, paho, stomp_py):
        pika_driver.channel.basic_publish("amq.topic", "t", b"x")
        paho.publish("t", b"x", 1)
        stomp_py.send("/topic/t", b"x")
        running.done("permit", "ada", "--configure", ".*", "--write", "^mine$", "--read", ".*")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
            pika_driver.channel.basic_publish("amq.topic", "t", b"x")
        assert refused.value.reply_code == 403
        assert paho.publish("t", b"x", 1) == NOT_AUTHORIZED
        with pytest.raises(StompError, match="access_refused"):
            stomp_py.send("/topic/t", b"x")
        running.done("permit", "ada", *ALL)
        assert paho.publish("t", b"x", 1) in {0, 0x10}


@pytest.mark.parametrize("words", [("remove", "ada"), ("forbid", "ada")], ids=lambda words: words[0])
def test_who_is_removed_or_forbidden_is_told_to_go(running: House, words: tuple[str, ...]) -> None:
    running.add()
    with connected(running) as (pika_driver, paho, stomp_py):
        running.done(*words)
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as told:
            pika_driver.connection.process_data_events(ANSWER_LIMIT_S)
        assert told.value.reply_code == 320
        assert "user 'ada'" in told.value.reply_text
        assert "is deleted" in told.value.reply_text
        assert paho.ended.wait(ANSWER_LIMIT_S)
        assert paho.end_code == ADMINISTRATIVE_ACTION
        assert "is deleted" in str(stomp_py.error())
        assert not running.gets_in("mqtt")


def test_what_a_command_has_said_is_there_after_kill_9(running: House) -> None:
    assert running.broker is not None
    running.done("add", "bob", password="secret")
    running.add()
    running.broker.strike()  # right behind the exit of the command
    running.broker.kill()
    broker = running.start()
    assert " users=2 permissions=1" in broker.log, broker.log
    assert running.gets_in("mqtt")
    assert running.gets_in("amqp")
    running.done("remove", "ada")
    broker.strike()
    broker.kill()
    broker = running.start()
    assert " users=1\n" in broker.log, broker.log
    assert not running.gets_in("mqtt")


def test_users_are_made_before_the_first_start_and_between_two(house: House) -> None:
    house.add()
    broker = house.start()
    assert all(house.gets_in(protocol) for protocol in PROTOCOLS)
    assert broker.stop() == 0
    house.done("password", "ada", password="other")
    house.start()
    assert house.gets_in("amqp", password="other")
    assert not house.gets_in("amqp")


def test_nothing_on_disk_or_in_the_log_is_a_password(running: House) -> None:
    running.add(password="correct horse battery")
    assert running.gets_in("stomp", password="correct horse battery")
    assert running.broker is not None
    assert running.broker.stop() == 0
    for file in (running.folder / "data").iterdir():
        assert b"correct horse" not in file.read_bytes(), file
    assert "correct horse" not in running.broker.log


def test_a_user_of_the_configuration_is_refused_with_the_name_of_the_file(house: House) -> None:
    house.done("add", "eve", password="secret")
    config = house.folder / "dragoman.toml"
    config.write_text('[[user]]\nname = "ann"\n' + STORE)
    assert "from           dragoman.toml\n" in house.done("show", "ann")
    code, printed = house.command("remove", "ann")
    assert (code, printed) == (1, "dragoman: user 'ann' is in dragoman.toml, which is where to change it\n")
