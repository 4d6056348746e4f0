"""A stream that is not read makes nobody wait; what it takes in the end is whole lines, in order."""

import io
import os
import pty
from collections.abc import Iterator
from typing import Final, TextIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway import logs
from gateway.config import Log
from gateway.outflow import WAITING_LIMIT_BYTES, Outflow, write_at_once

LINE: Final = "x" * 99  # 100 bytes with its end
PIPE_BYTES: Final = 1 << 16  # that Linux has room for; others have less


class Pipe:
    """A pipe, and what was read from it."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        self.stream: TextIO = os.fdopen(writer, "w", encoding="utf-8")

    def read(self) -> bytes:
        """Return what there is."""
        data = b""
        try:
            while piece := os.read(self._reader, PIPE_BYTES):
                data += piece
        except BlockingIOError:
            pass
        return data

    def close(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()
    made.stream.close()
    structlog.reset_defaults()


def test_what_a_full_pipe_does_not_take_waits_and_comes_in_order(pipe: Pipe) -> None:
    outflow = Outflow(pipe.stream)
    lines = [f"{number:099}" for number in range(2_000)]
    for line in lines:
        outflow.write([line])
    assert outflow.waiting_bytes > 0
    data = b""
    while outflow.waiting_bytes:
        data += pipe.read()
        outflow.write([])
    assert (data + pipe.read()).decode().splitlines() == lines
    assert outflow.lost == 0


def test_what_waits_has_a_limit_and_what_is_lost_is_counted(pipe: Pipe) -> None:
    outflow = Outflow(pipe.stream)
    count = 2 * (WAITING_LIMIT_BYTES + PIPE_BYTES) // 100
    outflow.write([LINE] * count)
    data = b""
    while outflow.waiting_bytes:
        data += pipe.read()
        outflow.write([])
    data += pipe.read()
    assert len(data) <= WAITING_LIMIT_BYTES + PIPE_BYTES
    assert data.splitlines() == [LINE.encode()] * (count - outflow.lost)
    assert outflow.lost > 0


@given(st.lists(st.text(max_size=20_000).map(lambda text: text.replace("\n", "")), max_size=20))
def test_lines_longer_than_what_a_pipe_takes_at_once_are_whole(lines: list[str]) -> None:
    pipe = Pipe()
    try:
        outflow = Outflow(pipe.stream)
        outflow.write(lines)
        data = b""
        while outflow.waiting_bytes:
            data += pipe.read()
            outflow.write([])
        data += pipe.read()
        assert data == "".join([f"{line}\n" for line in lines]).encode(errors="backslashreplace")
    finally:
        pipe.close()
        pipe.stream.close()


def test_when_the_reader_has_gone_everything_is_given_up(pipe: Pipe) -> None:
    outflow = Outflow(pipe.stream)
    outflow.write([LINE] * (2 * PIPE_BYTES // 100))
    assert outflow.waiting_bytes > 0
    pipe.close()
    outflow.write([LINE])
    outflow.write([LINE])
    assert outflow.waiting_bytes == 0
    assert outflow.lost == 0


def test_the_end_of_the_process_does_not_wait_for_a_reader_that_is_stuck(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outflow.LAST_WAIT_MS", 1)
    outflow = Outflow(pipe.stream)
    outflow.write([LINE] * (2 * PIPE_BYTES // 100))
    outflow.finish()
    assert outflow.waiting_bytes > 0


def test_a_terminal_gets_whole_lines() -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            outflow = Outflow(stream)
            assert outflow.may_wait
            outflow.write([LINE * 5, "end"])
            shown = b""
            while not shown.endswith(b"end\r\n"):
                shown += os.read(ours, 4_096)
            assert shown.decode() == f"{LINE * 5}\r\nend\r\n"
    finally:
        os.close(ours)


def test_a_file_and_a_stream_without_a_descriptor_are_written_to_directly() -> None:
    stream = io.StringIO()
    outflow = Outflow(stream)
    outflow.write(["a", "b"])
    assert stream.getvalue() == "a\nb\n"
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        assert not Outflow(nowhere).may_wait


def test_text_for_a_closed_stream_is_given_up() -> None:
    stream = io.StringIO()
    stream.close()
    write_at_once(stream, "a")


def test_the_log_says_how_many_lines_were_lost_and_a_turn_writes_what_waits(pipe: Pipe) -> None:
    connection_log = logs.configure(Log(), pipe.stream)
    told = 0
    while told < 20_000:
        connection_log.note(1e9, "logged in", {"name": LINE})
        told += 1
    connection_log.flush()
    data = b""
    while piece := pipe.read():
        data += piece
        connection_log.flush()
    lines = data.decode().splitlines()
    assert "lines lost" in lines[-1]
    assert len(lines) == told - int(lines[-1].partition("count=")[2].partition(" ")[0]) + 1
