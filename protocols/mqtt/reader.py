"""Reads the fields of one packet from its bytes (MQTT 3.1.1 §1.5)."""

from protocols.mqtt.errors import Malformed
from protocols.mqtt.topics import read_text


class Reader:
    """A position in a packet. Every method returns one field and moves on; Malformed when there is none."""

    def __init__(self, packet: str, data: bytes) -> None:
        self._packet = packet
        self._data = data
        self._position = 0

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
