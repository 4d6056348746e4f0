"""The lines that come in bulk look as those of structlog do, keep their place among them, and are written once a turn."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import structlog
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st

from core.access import User
from gateway import logs
from gateway.config import Log
from gateway.connection_log import WAITING_LIMIT, ConnectionLog
from tests.gateway.rig import Puppet, rig

WALL: Final = 1_790_000_000.25  # seconds since the epoch
TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{3}Z?")


@pytest.fixture(autouse=True)
def forget_configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Counting(io.StringIO):
    """Counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def configured(stream: io.StringIO, **settings: Any) -> ConnectionLog:
    return logs.configure(Log.model_validate(settings), stream)


@pytest.mark.parametrize("format_name", ["console", "json"])
@pytest.mark.parametrize("terminal", [False, True])
@given(name=st.text(), user=st.text())
def test_a_line_differs_from_structlogs_in_its_time_only(
    format_name: str, terminal: bool, name: str, user: str
) -> None:
    facts = {"peer": "[::1]:5", "protocol": "mqtt", "name": name, "user": user}
    stream = Terminal() if terminal else io.StringIO()
    connection_log = configured(stream, format=format_name)
    connection_log.note(WALL, "logged in", facts)
    structlog.get_logger().info("logged in", **facts)
    first, second = stream.getvalue().split("\n")[:-1]
    assert TIME.sub("", first, count=1) == TIME.sub("", second, count=1) != second


def test_the_time_is_that_of_the_event() -> None:
    stream = io.StringIO()
    connection_log = configured(stream, format="json")
    for wall in (WALL, WALL + 0.5, WALL + 61):
        connection_log.note(wall, "logged in", {})
    connection_log.flush()
    times = [json.loads(line)["time"] for line in stream.getvalue().splitlines()]
    assert times == ["2026-09-21T14:13:20.250Z", "2026-09-21T14:13:20.750Z", "2026-09-21T14:14:21.250Z"]


def test_lines_are_written_together_when_the_turn_ends() -> None:
    stream = Counting()
    connection_log = configured(stream, format="json")
    for number in range(5):
        connection_log.note(WALL, "logged in", {"peer": str(number)})
    assert stream.writes == 0
    connection_log.flush()
    assert stream.writes == 1
    assert [json.loads(line)["peer"] for line in stream.getvalue().splitlines()] == list("01234")
    connection_log.flush()
    assert stream.writes == 1


def test_another_line_does_not_overtake_those_that_wait() -> None:
    stream = io.StringIO()
    connection_log = configured(stream, format="json")
    connection_log.note(WALL, "logged in", {})
    structlog.get_logger().warning("protocol error")
    connection_log.note(WALL, "disconnected", {})
    connection_log.flush()
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events == ["logged in", "protocol error", "disconnected"]


def test_a_turn_with_very_many_lines_does_not_keep_them_all() -> None:
    stream = Counting()
    connection_log = configured(stream)
    for _ in range(2 * WAITING_LIMIT + 1):
        connection_log.note(WALL, "logged in", {})
    assert stream.writes == 2
    connection_log.flush()
    assert len(stream.getvalue().splitlines()) == 2 * WAITING_LIMIT + 1


@pytest.mark.parametrize(("level", "lines"), [("debug", 1), ("info", 1), ("warning", 0), ("error", 0)])
def test_the_lines_have_the_level_info(level: str, lines: int) -> None:
    stream = io.StringIO()
    connection_log = configured(stream, level=level)
    connection_log.note(WALL, "logged in", {})
    connection_log.flush()
    assert len(stream.getvalue().splitlines()) == lines


def test_without_a_log_of_its_own_a_broker_tells_structlog() -> None:
    with structlog.testing.capture_logs() as entries:
        ConnectionLog().note(WALL, "logged in", {"peer": "p"})
    assert entries == [{"event": "logged in", "log_level": "info", "peer": "p"}]


class Asked(Puppet):
    """A machine that counts how often it was asked what the log should say of it."""

    facts_asked = 0

    def facts(self) -> dict[str, str]:
        self.facts_asked += 1
        return super().facts()


@pytest.mark.parametrize(("level", "events"), [("info", ["logged in", "disconnected"]), ("warning", [])])
def test_a_machine_is_asked_for_its_facts_only_where_the_log_has_these_lines(level: str, events: list[str]) -> None:
    stream = io.StringIO()
    with rig() as r:
        r.reactor.wiring.connection_log = configured(stream, level=level, format="json")
        client = r.connect(machine=Asked)
        machine = client.machine
        machine.outlet.login(machine, "someone", b"")
        r.gatekeeper.waiting[0][0].answer(User("someone"), "")
        client.sock.close()
        r.settle()
        assert isinstance(machine, Asked)
        assert machine.facts_asked == len(events)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == events
