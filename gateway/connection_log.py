"""The lines of the log that every connection causes, in bulk: who has logged in and who has gone.

They have text in every field and are made here, 1 µs each and not the 8 µs of structlog's way, and written once a turn.
They look as all others do (`gateway.logs`) and keep their place among them: whoever writes another line takes along
what waits here, before it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as json_text
from typing import Final

import structlog
from mypy_extensions import mypyc_attr

from gateway.console import DIM, painted, shown_event, shown_key
from gateway.escaping import word

WAITING_LIMIT: Final = 1_000  # lines; a turn that has more to tell does not wait for its end

log = structlog.get_logger("dragoman.connection")


@mypyc_attr(allow_interpreted_subclasses=True)
class ConnectionLog:
    """Where these lines go. This one leaves them to structlog, for a broker whose log nobody has set up.

    Nobody need collect the facts of an event that is not `wanted`.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self.wanted = wanted

    def note(self, wall: float, event: str, facts: dict[str, str]) -> None:
        """Tell an event of the level `info`, which happened `wall` seconds after the epoch."""
        log.info(event, **facts)

    def flush(self) -> None:
        """Write what has been told."""


class Silence(ConnectionLog):
    """For a log without the level `info`."""

    def __init__(self) -> None:
        super().__init__(wanted=False)

    def note(self, wall: float, event: str, facts: dict[str, str]) -> None:
        return


class BulkConnectionLog(ConnectionLog):
    """Keeps finished lines until the end of a turn. `write_waiting` is called to have them taken and written."""

    def __init__(self, write_waiting: Callable[[], None]) -> None:
        super().__init__()
        self._write_waiting = write_waiting
        self.unwritten = False  # whether the stream has not taken what it was given before
        self._waiting: list[str] = []
        self._second = -1
        self._second_text = ""

    def take(self) -> list[str]:
        """Return the lines that wait, which then wait no more."""
        waiting = self._waiting
        self._waiting = []
        return waiting

    def flush(self) -> None:
        if self._waiting or self.unwritten:
            self._write_waiting()

    def note(self, wall: float, event: str, facts: dict[str, str]) -> None:
        second = int(wall)
        if second != self._second:
            self._second = second
            self._second_text = self._of_second(second)
        self._waiting.append(self._line(f"{self._second_text}.{int((wall - second) * 1000):03}", event, facts))
        if len(self._waiting) >= WAITING_LIMIT:
            self._write_waiting()

    def _of_second(self, second: int) -> str:
        raise AssertionError(f"{type(self).__name__} has no form")

    def _line(self, time: str, event: str, facts: dict[str, str]) -> str:
        raise AssertionError(f"{type(self).__name__} has no form")


class JsonConnectionLog(BulkConnectionLog):
    """Lines for machines."""

    def _of_second(self, second: int) -> str:
        return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()

    def _line(self, time: str, event: str, facts: dict[str, str]) -> str:
        shown = f'{{"time":"{time}Z","level":"info","event":{json_text(event)}'
        for key, value in facts.items():
            shown += f',"{key}":{json_text(value)}'
        return shown + "}"


class ConsoleConnectionLog(BulkConnectionLog):
    """Lines for people."""

    def __init__(self, write_waiting: Callable[[], None], *, coloured: bool) -> None:
        super().__init__(write_waiting)
        self._coloured = coloured
        self._events: dict[str, str] = {}  # as they are shown; they are constants of the code
        self._keys: dict[str, str] = {}  # and so are these

    def _of_second(self, second: int) -> str:
        return datetime.fromtimestamp(second).isoformat(" ")

    def _line(self, time: str, event: str, facts: dict[str, str]) -> str:
        coloured = self._coloured
        shown = self._events.get(event)
        if shown is None:
            shown = self._events[event] = f" {shown_event('info', event, coloured)}"
        parts = [painted(time, DIM, coloured), shown]
        for key, value in facts.items():
            name = self._keys.get(key)
            if name is None:
                name = self._keys[key] = f" {shown_key(key, coloured)}"
            parts.append(name)
            parts.append(word(value))
        return "".join(parts)
