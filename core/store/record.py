"""A message as a record: what a queue needs to deliver it again in another process.

    CRC-32C  4 octets, of all that follows
    head     version, QoS, kind of properties, flags, expiry (seconds since the epoch, 0 for never), five lengths
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
from core.store.sealing import SEAL_BYTES, seal, unseal
from core.store.values import dump, load
from core.timers import Clock

VERSION: Final = 1
RETAIN: Final = 1  # flag: the publisher asked for a copy to be retained
RETAINED: Final = 2  # flag: this is that copy

_HEAD: Final = struct.Struct(">BBBBdHHIII")
HEAD_BYTES: Final = _HEAD.size


class Codec:
    """Turns messages into records and back, at the clock's time."""

    def __init__(self, natives: Natives, clock: Clock) -> None:
        self._natives = natives
        self._clock = clock

    def encode(self, message: Message, expires_at: float, note: bytes = b"") -> bytes:
        """Return the record of a message that expires then, in monotonic seconds; 0 means never."""
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
            exchange_bytes,
            len(where) - 2 - exchange_bytes,
            len(said),
            len(rare),
            len(note),
        )
        return seal(b"".join((head, where[2:], said, rare, note, message.body)))

    def decode(self, record: bytes) -> Message:
        """Return the message of a record, or raise Damaged."""
        content = unseal(record)
        try:
            version, qos, kind, flags, expires_at, exchange_bytes, key_bytes, said_bytes, rare_bytes, note_bytes = (
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

    def note_of(self, record: bytes) -> bytes:
        """Return the note in a record that `decode` has found whole."""
        lengths = _HEAD.unpack_from(record, SEAL_BYTES)[5:]
        end = SEAL_BYTES + HEAD_BYTES + int(sum(lengths))
        return record[end - int(lengths[-1]) : end]

    def _wall(self, expires_at: float) -> float:
        return self._clock.wall + (expires_at - self._clock.now) if expires_at else 0.0

    def _monotonic(self, expires_at: float) -> float:
        """Return the deadline in this process; one that has passed is long past but not 0, which means never."""
        if not expires_at:
            return 0.0
        return (self._clock.now + (expires_at - self._clock.wall)) or -1.0
