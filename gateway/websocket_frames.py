"""What a client says in WebSocket frames (RFC 6455 §5), a bounded number of them at a time: `websockets`, without a socket.

`ServerProtocol` has the states, the answers to ping and close, and the masks, in C. Its own parser waits for whole frames,
takes lengths that are longer than they need be, and reads all that it is given in one go. This one hands on a long frame in
pieces as they come, and leaves what is more than a turn's share for the next.
"""

import logging
from collections.abc import Generator
from typing import Final

from websockets.exceptions import ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - a Python for which there is no wheel
    from websockets.utils import apply_mask

FRAMES_A_TURN: Final = 500  # from one client; an empty one has 6 bytes, so a chunk of 64 KiB can have 10,922
WAITED_FOR_BYTES: Final = 1_024  # of a frame; a longer one is handed on in pieces, for what is waited for is kept here
REASON_LIMIT_CHARS: Final = 100  # a control frame holds 125 bytes (RFC 6455 §5.5)

_UNHEARD: Final = logging.getLogger("dragoman.websocket.frames")  # what is wrong with a frame is in the note of its end
_UNHEARD.disabled = True
_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}


class ClientFrames(ServerProtocol):
    """The frames of one client whose WebSocket is open. `mistake` says what was wrong, after which nothing is read."""

    def __init__(self) -> None:
        self.mistake = ""
        self._share = FRAMES_A_TURN
        super().__init__(state=State.OPEN, max_size=None, logger=_UNHEARD)

    @property
    def behind(self) -> bool:
        """Whether there are frames left for the next turn."""
        return not self._share and bool(self.reader.buffer)

    def read(self, data: bytes) -> list[Frame]:
        """Return the frames, as far as a turn's share of them goes; a long frame becomes several."""
        self._share = FRAMES_A_TURN
        self.receive_data(data)
        found: list[Frame] = self.events_received()  # type: ignore[assignment]  # requests are read elsewhere
        return found

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """End the stream; the good-bye says why."""
        self.mistake = f"{reason} ({int(code)})"
        super().fail(code, reason[:REASON_LIMIT_CHARS])

    def parse(self) -> Generator[None, None, None]:
        """Read frames for ever; each step goes on with what has come since."""
        try:
            while True:
                while not self._share:
                    yield
                yield from self._frame(self.reader.buffer)
                self._share -= 1
        except ProtocolError as error:
            self.fail(CloseCode.PROTOCOL_ERROR, str(error))
        except UnicodeDecodeError:
            self.fail(CloseCode.INVALID_DATA, "the reason of a close is not UTF-8")
        yield  # `fail` has put another generator in this one's place

    def _frame(self, buffer: bytearray) -> Generator[None, None, None]:
        while len(buffer) < 2:
            yield
        first, size = buffer[0], buffer[1] & 0x7F
        opcode = _OPCODES.get(first & 0x0F)
        if opcode is None:
            raise ProtocolError(f"there is no opcode {first & 0x0F}")
        if first & 0x70:
            raise ProtocolError("a reserved bit is set")  # of an extension: none is agreed on
        if not buffer[1] & 0x80:
            raise ProtocolError("a frame is not masked")
        fin = first >= 0x80
        if opcode >= Opcode.CLOSE and (size > 125 or not fin):
            raise ProtocolError("a control frame is too long, or in fragments")
        head = 6 if size < 126 else 8 if size == 126 else 14
        while len(buffer) < head:
            yield
        if head > 6:
            size = int.from_bytes(buffer[2 : head - 4], "big")
            # "the minimal number of bytes MUST be used to encode the length", "the most significant bit MUST be 0"
            if size < (126 if head == 8 else 1 << 16) or size >= 1 << 63:
                raise ProtocolError("a length is not written as it must be")
        mask = bytes(buffer[head - 4 : head])
        if size > WAITED_FOR_BYTES:
            del buffer[:head]
            yield from self._pieces(buffer, opcode, size, mask, fin=fin)
            return
        end = head + size
        while len(buffer) < end:
            yield
        data = apply_mask(bytes(buffer[head:end]), mask) if size else b""
        del buffer[:end]
        self.recv_frame(Frame(opcode, data, fin))

    def _pieces(
        self, buffer: bytearray, opcode: Opcode, size: int, mask: bytes, *, fin: bool
    ) -> Generator[None, None, None]:
        while size:
            while not buffer:
                yield
            data = bytes(buffer[:size])
            del buffer[: len(data)]
            size -= len(data)
            self.recv_frame(Frame(opcode, apply_mask(data, mask), fin and not size))
            turn = len(data) % 4
            mask = mask[turn:] + mask[:turn]
            opcode = Opcode.CONT
