"""Frames from bytes, and bytes of the frames that the server sends (STOMP 1.2 "STOMP Frames").

A frame is a head (the command and header lines up to the empty line), a body and a NUL; line ends between frames mean
nothing. `FrameReader` only cuts: what a head says is for whoever knows the version. Everything that is held has a limit,
and each end of a head is searched for once, so that no mixture of LF and CRLF costs more than linear time.
"""

from typing import Final

from core.queueing.usage import Usage
from protocols.stomp.errors import PeerError
from protocols.stomp.inbox import FOR_COUNT, FOR_HEAD, FOR_NUL, Inbox
from protocols.stomp.repeats import WORD_LIMIT, Form, is_plain

LF: Final = 10
CR: Final = 13
COMMAND_LIMIT: Final = 32  # bytes; RabbitMQ's limit
NO_LENGTH: Final = -1  # of a frame without content-length: its body ends at the first NUL


class Limits:
    """How large the parts of a frame may be."""

    def __init__(self, *, head_bytes: int, line_bytes: int, headers: int, body_bytes: int) -> None:
        self.head_bytes = head_bytes
        self.line_bytes = line_bytes
        self.headers = headers
        self.body_bytes = body_bytes


BEFORE_LOGIN: Final = Limits(head_bytes=64 << 10, line_bytes=10 << 10, headers=100, body_bytes=1 << 10)


def after_login(body_bytes: int) -> Limits:
    """Return the limits of a logged-in client: RabbitMQ's line, ActiveMQ's number of headers, the broker's body."""
    return Limits(head_bytes=256 << 10, line_bytes=100 << 10, headers=1_000, body_bytes=body_bytes)


class FrameReader:
    """Cuts a stream into heads and bodies. `head` and then `body` return None while the frame is incomplete."""

    def __init__(self, usage: Usage) -> None:
        self.limits = BEFORE_LOGIN
        self.word = b""  # the receipt of the frame that `like` has found
        self._inbox = Inbox(usage)
        self._data = b""
        self._position = 0  # of the frame that is being read
        self._body_at = 0
        self._lf_end = -1  # the first LF LF at or after an earlier position; the size when there is none

    def feed(self, data: bytes) -> None:
        """Take a chunk. Whatever was fed before has been read up to None."""
        self._data = self._inbox.add(data)
        self._position = 0
        self._lf_end = -1

    def put_off(self) -> None:
        """Hold what is not read yet until something is fed, and be it nothing."""
        self._keep(FOR_HEAD, 0)

    def drop(self) -> None:
        """Forget what is incomplete: nothing more will come."""
        self._inbox.clear()

    def head(self) -> bytes | None:
        """Return the head of the next frame without its last line end."""
        data = self._data
        size = len(data)
        position = self._position
        while position < size:
            byte = data[position]
            if byte != LF and (byte != CR or data[position + 1 : position + 2] not in {b"\n", b""}):
                break
            position += 1
        self._position = position
        if position == size:
            self._data = b""
            self._position = 0
            if size and data[size - 1] == CR:
                self._inbox.keep(b"\r", FOR_HEAD, 2)  # half a line end
            return None
        lf_end = self._lf_end
        if lf_end < position:
            lf_end = data.find(b"\n\n", position)
            if lf_end < 0:
                lf_end = size
            self._lf_end = lf_end
        # No farther than the other end: bodies with LF only would be searched for nothing, a quarter of a message's time.
        end = data.find(b"\n\r\n", position, lf_end + 1)
        if end < 0:
            end = lf_end
        if end == size:
            rest = data[position:]
            head = self.shortened(rest)
            if head is not rest:
                return head
            self._check_size(rest)
            limit = self.limits.head_bytes if b"\n" in rest else COMMAND_LIMIT
            self._keep(FOR_HEAD, limit + len(b"\r\n\r") + 1)
            return None
        self._body_at = end + 2 if end == lf_end else end + 3
        if end - position > self.limits.head_bytes:
            self._check_size(data[position:end])
        return data[position:end]

    def body(self, length: int) -> bytes | None:
        """Return the body of the frame whose head was returned, and go on to the next frame."""
        data = self._data
        start = self._body_at
        if length >= 0:
            if length > self.limits.body_bytes:
                raise _too_large("body", self.limits.body_bytes)
            end = start + length
            if end >= len(data):
                self._keep(FOR_COUNT, end + 1 - self._position)
                return None
            if data[end] != 0:
                raise PeerError("Bad frame", f"no NUL after the {length} bytes that content-length announces")
        else:
            end = data.find(b"\0", start)
            size = (len(data) if end < 0 else end) - start
            if size > self.limits.body_bytes:
                raise _too_large("body", self.limits.body_bytes)
            if end < 0:
                self._keep(FOR_NUL, start - self._position + self.limits.body_bytes + 1)
                return None
        self._position = end + 1
        return data[start:end]

    def like(self, form: Form) -> bytes | None:
        """Return the body of the next frame, if all of it is there and its head has that form, and go on to the next one.

        The value of its receipt is in `word`. None says nothing about the frame: `head` is as it was.
        """
        data = self._data
        at = self._position
        if at < len(data) and data[at] == LF:
            at += 1  # of the line end that many clients write behind each frame
        # Slices, because a method with places as arguments costs three times as much.
        start = at + len(form.start)
        if data[at:start] != form.start:
            return None
        if form.varies:
            rest = form.rest
            end = start + form.word_bytes
            if data[end : end + len(rest)] != rest:
                end = data.find(rest, start, start + WORD_LIMIT)
                if end < 0:
                    return None
                form.word_bytes = end - start
            word = data[start:end]
            if not is_plain(word):
                return None
            self.word = word
            start = end + len(rest)
        end = start + form.length if form.length >= 0 else data.find(b"\0", start)
        if end < 0 or end >= len(data) or data[end] != 0 or end - start > self.limits.body_bytes:
            return None
        self._position = end + 1
        return data[start:end]

    def shortened(self, head: bytes) -> bytes:
        """Return the head up to a NUL that stands where an empty line should: a frame that has no body at all.

        Some clients, stomper among them, end DISCONNECT like that.
        """
        at = head.find(b"\n\0")
        if at < 0:
            return head
        self._body_at = self._position + at + 1
        return head[:at]

    def check(self, head: bytes) -> None:
        """Refuse a head with too many or too long lines, or with the end of a frame inside."""
        limits = self.limits
        command = head[: COMMAND_LIMIT + 2].partition(b"\n")[0].removesuffix(b"\r")
        if len(command) > COMMAND_LIMIT:
            raise PeerError("Illegal command", f"no command has more than {COMMAND_LIMIT} bytes")
        if b"\0" in head:
            raise PeerError("Bad frame", "a NUL inside the headers: an empty line must end them")
        if head.count(b"\n") > limits.headers:
            raise _too_large("number of headers", limits.headers)
        if len(head) > limits.line_bytes and max([len(line) for line in head.split(b"\n")]) > limits.line_bytes:
            raise _too_large("header line", limits.line_bytes)

    def _check_size(self, head: bytes) -> None:
        """Refuse the beginning of a head that can no longer become a good one."""
        head = head.rstrip(b"\r\n")
        self.check(head)
        if len(head) > self.limits.head_bytes:
            raise _too_large("head", self.limits.head_bytes)

    def _keep(self, waits: int, limit: int) -> None:
        self._inbox.keep(self._data[self._position :], waits, limit)
        self._data = b""
        self._position = 0
        self._lf_end = -1


def _too_large(what: str, limit: int) -> PeerError:
    return PeerError("Frame too large", f"the {what} is over the limit of {limit}")


class Frame:
    """A rare frame from the client: anything but SEND. Bodies of those mean nothing (STOMP 1.2 "Body")."""

    def __init__(self, command: str, headers: dict[str, str]) -> None:
        self.command = command
        self.headers = headers

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a header that says `true` or `false`."""
        value = self.headers.get(name)
        if value is None:
            return default
        if value not in {"true", "false"}:
            raise PeerError("Invalid header", f"{name} must be true or false, not '{value}'")
        return value == "true"

    def required(self, name: str) -> str:
        """Return a header that must be there."""
        value = self.headers.get(name)
        if value is None:
            raise PeerError("Missing header", f"\"{self.command}\" must include the '{name}' header")
        return value


def connected_frame(version: str, session: str, server: str, heart_beat: str) -> bytes:
    """Return CONNECTED, whose headers are never escaped (STOMP 1.2 "Value Encoding")."""
    return f"CONNECTED\nversion:{version}\nsession:{session}\nserver:{server}\nheart-beat:{heart_beat}\n\n\0".encode()


def receipt_frames(receipts: list[bytes]) -> bytes:
    """Return RECEIPT for each of some escaped receipt headers."""
    return b"RECEIPT\nreceipt-id:" + b"\n\n\0RECEIPT\nreceipt-id:".join(receipts) + b"\n\n\0"
