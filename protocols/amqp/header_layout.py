"""Where what is in a content header frame, behind its channel number, and the flags of its properties (AMQP 0-9-1 §4.2.6.1)."""

from typing import Final

BASIC_CLASS: Final = 60
CLASS_AND_WEIGHT: Final = b"\x00\x3c\x00\x00"
CLASS_AT: Final = 4  # behind the frame's size, and so on
BODY_SIZE_AT: Final = 8
FLAGS_AT: Final = 16
VALUES_AT: Final = 18

# The flags, the first property in the highest bit.
CONTENT_TYPE: Final = 1 << 15
CONTENT_ENCODING: Final = 1 << 14
HEADERS: Final = 1 << 13
DELIVERY_MODE: Final = 1 << 12
PRIORITY: Final = 1 << 11
CORRELATION_ID: Final = 1 << 10
REPLY_TO: Final = 1 << 9
EXPIRATION: Final = 1 << 8
MESSAGE_ID: Final = 1 << 7
TIMESTAMP: Final = 1 << 6
TYPE: Final = 1 << 5
USER_ID: Final = 1 << 4
APP_ID: Final = 1 << 3
CLUSTER_ID: Final = 1 << 2
UNKNOWN: Final = 0b11  # the lowest bit announces more flags, and there are no more properties

TRANSIENT: Final = 1  # values of delivery_mode
PERSISTENT: Final = 2
SHORT_LIMIT_BYTES: Final = 255  # of a short string
TIMESTAMP_LIMIT_S: Final = 0xFFFF_FFFF_FFFF_FFFF

# Headers for what AMQP has no property for (docs/conversions.md).
REPLY_TO_TOPIC: Final = "x-reply-to-topic"
LONG_CORRELATION: Final = "x-correlation-id"


def fits_shortstr(text: str) -> bool:
    """Tell whether a short string holds the text."""
    return len(text) <= SHORT_LIMIT_BYTES and len(text.encode()) <= SHORT_LIMIT_BYTES
