"""Reads the fields of one packet from its bytes (MQTT 3.1.1 §1.5, MQTT 5.0 §1.5)."""

from typing import Final

from protocols.mqtt.errors import Malformed
from protocols.mqtt.topics import read_name, read_text

VARIABLE_LIMIT_BYTES: Final = 4  # of a variable byte integer (MQTT 5.0 §1.5.5)


class Reader:
    """A position in a packet. Every method returns one field and moves on; Malformed when there is none."""

    def __init__(self, packet: str, data: bytes) -> None:
        self._packet = packet
        self._data = data
        self._position = 0

    @property
    def position(self) -> int:
        """Where the next field begins."""
        return self._position

    @property
    def finished(self) -> bool:
        """Whether all has been read."""
        return self._position == len(self._data)

    def byte(self) -> int:
        """Read one byte."""
        return self._take(1)[0]

    def number(self) -> int:
        """Read two bytes."""
        taken = self._take(2)
        return taken[0] << 8 | taken[1]

    def long_number(self) -> int:
        """Read four bytes."""
        return int.from_bytes(self._take(4), "big")

    def variable(self) -> int:
        """Read a number of one to four bytes, in as few as it takes [MQTT-1.5.5-1]."""
        value = 0
        for count in range(VARIABLE_LIMIT_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:
                if byte == 0 and count:
                    raise Malformed(f"{self._packet} has a number in more bytes than it takes [MQTT-1.5.5-1]")
                return value
        raise Malformed(f"{self._packet} has a number of more than four bytes")

    def block(self) -> bytes:
        """Read a number of one to four bytes and as many bytes: the properties of a packet (MQTT 5.0 §2.2.2)."""
        return self._take(self.variable())

    def packet_id(self) -> int:
        """Read a packet id, which is never 0."""
        packet_id = self.number()
        if packet_id == 0:
            raise Malformed(f"{self._packet} with packet id 0 [MQTT-2.3.1-1]")
        return packet_id

    def binary(self) -> bytes:
        """Read a length and as many bytes."""
        return self._take(self.number())

    def text(self, what: str) -> str:
        """Read a string (§1.5.3); `what` names it in the error's text."""
        return read_text(f"{what} of {self._packet}", self.binary())

    def name(self, what: str) -> str:
        """Read a string without control characters."""
        return read_name(f"{what} of {self._packet}", self.binary())

    def finish(self) -> None:
        """Check that nothing is left."""
        if not self.finished:
            raise Malformed(f"{self._packet} has {len(self._data) - self._position} bytes too many")

    def _take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise Malformed(f"{self._packet} is shorter than its fields")
        taken = self._data[self._position : end]
        self._position = end
        return taken
