"""WebSocket (RFC 6455) as a filter: what the frames of a client say goes in, output goes out as one message a flush.

`wsproto` knows the frames; this decides what they may be. A message has no meaning of its own: it may hold many packets
or a part of one. A peer's mistake ends the stream behind what was right before it, and the good-bye says what was wrong.
There are no extensions, so nothing is compressed.
"""

from typing import Final

from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

from core.broker import Broker
from gateway.filters import Filter
from protocols.connection import Outlet

MESSAGE_ROOM_BYTES: Final = 1 << 20  # of a WebSocket message, beside the largest body that may be in it
PIECE_BYTES: Final = 65_536  # of output in one binary message: clients have limits of their own, often 1 MiB
REASON_LIMIT_CHARS: Final = 100  # a control frame holds 125 bytes (RFC 6455 §5.5)


class WebSocketFilter(Filter):
    """The server's side of an open WebSocket.

    `textual` says whether text is taken, and then answered by text: what is not UTF-8 goes out as a binary message even
    so. Without it output may be cut anywhere.
    """

    def __init__(self, broker: Broker, outlet: Outlet, greeting: bytes, *, textual: bool) -> None:
        self._broker = broker
        self._outlet = outlet
        self._frames = Frames(ConnectionType.SERVER)
        self._textual = textual
        self._answers_text = textual  # the kind of the client's last message
        self._own_words = greeting  # to send before anything else
        self._ping: bytes | None = None  # the last one that is not answered
        self._message_limit_bytes = broker.message_limit_bytes + MESSAGE_ROOM_BYTES
        self._message_bytes = 0  # of the message that is coming in
        self._farewell: CloseConnection | None = None

    def received(self, data: bytes) -> bytes:
        if self.finished:
            return b""
        self._frames.receive_data(data)
        pieces: list[bytes] = []
        for event in self._frames.events():
            if isinstance(event, BytesMessage):
                self._answers_text = False
                pieces.append(bytes(event.data))
                self._count(len(event.data), whole=event.message_finished)
            elif isinstance(event, TextMessage):
                if not self._textual:
                    # "MQTT Control Packets MUST be sent in WebSocket binary data frames." [MQTT-6.0.0-1]
                    self._fail(CloseReason.UNSUPPORTED_DATA, "text, but MQTT is binary")
                    break
                self._answers_text = True
                text = event.data.encode()
                pieces.append(text)
                self._count(len(text), whole=event.message_finished)
            elif isinstance(event, Ping):
                # "the endpoint MAY elect to send a Pong frame for only the most recently processed Ping" (§5.5.3)
                self._ping = bytes(event.payload)
            elif isinstance(event, CloseConnection):
                self._close(event)
            if self._farewell is not None:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _count(self, size: int, *, whole: bool) -> None:
        self._message_bytes += size
        if self._message_bytes > self._message_limit_bytes:
            self._fail(CloseReason.MESSAGE_TOO_BIG, f"a message has more than {self._message_limit_bytes} bytes")
        if whole:
            self._message_bytes = 0

    def _close(self, event: CloseConnection) -> None:
        if self._frames.state is ConnectionState.OPEN:  # wsproto's way to say that it did not understand
            self._fail(event.code, event.reason or "")
            return
        self._farewell = event.response()
        self.finished = True

    def _fail(self, code: int, reason: str) -> None:
        self.finished = True
        self._farewell = CloseConnection(code, reason[:REASON_LIMIT_CHARS])
        self._outlet.note("connection closed", f"WebSocket: {reason} ({int(code)})")

    def sending(self, data: bytes) -> bytes:
        parts = [self._own_words] if self._own_words else []
        self._own_words = b""
        if self._frames.state is ConnectionState.OPEN:
            if self._ping is not None:
                parts.append(self._frames.send(Ping(self._ping).response()))
                self._ping = None
            if data:
                parts += self._messages(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _messages(self, data: bytes) -> list[bytes]:
        send = self._frames.send
        if self._answers_text:
            try:
                return [send(TextMessage(data.decode()))]
            except UnicodeDecodeError:
                return [send(BytesMessage(data))]  # the body of a message is whatever its sender wanted
        if self._textual or len(data) <= PIECE_BYTES:
            return [send(BytesMessage(data))]
        # "The receiver MUST NOT assume that MQTT Control Packets are aligned on WebSocket frame boundaries"
        # [MQTT-6.0.0-2]
        return [send(BytesMessage(data[at : at + PIECE_BYTES])) for at in range(0, len(data), PIECE_BYTES)]

    def closing(self) -> bytes:
        own_words = self._own_words
        self._own_words = b""
        if self._frames.state not in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
            return own_words
        return own_words + self._frames.send(self._good_bye())

    def _good_bye(self) -> CloseConnection:
        if self._farewell is not None:
            return self._farewell
        if self.failed:
            return CloseConnection(CloseReason.INTERNAL_ERROR)
        if self._broker.stopping:
            return CloseConnection(CloseReason.GOING_AWAY, "the broker stops")
        return CloseConnection(CloseReason.NORMAL_CLOSURE)
