"""Names: what is reserved, what is predeclared, and what a name may look like."""

from typing import Final

from core.model.errors import Denied, Invalid

DEFAULT_VHOST: Final = "/"
DEFAULT_EXCHANGE: Final = ""
REPLY_QUEUE: Final = "amq.rabbitmq.reply-to"  # stands for whoever asked (RabbitMQ "Direct Reply-to")
TOPIC_SPACE: Final = "amq.topic"  # the exchange that holds the topic space of all protocols
STATUS_TOPIC: Final = "$SYS"  # its first level for what the broker says of itself, and nobody else publishes to
RESERVED_PREFIX: Final = "amq."

NAME_LIMIT_BYTES: Final = 255  # AMQP 0-9-1 §4.2.5.3: a short string
TOPIC_LEVELS_LIMIT: Final = 128

# (name, type) of what every virtual host has from the start (RabbitMQ's list).
PREDECLARED_EXCHANGES: Final[tuple[tuple[str, str], ...]] = (
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    (TOPIC_SPACE, "topic"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    ("amq.rabbitmq.trace", "topic"),
)


def check_name(kind: str, name: str) -> None:
    """Refuse a name that no protocol could say."""
    if len(name.encode()) > NAME_LIMIT_BYTES:
        raise Invalid(f"{kind} name of {len(name.encode())} bytes is longer than {NAME_LIMIT_BYTES}")
    if "\0" in name:
        raise Invalid(f"{kind} name {name!r} contains a NUL character")


def check_not_reserved(kind: str, name: str) -> None:
    """Refuse to create a name under the broker's own prefix."""
    if name.startswith(RESERVED_PREFIX):
        raise Denied(f"{kind} name '{name}' contains reserved prefix 'amq.*'")


def is_status(key: str) -> bool:
    """Whether a key of the topic space is one that only the broker publishes with."""
    return key.startswith(STATUS_TOPIC) and key.partition(".")[0] == STATUS_TOPIC
