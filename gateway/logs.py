"""The log: one event a line on standard output, for people or as JSON.

`event` is a constant of the code; what comes from clients goes into the other fields, escaped, and cut where people read.
A field whose name says that it is a secret is not written. A log that nobody reads does not stop the broker (`gateway.outflow`).
"""

import atexit
import json
import os
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any, Final, TextIO

import structlog

from gateway.config import Log
from gateway.connection_log import BulkConnectionLog, ConnectionLog, ConsoleConnectionLog, JsonConnectionLog, Silence
from gateway.console import DIM, painted, shown_event, shown_key
from gateway.escaping import printable, word
from gateway.outflow import Outflow

Event = MutableMapping[str, Any]
Processor = Callable[[Any, str, Event], Event]
Renderer = Callable[[Any, str, Event], str]

SECRETS: Final = frozenset({"password", "passcode", "secret", "token", "password_hash"})
WITH_INFO: Final = frozenset({"debug", "info"})  # levels of a log that tells of every connection
TRACEBACK_MARGIN: Final = "    | "  # no line of a traceback can be taken for an event

log = structlog.get_logger("dragoman.logs")


class Lines:
    """Writes finished lines to a stream, and before each what waits in the log of connections."""

    def __init__(self, stream: TextIO) -> None:
        self.connection_log: BulkConnectionLog | None = None
        self._outflow = Outflow(stream)
        if self._outflow.may_wait:
            atexit.register(self._outflow.finish)

    def write(self, line: str) -> None:
        """Write one line."""
        self._write([*self._waiting(), line])

    def write_waiting(self) -> None:
        """Write what waits in the log of connections, and what the stream did not take before."""
        self._write(self._waiting())

    def _waiting(self) -> list[str]:
        return self.connection_log.take() if self.connection_log is not None else []

    def _write(self, lines: list[str]) -> None:
        outflow = self._outflow
        outflow.write(lines)
        if outflow.lost and not outflow.waiting_bytes:
            lost, outflow.lost = outflow.lost, 0
            log.warning("lines lost", count=lost, detail="nobody has read the log for a while")
        if self.connection_log is not None:
            self.connection_log.unwritten = outflow.waiting_bytes > 0

    debug = info = warning = error = critical = exception = msg = write


def configure(settings: Log, stream: TextIO | None = None) -> ConnectionLog:
    """Set up structlog for this process; loggers made before follow. Return where the lines go that come in bulk."""
    stream = standard_output() if stream is None else stream
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character still shows the line
    lines = Lines(stream)
    coloured = wants_colour(stream)
    if settings.format == "json":
        render: Renderer = _as_json
        lines.connection_log = JsonConnectionLog(lines.write_waiting)
    else:
        render = _for_people(coloured=coloured)
        lines.connection_log = ConsoleConnectionLog(lines.write_waiting, coloured=coloured)
    structlog.configure(
        processors=[structlog.processors.add_log_level, _without_secrets, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    return lines.connection_log if settings.level in WITH_INFO else Silence()


def standard_output() -> TextIO:
    """Return where the log goes. Who starts the process without a standard output gets one that leads nowhere."""
    if sys.stdout is None:
        # It takes the place of the descriptor that is missing, before a client's socket can.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    return sys.stdout


def wants_colour(stream: TextIO) -> bool:
    """Tell whether colours help: on a terminal, unless `NO_COLOR` is set or the terminal is dumb."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _without_secrets(_logger: Any, _method: str, event: Event) -> Event:
    for name in SECRETS.intersection(event):
        event[name] = "***"
    return event


def _as_json(_logger: Any, _method: str, event: Event) -> str:
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    first = {"time": time, "level": event.pop("level"), "event": event.pop("event")}
    return json.dumps({**first, **event}, default=_shown, separators=(",", ":"))


def _for_people(*, coloured: bool) -> Renderer:
    def render(_logger: Any, _method: str, event: Event) -> str:
        level, name, traceback = event.pop("level"), event.pop("event"), event.pop("exception", None)
        time = datetime.now().isoformat(" ", "milliseconds")
        fields = [shown_key(key, coloured) + word(_shown(value)) for key, value in event.items()]
        line = " ".join([painted(time, DIM, coloured), shown_event(level, str(name), coloured), *fields]).rstrip()
        if traceback is None:
            return line
        return "\n".join([line, *[f"{TRACEBACK_MARGIN}{printable(part)}" for part in traceback.splitlines()]])

    return render


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else repr(value)
