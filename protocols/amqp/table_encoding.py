"""Field tables as AMQP writes them: each value in the type that it came in, and the nearest for one of other protocols.

The reverse of `decode_table`; nothing here is refused, because what the core holds came from a checked table, another
protocol's headers or the broker itself.
"""

import struct
from decimal import Decimal
from typing import Final

from core.model.properties import Headers, Timestamp, Value
from core.model.widths import Byte, Long, LongString, Short, Single, UnsignedByte, UnsignedInt, UnsignedShort

# Of the integers that are not just `int`: type octet, bytes, whether there is a sign.
_INTEGERS: Final[dict[type, tuple[bytes, int, bool]]] = {
    Byte: (b"b", 1, True),
    UnsignedByte: (b"B", 1, False),
    Short: (b"s", 2, True),
    UnsignedShort: (b"u", 2, False),
    UnsignedInt: (b"i", 4, False),
    Long: (b"l", 8, True),
}


def encode_table(table: Headers) -> bytes:
    """Encode a table whose names fit into short strings. A number that no type holds is written as text."""
    parts: list[bytes] = []
    for name, value in table.items():
        key = name.encode()
        parts.append(bytes([len(key)]))
        parts.append(key)
        parts.append(encode_value(value))
    return _sized(b"".join(parts))


def encode_value(value: Value) -> bytes:
    """Encode one value of a table, with its type octet."""
    if value is None:
        return b"V"
    if isinstance(value, bool):
        return b"t\x01" if value else b"t\x00"
    width = _INTEGERS.get(type(value))  # asked first: compiled, what is known to be an `int` has no other type
    if width is not None:
        kind, size, signed = width
        return kind + int(value).to_bytes(size, "big", signed=signed)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, str):
        return b"S" + _sized(value.encode())
    if isinstance(value, (bytes, bytearray)):
        return (b"S" if isinstance(value, LongString) else b"x") + _sized(bytes(value))
    if isinstance(value, float):
        return b"f" + struct.pack(">f", value) if isinstance(value, Single) else b"d" + struct.pack(">d", value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, Timestamp):
        return b"T" + min(value.seconds, 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "big")
    if isinstance(value, list):
        return b"A" + _sized(b"".join([encode_value(item) for item in value]))
    if isinstance(value, dict):
        return b"F" + encode_table(value)
    raise AssertionError(f"{type(value).__name__} is not a value of the core's headers")


def _sized(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def _integer(value: int) -> bytes:
    if -0x8000_0000 <= value < 0x8000_0000:
        return b"I" + value.to_bytes(4, "big", signed=True)
    if -0x8000_0000_0000_0000 <= value < 0x8000_0000_0000_0000:
        return b"l" + value.to_bytes(8, "big", signed=True)
    return encode_value(str(value))


def _decimal(value: Decimal) -> bytes:
    if value.is_finite():
        sign, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        scale = max(0, -exponent)
        if scale <= 0xFF and exponent <= 9 and len(digits) <= 10:
            mantissa: int = int("".join(map(str, digits))) * 10 ** max(0, exponent) * (-1 if sign else 1)
            if -0x8000_0000 <= mantissa < 0x8000_0000:
                return b"D" + bytes([scale]) + mantissa.to_bytes(4, "big", signed=True)
    return encode_value(format(value, "f") if value.is_finite() else str(value))
