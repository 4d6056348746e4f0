"""Numbers and octets of a header table that remember which of several types of AMQP they came in (RabbitMQ's field types).

Everybody else sees plain numbers and bytes. AMQP writes them back as they were: a Java client's `Long` stays one. Plain
integers are written in the narrowest of signed 32 and 64 bits.
"""

from typing import Final

from mypy_extensions import mypyc_attr


@mypyc_attr(native_class=False)
class Byte(int):
    """A signed integer of 8 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class UnsignedByte(int):
    """An unsigned integer of 8 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Short(int):
    """A signed integer of 16 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class UnsignedShort(int):
    """An unsigned integer of 16 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class UnsignedInt(int):
    """An unsigned integer of 32 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Long(int):
    """A signed integer of 64 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Single(float):
    """A floating-point number of 32 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class LongString(bytes):
    """A long string that is no text."""

    __slots__ = ()


WIDTH_NAMES: Final[dict[type, str]] = {  # RabbitMQ's words for them, in the texts of errors
    Byte: "byte",
    UnsignedByte: "unsignedbyte",
    Short: "short",
    UnsignedShort: "unsignedshort",
    UnsignedInt: "unsignedint",
    Long: "long",
    Single: "float",
}
