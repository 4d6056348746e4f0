"""STOMP 1.1 by frames that stomper makes, over a plain socket.

stomper builds frames as text; one character stands for one byte here, so that bodies can be any bytes. It cannot read
bodies back (it strips them), so the frames from the broker are taken apart below.
"""

import itertools
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import stomper

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S, Address, Driver, Received
from interop.clients.stomp_address import stomp_destination

_numbers: Final = itertools.count()


@dataclass(frozen=True)
class StompFrame:
    command: str
    headers: dict[str, str]
    body: bytes


def made(command: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a frame made by stomper. Header values must be escaped already."""
    frame: Any = stomper.Frame()
    frame.setCmd(command)
    frame.headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    if body:
        frame.headers["content-length"] = str(len(body))
    frame.body = body.decode("latin-1")
    return str(frame.pack()).encode("latin-1")


class FrameSocket:
    """A socket that is written with any bytes and read frame by frame."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=ANSWER_LIMIT_S)
        self._buffer = bytearray()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_frame(self) -> StompFrame | None:
        """Return the next frame, or None at the end of the stream."""
        while not self._buffer.lstrip(b"\r\n"):
            if not self._read_more():
                return None
        del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))]
        end = self._find(b"\n\n", 0)
        command, *lines = self._buffer[:end].decode().split("\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(_unescaped(name), _unescaped(value))
        start = end + 2
        if "content-length" in headers:
            stop = start + int(headers["content-length"])
            while len(self._buffer) <= stop:
                assert self._read_more(), "the stream ends inside a frame"
            assert self._buffer[stop] == 0, "no NUL after content-length bytes"
        else:
            stop = self._find(b"\0", start)
        body = bytes(self._buffer[start:stop])
        del self._buffer[: stop + 1]
        return StompFrame(command, headers, body)

    def close(self) -> None:
        self._socket.close()

    def _find(self, mark: bytes, start: int) -> int:
        while (found := self._buffer.find(mark, start)) < 0:
            assert self._read_more(), "the stream ends inside a frame"
        return found

    def _read_more(self) -> bool:
        try:
            data = self._socket.recv(1 << 18)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)


def _unescaped(text: str) -> str:
    pieces = text.split("\\\\")
    return "\\".join(piece.replace("\\n", "\n").replace("\\c", ":").replace("\\r", "\r") for piece in pieces)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(":", "\\c")


class StomperDriver(Driver):
    name = "stomper"
    protocol = "stomp"

    def __init__(self, endpoint: Endpoint, heart_beats_ms: tuple[int, int] = (0, 0)) -> None:
        super().__init__(endpoint)
        self.socket = FrameSocket(endpoint.host, endpoint.ports["stomp"])
        self.socket.send(str(stomper.connect(endpoint.user, endpoint.password, "/", heart_beats_ms)).encode())
        connected = self.socket.read_frame()
        assert connected is not None, "the connection closed without an answer"
        assert connected.command == "CONNECTED", connected
        self.connected = connected

    def subscribe(self, address: Address) -> None:
        self.request(
            "SUBSCRIBE", {"id": f"s{next(_numbers)}", "destination": stomp_destination(address), "ack": "auto"}
        )

    def publish(
        self,
        address: Address,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        said = {"destination": stomp_destination(address), **(headers or {}), **(properties or {})}
        if durable:
            said["persistent"] = "true"
        self.request("SEND", said, body)

    def request(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send a frame with a receipt and wait for it; what arrives before goes to the inbox."""
        receipt = f"r{next(_numbers)}"
        escaped = {name: _escaped(value) for name, value in {**headers, "receipt": receipt}.items()}
        self.socket.send(made(command, escaped, body))
        frame = self._next_frame()
        while frame.command == "MESSAGE":
            self._keep(frame)
            frame = self._next_frame()
        assert frame.command == "RECEIPT", frame
        assert frame.headers["receipt-id"] == receipt

    def receive(self) -> Received:
        if self.inbox.empty():
            frame = self._next_frame()
            assert frame.command == "MESSAGE", frame
            self._keep(frame)
        return self.inbox.get_nowait()

    def close(self) -> None:
        try:
            self.request("DISCONNECT", {})
        finally:
            self.socket.close()

    def _next_frame(self) -> StompFrame:
        frame = self.socket.read_frame()
        assert frame is not None, "the connection closed"
        return frame

    def _keep(self, frame: StompFrame) -> None:
        durable = frame.headers.get("persistent") == "true"
        self.inbox.put(Received(frame.body, frame.headers["destination"], frame.headers, durable=durable))
