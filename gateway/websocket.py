"""WebSocket (RFC 6455) as a filter: what the frames of a client say goes in, output goes out as one message a flush.

`gateway.websocket_frames` knows the frames; this decides what they may be. A message has no meaning of its own: it may
hold many packets or a part of one. A peer's mistake ends the stream behind what was right before it, and the good-bye
says what was wrong. There are no extensions, so nothing is compressed.
"""

import codecs
from typing import Final

from websockets.frames import Close, CloseCode, Frame, Opcode

from core.broker import Broker
from gateway.filters import Filter
from gateway.websocket_frames import ClientFrames
from protocols.connection import Outlet

MESSAGE_ROOM_BYTES: Final = 1 << 20  # of a WebSocket message, beside the largest body that may be in it
PIECE_BYTES: Final = 65_536  # of output in one binary message: clients have limits of their own, often 1 MiB

_decoder: Final = codecs.getincrementaldecoder("utf-8")


class WebSocketFilter(Filter):
    """The server's side of an open WebSocket.

    `textual` says whether text is taken, and then answered by text: what is not UTF-8 goes out as a binary message even
    so. Without it output may be cut anywhere.
    """

    def __init__(self, broker: Broker, outlet: Outlet, greeting: bytes, *, textual: bool) -> None:
        self._broker = broker
        self._outlet = outlet
        self._frames = ClientFrames()
        self._textual = textual
        self._hears_text = False  # the kind of the message that is coming in
        self._answers_text = textual  # the kind of the client's last message
        self._own_words = greeting  # to send before anything else
        self._pong = b""  # to the last ping that is not answered
        self._message_limit_bytes = broker.message_limit_bytes + MESSAGE_ROOM_BYTES
        self._message_bytes = 0  # of the message that is coming in
        self._text = _decoder()  # which of characters that are cut has come
        self._refusal: Close | None = None  # what the frames themselves do not know to be wrong
        self._closed = False  # the client has said good-bye
        self._farewell = b""
        self._left = False

    def received(self, data: bytes) -> bytes:
        if self.finished:
            return b""
        frames = self._frames
        pieces: list[bytes] = []
        for frame in frames.read(data):
            if frame.opcode >= Opcode.CLOSE:
                continue  # has been answered
            if not self._takes(frame):
                break
            if frame.data:
                pieces.append(bytes(frame.data))
        self._collect()
        self.behind = frames.behind and not self.finished
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _takes(self, frame: Frame) -> bool:
        """Judge a part of a message: whether it may be."""
        if frame.opcode is not Opcode.CONT:
            self._hears_text = frame.opcode is Opcode.TEXT
            if self._hears_text and not self._textual:
                # "MQTT Control Packets MUST be sent in WebSocket binary data frames." [MQTT-6.0.0-1]
                return self._refuse(CloseCode.UNSUPPORTED_DATA, "text, but MQTT is binary")
        if self._hears_text:
            try:
                self._text.decode(frame.data, frame.fin)
            except UnicodeDecodeError:
                return self._refuse(CloseCode.INVALID_DATA, "text that is not UTF-8")
        self._answers_text = self._hears_text
        self._message_bytes += len(frame.data)
        if self._message_bytes > self._message_limit_bytes:
            limit = self._message_limit_bytes
            return self._refuse(CloseCode.MESSAGE_TOO_BIG, f"a message has more than {limit} bytes")
        if frame.fin:
            self._message_bytes = 0
        return True

    def _refuse(self, code: CloseCode, reason: str) -> bool:
        self._refusal = Close(code, reason)
        self._end(f"{reason} ({int(code)})")
        return False

    def _collect(self) -> None:
        """Keep what is to be answered for when it is asked for: pongs before output, a good-bye behind it."""
        frames = self._frames
        for part in frames.data_to_send():
            if not part:
                continue
            if part[0] & 0x0F == Opcode.PONG:
                # "the endpoint MAY elect to send a Pong frame for only the most recently processed Ping" (§5.5.3)
                self._pong = part
            else:
                self._farewell = part
        if self._refusal is not None:
            self._farewell = _message(Opcode.CLOSE, self._refusal.serialize())
        elif self._farewell and not self._left:
            self._closed = not frames.mistake
            self._end(frames.mistake)

    def _end(self, mistake: str) -> None:
        self.finished = True
        if mistake:
            self._outlet.note("connection closed", f"WebSocket: {mistake}")

    def sending(self, data: bytes) -> bytes:
        parts = [self._own_words] if self._own_words else []
        self._own_words = b""
        if not self._closed and not self._left:
            if self._pong:
                parts.append(self._pong)
                self._pong = b""
            if data:
                parts += self._messages(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _messages(self, data: bytes) -> list[bytes]:
        if self._answers_text and _is_text(data):  # a body is whatever its sender wanted
            return [_message(Opcode.TEXT, data)]
        if self._textual or len(data) <= PIECE_BYTES:
            return [_message(Opcode.BINARY, data)]
        # "The receiver MUST NOT assume that MQTT Control Packets are aligned on WebSocket frame boundaries"
        # [MQTT-6.0.0-2]
        return [_message(Opcode.BINARY, data[at : at + PIECE_BYTES]) for at in range(0, len(data), PIECE_BYTES)]

    def closing(self) -> bytes:
        own_words = self._own_words
        self._own_words = b""
        if self._left:
            return own_words
        self._left = True
        if not self._farewell:
            self._frames.send_close(*self._good_bye())
            self._collect()
        return own_words + self._farewell

    def _good_bye(self) -> tuple[CloseCode, str]:
        if self.failed:
            return CloseCode.INTERNAL_ERROR, ""
        if self._broker.stopping:
            return CloseCode.GOING_AWAY, "the broker stops"
        return CloseCode.NORMAL_CLOSURE, ""


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _message(opcode: Opcode, data: bytes) -> bytes:
    """Return a whole message in one frame."""
    size = len(data)
    if size < 126:
        return bytes([0x80 | opcode, size]) + data
    if size < 1 << 16:
        return bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big") + data
    return bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big") + data
