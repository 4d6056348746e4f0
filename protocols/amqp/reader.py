"""Reads the arguments of one method from its payload (AMQP 0-9-1 §4.2.5)."""

from core.model.properties import Headers
from protocols.amqp.errors import FRAME_ERROR, PeerError
from protocols.amqp.table import ELEMENTS_LIMIT, check_table, decode_table


class Reader:
    """A position in a payload. Every method returns one argument and moves on; PeerError when there is none."""

    def __init__(self, data: bytes, at: int, end: int, elements_limit: int = ELEMENTS_LIMIT) -> None:
        self._data = data
        self._at = at
        self._end = end
        self._elements_limit = elements_limit

    def _take(self, size: int) -> bytes:
        start = self._at
        after = start + size
        if after > self._end:
            raise PeerError(FRAME_ERROR, "method ends before its arguments do")
        self._at = after
        return self._data[start:after]

    def octet(self) -> int:
        """Read an octet; also a group of up to eight bits, the first in the lowest place."""
        return self._take(1)[0]

    def flag(self) -> bool:
        """Read one bit, which takes an octet."""
        return self.octet() & 1 != 0

    def flags(self, count: int) -> list[bool]:
        """Read a group of up to eight bits."""
        bits = self.octet()
        return [bits >> place & 1 != 0 for place in range(count)]

    def short(self) -> int:
        """Read an integer of two octets."""
        return int.from_bytes(self._take(2), "big")

    def long(self) -> int:
        """Read an integer of four octets."""
        return int.from_bytes(self._take(4), "big")

    def longlong(self) -> int:
        """Read an integer of eight octets."""
        return int.from_bytes(self._take(8), "big")

    def shortstr(self) -> str:
        """Read a short string, which must be UTF-8 (RabbitMQ)."""
        octets = self._take(self.octet())
        try:
            return octets.decode()
        except UnicodeDecodeError:
            raise PeerError(FRAME_ERROR, "Malformed UTF-8 in shortstr") from None

    def name(self) -> str:
        """Read the name of an exchange or a queue; line ends are taken out of it, as RabbitMQ does."""
        text = self.shortstr()
        return text.replace("\r", "").replace("\n", "") if "\r" in text or "\n" in text else text

    def name_behind_ticket(self) -> str:
        """Read the octets of a ticket, which AMQP 0-9-1 has no use for any more, and the name behind it."""
        self.short()
        return self.name()

    def longstr(self) -> bytes:
        """Read a long string."""
        return self._take(self.long())

    def table(self) -> Headers:
        """Read and check a field table."""
        start = self._at
        self._at = check_table(self._data, start, self._end, self._elements_limit)
        return decode_table(self._data, start)

    def finish(self) -> None:
        """Make sure that nothing is left."""
        if self._at != self._end:
            raise PeerError(FRAME_ERROR, "method goes on behind its arguments")
