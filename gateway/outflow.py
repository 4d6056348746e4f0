"""Writing lines to a stream that may not be read just now: the broker does not wait for whoever reads its log.

A full pipe, a socket whose reader is busy and a terminal that was stopped (Ctrl-S) make a writer wait. What they do not
take at once is kept for the next time, so much of it; what comes then is lost, and counted. Files are written to directly.
"""

import os
import select
import stat
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TextIO

WAITING_LIMIT_BYTES: Final = 1 << 20  # some 10,000 lines, for a reader that is away for a moment
TERMINAL_PIECE_BYTES: Final = 256  # a terminal that is ready takes so many; a pipe takes PIPE_BUF (POSIX)
LAST_WAIT_MS: Final = 500  # at the end of the process, for a reader that goes on taking what is left

NEVER_WAITS: Final = -1


class Outflow:
    """One stream. When its reader has gone, everything after that is given up."""

    def __init__(self, stream: TextIO) -> None:
        self.lost = 0  # lines
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._waiting: deque[bytes] = deque()
        self.waiting_bytes = 0  # that the stream has not taken yet
        self._fd = _slow_descriptor(stream)
        self._ready = select.poll()
        self._piece_bytes = select.PIPE_BUF
        if self._fd != NEVER_WAITS:
            self._ready.register(self._fd, select.POLLOUT)
            if os.isatty(self._fd):
                self._piece_bytes = TERMINAL_PIECE_BYTES

    @property
    def may_wait(self) -> bool:
        """Whether the stream is of a kind that does not take everything at once."""
        return self._fd != NEVER_WAITS

    def write(self, lines: Sequence[str]) -> None:
        """Write lines, to which the line breaks are added, behind what is still waiting."""
        if self._fd == NEVER_WAITS:
            write_at_once(self._stream, "\n".join([*lines, ""]))
            return
        for line in lines:
            data = f"{line}\n".encode(self._encoding, "backslashreplace")
            if self.waiting_bytes + len(data) > WAITING_LIMIT_BYTES:
                self._drain(0)
            if self.waiting_bytes + len(data) > WAITING_LIMIT_BYTES:
                self.lost += 1
            else:
                self._waiting.append(data)
                self.waiting_bytes += len(data)
        self._drain(0)

    def finish(self) -> None:
        """Write what is waiting, as long as somebody takes it."""
        self._drain(LAST_WAIT_MS)

    def _drain(self, wait_ms: int) -> None:
        waiting = self._waiting
        while waiting and self._ready.poll(wait_ms):
            data = waiting.popleft()
            while waiting and len(data) < self._piece_bytes:
                data += waiting.popleft()
            try:
                sent = os.write(self._fd, data[: self._piece_bytes])
            except BlockingIOError:  # somebody else has set the descriptor not to wait
                sent = 0
            except OSError as error:
                sent = len(data)
                if isinstance(error, BrokenPipeError):
                    _discard_from_now_on(self._stream)
            self.waiting_bytes -= sent
            if sent < len(data):
                waiting.appendleft(data[sent:])
            if not sent:
                return


def write_at_once(stream: TextIO, text: str) -> None:
    """Write text however long it takes; what cannot be written is given up."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _discard_from_now_on(stream)
    except (OSError, ValueError):  # a full disk; a stream that was closed
        return


def _slow_descriptor(stream: TextIO) -> int:
    """Return the descriptor of a stream that can make a writer wait, or NEVER_WAITS."""
    with suppress(OSError, ValueError):
        fd = stream.fileno()
        mode = os.fstat(fd).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd):
            return fd
    return NEVER_WAITS


def _discard_from_now_on(stream: TextIO) -> None:
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
