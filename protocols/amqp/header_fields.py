"""Fields of a header table inside a content header frame, found and changed without decoding the rest (AMQP 0-9-1 §4.2.6.1).

The frame is as `AmqpNative` keeps it: from its size to its end octet, and checked. Fields are those of the table itself,
not of tables inside it.
"""

from typing import Final

from protocols.amqp.errors import PRECONDITION_FAILED, PeerError
from protocols.amqp.header_layout import CONTENT_ENCODING, CONTENT_TYPE, FLAGS_AT, HEADERS, VALUES_AT
from protocols.amqp.table import after_value

COPIES: Final = b"CC"  # also how `BLIND_COPIES` ends, so that one search of the bytes finds that there is neither
BLIND_COPIES: Final = b"BCC"
DELIVERY_COUNT: Final = b"x-delivery-count"

_ARRAY: Final = 0x41
_LONGSTR: Final = 0x53
_EMPTY_TABLE: Final = bytes(4)

# What RabbitMQ calls the types, in the texts of its errors.
_TYPE_NAMES: Final = {
    "t": "bool",
    "b": "byte",
    "B": "unsignedbyte",
    "s": "short",
    "u": "unsignedshort",
    "I": "signedint",
    "i": "unsignedint",
    "l": "long",
    "L": "long",
    "f": "float",
    "d": "double",
    "D": "decimal",
    "S": "longstr",
    "x": "binary",
    "A": "array",
    "T": "timestamp",
    "F": "table",
    "V": "void",
}


def find_field(frame: bytes, table_at: int, name: bytes) -> int:
    """Return where the value of the first field called `name` begins, with its type octet; 0 when there is none."""
    at = table_at + 4
    end = at + int.from_bytes(frame[table_at:at], "big")
    while at < end:
        value_at = at + 1 + frame[at]
        if frame[at + 1 : value_at] == name:
            return value_at
        at = after_value(frame, value_at)
    return 0


def copies(frame: bytes, table_at: int) -> tuple[str, ...]:
    """Return the routing keys in `CC` and `BCC`, each once (RabbitMQ "Sender-selected Distribution").

    Anything but an array of them is refused; items that are no text, and so no key, are passed over, as RabbitMQ does.
    """
    keys: dict[str, None] = {}
    for name in (COPIES, BLIND_COPIES):
        at = find_field(frame, table_at, name)
        if not at:
            continue
        if frame[at] != _ARRAY:
            kind = _TYPE_NAMES[chr(frame[at])]
            text = f'invalid message: {{unacceptable_type_in_header,"{name.decode()}",{kind}}}'
            raise PeerError(PRECONDITION_FAILED, text)
        end = after_value(frame, at)
        at += 5
        while at < end:
            after = after_value(frame, at)
            if frame[at] == _LONGSTR:
                _add_key(keys, frame[at + 5 : after])
            at = after
    return tuple(keys)


def _add_key(keys: dict[str, None], octets: bytes) -> None:
    try:
        keys[octets.decode()] = None
    except UnicodeDecodeError:
        return  # no binding key is like it: those are short strings, which must be UTF-8


def with_field(frame: bytes, name: bytes, value: bytes) -> bytes:
    """Return the frame with a field more, or another value for it; `value` has its type octet.

    The fields are sorted by name then, as RabbitMQ does when it adds one.
    """
    field = b"".join([bytes([len(name)]), name, value])
    flags = frame[FLAGS_AT] << 8 | frame[FLAGS_AT + 1]
    at = _table_at(frame, flags)
    if flags & HEADERS:
        fields = [*_without(frame, at, name), field]
        fields.sort(key=_name)
        return _replaced(frame, at, b"".join(fields))
    values = b"".join([frame[VALUES_AT:at], _EMPTY_TABLE, frame[at:]])
    bare = b"".join([frame[:FLAGS_AT], (flags | HEADERS).to_bytes(2, "big"), values])
    return _replaced(bare, at, field)


def without_field(frame: bytes, table_at: int, name: bytes) -> bytes:
    """Return the frame without the fields called `name`."""
    return _replaced(frame, table_at, b"".join(_without(frame, table_at, name)))


def with_shortstr(frame: bytes, at: int, text: bytes) -> bytes:
    """Return the frame with another text for the short string at `at`."""
    after = at + 1 + frame[at]
    return _resized(b"".join([frame[:at], bytes([len(text)]), text, frame[after:]]))


def _table_at(frame: bytes, flags: int) -> int:
    at = VALUES_AT
    if flags & CONTENT_TYPE:
        at += 1 + frame[at]
    if flags & CONTENT_ENCODING:
        at += 1 + frame[at]
    return at


def _name(field: bytes) -> bytes:
    return field[1 : 1 + field[0]]


def _without(frame: bytes, table_at: int, name: bytes) -> list[bytes]:
    """Return the fields of the table but those called `name`."""
    at = table_at + 4
    end = at + int.from_bytes(frame[table_at:at], "big")
    kept: list[bytes] = []
    while at < end:
        value_at = at + 1 + frame[at]
        after = after_value(frame, value_at)
        if frame[at + 1 : value_at] != name:
            kept.append(frame[at:after])
        at = after
    return kept


def _replaced(frame: bytes, table_at: int, fields: bytes) -> bytes:
    after = table_at + 4 + int.from_bytes(frame[table_at : table_at + 4], "big")
    return _resized(b"".join([frame[:table_at], len(fields).to_bytes(4, "big"), fields, frame[after:]]))


def _resized(frame: bytes) -> bytes:
    return (len(frame) - 5).to_bytes(4, "big") + frame[4:]  # what is not payload in it: size and end octet
