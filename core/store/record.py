"""A message as the content of a record: what a queue needs to deliver it again in another process.

    head     version, QoS, kind of properties, flags, expiry (seconds since the epoch, 0 for never), when it was stored (whole
             seconds since the epoch; version 1 does not have it), five lengths
    then     exchange, routing key, properties as their protocol received them, what is rarely there (CBOR), the note of
             the way that it came in by (`Sink.stored_note`), body

A deadline is monotonic in a process and wall-clock time on disk: an hour between two processes counts as an hour.
"""

import struct
from typing import Final

from core.model.message import FOR_STORE, Address, Message
from core.model.properties import NATIVE_STATED
from core.store.errors import Damaged
from core.store.natives import Natives
from core.store.values import dump, load
from core.timers import Clock

VERSION: Final = 2
RETAIN: Final = 1  # flag: the publisher asked for a copy to be retained
RETAINED: Final = 2  # flag: this is that copy

_HEAD: Final = struct.Struct(">BBBBdIHHIII")
HEAD_BYTES: Final = _HEAD.size
STORED_AT: Final = 12  # offset in a content of when it was stored
_STORED_AT_MASK: Final = 0xFFFF_FFFF  # until the year 2106
_LENGTHS_FROM: Final = 6  # among the fields of the head
_VERSION_1: Final = b"\x01"
_UNKNOWN: Final = bytes(4)  # when it was stored


class Codec:
    """Turns messages into contents and back, at the clock's time."""

    def __init__(self, natives: Natives, clock: Clock) -> None:
        self._natives = natives
        self._clock = clock

    def encode(self, message: Message, expires_at: float, note: bytes = b"") -> bytes:
        """Return the content for a message that expires then, in monotonic seconds; 0 means never."""
        address = message.address
        where = address.encoded[FOR_STORE]
        if not where:
            exchange = address.exchange.encode()
            where = len(exchange).to_bytes(2, "big") + exchange + address.key.encode()
            address.encoded[FOR_STORE] = where
        native = message.native
        said = dump(native.decode().fields()) if native.kind == NATIVE_STATED else native.stored()
        rare = b""
        if message.also_to or message.forwarded_by:
            rare = dump([list(message.also_to), list(message.forwarded_by)])
        exchange_bytes = int.from_bytes(where[:2], "big")
        head = _HEAD.pack(
            VERSION,
            message.qos,
            native.kind,
            (RETAIN if message.retain else 0) | (RETAINED if message.retained else 0),
            self._wall(expires_at),
            int(self._clock.wall) & _STORED_AT_MASK,
            exchange_bytes,
            len(where) - 2 - exchange_bytes,
            len(said),
            len(rare),
            len(note),
        )
        return b"".join((head, where[2:], said, rare, note, message.body))

    def decode(self, content: bytes) -> Message:
        """Return the message that was encoded, or raise Damaged."""
        if content[:1] == _VERSION_1:
            content = _of_now(content)
        try:
            version, qos, kind, flags, expires_at, _, exchange_bytes, key_bytes, said_bytes, rare_bytes, note_bytes = (
                _HEAD.unpack_from(content)
            )
        except struct.error:
            raise Damaged("shorter than its head") from None
        if version != VERSION:
            raise Damaged(f"record version {version}, this is version {VERSION}")
        key_at = HEAD_BYTES + exchange_bytes
        said_at = key_at + key_bytes
        rare_at = said_at + said_bytes
        note_at = rare_at + rare_bytes
        body_at = note_at + note_bytes
        if body_at > len(content):
            raise Damaged("shorter than its parts")
        try:
            address = Address(content[HEAD_BYTES:key_at].decode(), content[key_at:said_at].decode())
        except UnicodeDecodeError:
            raise Damaged("an address that is no text") from None
        native = self._natives.restore(kind, content[said_at:rare_at])
        message = Message(address, content[body_at:], qos, native)
        message.retain = bool(flags & RETAIN)
        message.retained = bool(flags & RETAINED)
        message.expires_at = self._monotonic(expires_at)
        if rare_bytes:
            also_to, forwarded_by = load(content[rare_at:note_at])
            message.also_to = tuple(also_to)
            message.forwarded_by = tuple(forwarded_by)
        return message

    def note_of(self, content: bytes) -> bytes:
        """Return the note in a content that `decode` has found whole."""
        if content[:1] == _VERSION_1:
            content = _of_now(content)
        lengths = _HEAD.unpack_from(content)[_LENGTHS_FROM:]
        end = HEAD_BYTES + int(sum(lengths))
        return content[end - int(lengths[-1]) : end]

    def body_bytes_of(self, content: bytes) -> int:
        """Return how large the body in a content is; 0 where the content is shorter than its parts."""
        if content[:1] == _VERSION_1:
            content = _of_now(content)
        if len(content) < HEAD_BYTES:
            return 0
        return max(0, len(content) - HEAD_BYTES - int(sum(_HEAD.unpack_from(content)[_LENGTHS_FROM:])))

    def _wall(self, expires_at: float) -> float:
        return self._clock.wall + (expires_at - self._clock.now) if expires_at else 0.0

    def _monotonic(self, expires_at: float) -> float:
        """Return the deadline in this process; one that has passed is long past but not 0, which means never."""
        if not expires_at:
            return 0.0
        return (self._clock.now + (expires_at - self._clock.wall)) or -1.0


def stored_at_of(content: bytes) -> int:
    """Return when a content was stored, in seconds since the epoch; 0 where it does not say."""
    if content[:1] == _VERSION_1:
        return 0
    return int.from_bytes(content[STORED_AT : STORED_AT + 4], "big")


def _of_now(content: bytes) -> bytes:
    """Return what a content of version 1 would be in this version."""
    return VERSION.to_bytes(1, "big") + content[1:STORED_AT] + _UNKNOWN + content[STORED_AT:]
