"""MESSAGE frames of one subscription (STOMP 1.2 "MESSAGE").

Most of a frame is the same as in the one before: what comes from the subscription, the address and the properties is
kept as one piece, and a frame is that piece, a number, a length and the body.
"""

from core.model.message import Address, Message
from core.model.names import DEFAULT_EXCHANGE
from core.model.properties import NO_PROPERTIES, Native
from protocols.connection import COPY_LIMIT_BYTES
from protocols.stomp.destinations import address_line
from protocols.stomp.speaker import Speaker
from protocols.stomp.translate import message_lines
from protocols.stomp.versions import V1_2


class MessageWriter:
    """Writes messages to the client and numbers them. `name` and the number are the message's id."""

    def __init__(self, speaker: Speaker, name: bytes, subscription_line: bytes, *, acknowledged: bool) -> None:
        self.count = 0  # the number of the last message
        self._speaker = speaker
        self.name = name
        self.where = b""  # the `destination` header, where it is not that of the message
        self._start = b"MESSAGE\n" + subscription_line
        self._first = b"redelivered:false\n" if speaker.dialect.says_first_delivery else b""
        self._ack = b"\nack:" + name if acknowledged and speaker.version == V1_2 else b""
        # The last message's, kept for the next one:
        self._native: Native = NO_PROPERTIES
        self._address = Address(DEFAULT_EXCHANGE, "")
        self._durable = False
        self._head = b""
        self._length = -1
        self._tail = b""

    def write(self, message: Message, *, redelivered: bool, attempts: int) -> None:
        """Write a MESSAGE frame with the next number. `attempts`: deliveries so far, with this one."""
        self.count += 1
        durable = message.qos > 0
        if message.native is not self._native or message.address is not self._address or durable != self._durable:
            self._remember(message, durable)
        head = self._head
        if redelivered or message.expires_at != 0.0:
            head = self._rare_head(message, redelivered, attempts)
        number = str(self.count).encode()
        body = message.body
        length = len(body)
        if length != self._length:
            self._length = length
            self._tail = b"\ncontent-length:" + str(length).encode() + b"\n\n"
        if length > COPY_LIMIT_BYTES:
            if self._ack:
                number = number + self._ack + number
            self._speaker.write(head + number + self._tail)
            self._speaker.write(body)
            self._speaker.write(b"\0")
        elif self._ack:
            self._speaker.write(b"".join([head, number, self._ack, number, self._tail, body, b"\0"]))
        else:
            self._speaker.write(b"".join([head, number, self._tail, body, b"\0"]))

    def write_end(self, queue_name: str) -> None:
        """Tell that a browser has seen all there is: a frame without a body, as ActiveMQ writes it."""
        speaker = self._speaker
        where = address_line(Address(DEFAULT_EXCHANGE, queue_name), speaker.version, speaker.dialect)
        speaker.write(b"".join([self._start, where, b"message-id:0\nbrowser:end\n\n\0"]))

    def _remember(self, message: Message, durable: bool) -> None:
        self._native = message.native
        self._address = message.address
        self._durable = durable
        self._head = self._whole_head(message, self._first)

    def _rare_head(self, message: Message, redelivered: bool, attempts: int) -> bytes:
        speaker = self._speaker
        lines = self._first
        if redelivered:
            lines = b"redelivered:true\n"
            if attempts > 1:
                lines += speaker.dialect.count_line(attempts)
        if message.expires_at != 0.0:
            clock = speaker.broker.clock
            expires_ms = int((clock.wall + message.expires_at - clock.now) * 1000)
            lines += b"expires:" + str(expires_ms).encode() + b"\n"
        return self._whole_head(message, lines)

    def _whole_head(self, message: Message, lines: bytes) -> bytes:
        speaker = self._speaker
        dialect = speaker.dialect
        where = self.where or address_line(message.address, speaker.version, dialect)
        said = message_lines(message, speaker.version, dialect, speaker.broker.counters)
        if message.qos > 0:
            lines += b"persistent:true\n"
        if dialect.says_defaults and message.expires_at == 0.0:
            lines += b"expires:0\n"
        return b"".join([self._start, where, lines, said, b"message-id:", self.name])
