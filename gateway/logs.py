"""The log: one event a line on standard output, for people or as JSON.

`event` is a constant of the code; what comes from clients goes into the other fields, and there it is escaped and cut.
A field whose name says that it is a secret is not written. A log that nobody reads any more does not stop the broker.
"""

import json
import os
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any, Final, TextIO

import structlog

from gateway.config import Log
from gateway.escaping import escaped, printable, word

Event = MutableMapping[str, Any]
Processor = Callable[[Any, str, Event], Event]
Renderer = Callable[[Any, str, Event], str]

SECRETS: Final = frozenset({"password", "passcode", "secret", "token", "password_hash"})
EVENT_WIDTH: Final = 24  # columns before the fields, so that they line up for most events
LEVEL_WIDTH: Final = 7
TRACEBACK_MARGIN: Final = "    | "  # no line of a traceback can be taken for an event

RESET: Final = "\x1b[0m"
DIM: Final = "\x1b[2m"
BOLD: Final = "\x1b[1m"
LEVEL_COLOURS: Final = {"debug": DIM, "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}


class Lines:
    """Writes finished lines to a stream, one write each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write one line; when the reader has gone, this and everything after it is given up."""
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except BrokenPipeError:
            _discard_from_now_on(self._stream)
        except (OSError, ValueError):  # a full disk; a stream that was closed
            return

    debug = info = warning = error = critical = exception = msg = write


def _discard_from_now_on(stream: TextIO) -> None:
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def configure(settings: Log, stream: TextIO | None = None) -> None:
    """Set up structlog for this process; loggers made before follow."""
    stream = sys.stdout if stream is None else stream
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character still shows the line
    render: Renderer = _as_json if settings.format == "json" else console(coloured=wants_colour(stream))
    structlog.configure(
        processors=[structlog.processors.add_log_level, _without_secrets, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=lambda *_: Lines(stream),
        cache_logger_on_first_use=False,
    )


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


def console(*, coloured: bool) -> Renderer:
    """Return the renderer for people."""

    def render(_logger: Any, _method: str, event: Event) -> str:
        level, name, traceback = event.pop("level"), event.pop("event"), event.pop("exception", None)
        fields = " ".join(f"{_painted(key, DIM, coloured)}={word(_shown(value))}" for key, value in event.items())
        line = " ".join(
            [
                _painted(datetime.now().isoformat(" ", "milliseconds"), DIM, coloured),
                _painted(f"{level:<{LEVEL_WIDTH}}", LEVEL_COLOURS.get(level, ""), coloured),
                _painted(f"{escaped(str(name)):<{EVENT_WIDTH}}", BOLD, coloured),
                fields,
            ]
        ).rstrip()
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


def _painted(text: str, colour: str, coloured: bool) -> str:
    return f"{colour}{text}{RESET}" if coloured and colour else text
