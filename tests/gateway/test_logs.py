"""The log: readable lines, JSON, the level, and what a client cannot do to it."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway import logs
from gateway.config import Log
from gateway.escaping import escaped, printable, word

HOSTILE: Final = 'x\n2030-01-01 00:00:00.000 info    user logged in  user=root\r\x1b[2J\x9b2J\u2028\u202e"\\'


@pytest.fixture(autouse=True)
def forget_configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def logger(stream: io.StringIO, **settings: Any) -> Any:
    logs.configure(Log.model_validate(settings), stream)
    return structlog.get_logger("dragoman.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# For people


def test_a_line_has_time_level_event_and_fields() -> None:
    stream = io.StringIO()
    logger(stream).warning("login refused", peer="127.0.0.1:5", attempts=2, encrypted=False)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} warning login refused            "
        r"peer=127\.0\.0\.1:5 attempts=2 encrypted=false\n",
        stream.getvalue(),
    )


def test_fields_of_different_events_begin_in_one_column() -> None:
    stream = io.StringIO()
    log = logger(stream)
    log.info("started", a=1)
    log.warning("connection closed", a=1)
    log.error("no", a=1)
    columns = {line.index("a=1") for line in stream.getvalue().splitlines()}
    assert len(columns) == 1


def test_an_event_without_fields_has_no_trailing_space() -> None:
    stream = io.StringIO()
    logger(stream).info("stopped")
    assert stream.getvalue().endswith(" stopped\n")


def test_a_value_cannot_forge_a_line() -> None:
    stream = io.StringIO()
    logger(stream).info("login refused", user=HOSTILE, reason="wrong name or password")
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert 'reason="wrong name or password"' in line
    assert '\\"' in line


def test_an_event_cannot_forge_a_line_either() -> None:
    stream = io.StringIO()
    logger(stream).info(HOSTILE)
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()


def test_a_traceback_cannot_forge_a_line() -> None:
    stream = io.StringIO()
    logger(stream).error("internal error", exc_info=ValueError(HOSTILE), peer="p")
    first, *rest = stream.getvalue().split("\n")[:-1]
    assert first.endswith("peer=p")
    assert rest
    assert all(line.startswith("    | ") and line.isprintable() for line in rest)


def test_a_traceback_is_readable() -> None:
    stream = io.StringIO()
    try:
        raise KeyError("lost")
    except KeyError as error:
        logger(stream).error("internal error", exc_info=error)
    assert "    | Traceback (most recent call last):\n" in stream.getvalue()
    assert stream.getvalue().endswith("    | KeyError: 'lost'\n")


def test_a_long_value_is_cut_and_says_by_how_much() -> None:
    stream = io.StringIO()
    logger(stream).info("subscribed", topic="t" * 65_535)
    assert len(stream.getvalue()) < 1_200
    assert stream.getvalue().endswith('"+64535\n')


def test_off_a_terminal_there_are_no_colours() -> None:
    stream = io.StringIO()
    logger(stream).error("no", a=1)
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_there_are_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    logger(stream).error("no", a=1)
    assert "\x1b[31merror  \x1b[0m" in stream.getvalue()


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    stream = Terminal()
    logger(stream).error("no", a=1)
    assert "\x1b" not in stream.getvalue()


# JSON


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    log = logger(stream, format="json")
    log.info("login refused", user=HOSTILE, count=3, body=b"\xff")
    log.error("internal error", exc_info=ValueError(HOSTILE))
    first, second = [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]
    assert list(first)[:3] == ["time", "level", "event"]
    assert first["level"] == "info"
    assert first["event"] == "login refused"
    assert first["user"] == HOSTILE
    assert first["count"] == 3
    assert first["body"] == "b'\\xff'"
    assert datetime.fromisoformat(first["time"]).utcoffset() is not None
    assert "ValueError" in second["exception"]
    assert all(line.isascii() and line.isprintable() for line in stream.getvalue().splitlines())


# Level, secrets, streams


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_is_the_least_that_is_written(level: str, written: list[str]) -> None:
    stream = io.StringIO()
    log = logger(stream, format="json", level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("event")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == written


@pytest.mark.parametrize("format_name", ["console", "json"])
@pytest.mark.parametrize("field", ["password", "passcode", "password_hash", "token", "secret"])
def test_a_secret_is_not_written(format_name: str, field: str) -> None:
    stream = io.StringIO()
    logger(stream, format=format_name).info("login", **{field: "canary-7c1"})
    assert "canary-7c1" not in stream.getvalue()
    assert "***" in stream.getvalue()


def test_a_logger_made_before_follows_the_configuration() -> None:
    early = structlog.get_logger("dragoman.connection")
    stream = io.StringIO()
    logs.configure(Log(), stream)
    early.info("hello")
    assert "hello" in stream.getvalue()


def test_a_closed_stream_is_no_error() -> None:
    stream = io.StringIO()
    log = logger(stream)
    stream.close()
    log.info("nobody listens")


def test_a_log_whose_reader_has_gone_stops_neither_the_process_nor_its_exit_code() -> None:
    """`dragoman serve | head -1` must go on serving."""
    program = (
        "import sys, structlog; from gateway import logs; from gateway.config import Log; logs.configure(Log())\n"
        "sys.stdin.read()\n"
        "for _ in range(3): structlog.get_logger().info('a')\n"
        "print('alive', file=sys.stderr)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate("", timeout=30)
    assert process.returncode == 0, errors
    assert errors == "alive\n"


@pytest.mark.parametrize("output", [">&-", ">/dev/full"])
def test_a_process_that_has_nowhere_to_write_starts_and_says_so_to_nobody(output: str) -> None:
    """With the descriptor missing, the first socket would take its place."""
    program = (
        "import os, socket, sys, structlog; from gateway import cli, logs; from gateway.config import Config\n"
        "logs.configure(Config().log)\n"
        "assert socket.socket().fileno() > 1\n"
        "structlog.get_logger().info('a')\n"
        "cli._announce(Config(), [], 0)\n"
        "print('alive', file=sys.stderr)\n"
        "os._exit(0)"  # the interpreter's own last flush of a full device is not asked about here
    )
    ended = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {output}', sys.executable, program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "alive\n")


def test_a_stream_that_cannot_show_a_character_shows_the_line() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    logs.configure(Log(), stream)
    structlog.get_logger().info("subscribed", topic="grün")
    assert raw.getvalue().endswith(b"topic=gr\\xfcn\n")


# Escaping


@given(st.text())
def test_a_word_is_printable_and_one_word(text: str) -> None:
    shown = word(text)
    assert shown.isprintable()
    assert shown
    if not shown.startswith('"'):
        assert shown == text
        assert " " not in shown


@given(st.text(st.characters(max_codepoint=0x2100)), st.text(st.characters(max_codepoint=0x2100)))
def test_different_texts_look_different(one: str, other: str) -> None:
    assert (word(one) == word(other)) == (one == other)
    assert (escaped(one) == escaped(other)) == (one == other)


def test_printable_text_is_shown_as_it_is() -> None:
    assert word("sensors/küche/温度") == "sensors/küche/温度"
    assert printable('say "hi" \\o/') == 'say "hi" \\o/'


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", '""'), ("a b", '"a b"'), ("a=b", '"a=b"'), ('a"b', '"a\\"b"'), ("a\\nb", '"a\\\\nb"'), ("a\nb", '"a\\nb"')],
)
def test_what_would_be_ambiguous_is_quoted(text: str, shown: str) -> None:
    assert word(text) == shown
