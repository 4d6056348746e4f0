"""The arguments of queues and consumers: which are known, and what they must look like (RabbitMQ 3.10's).

An argument that nobody knows is kept and has no effect, as in RabbitMQ. One that is known and would change how
messages are delivered, but is not supported, is refused: a client must not believe that it has an effect.
"""

from decimal import Decimal
from typing import Final

from core.model.errors import Invalid, Unsupported
from core.model.properties import Headers, Timestamp, Value
from core.model.widths import WIDTH_NAMES

CANCEL_ON_FAILOVER: Final = "x-cancel-on-ha-failover"
DEAD_LETTER_EXCHANGE: Final = "x-dead-letter-exchange"
DEAD_LETTER_ROUTING_KEY: Final = "x-dead-letter-routing-key"
DEAD_LETTER_STRATEGY: Final = "x-dead-letter-strategy"
DELIVERY_LIMIT: Final = "x-delivery-limit"
EXPIRES: Final = "x-expires"
INITIAL_GROUP_SIZE: Final = "x-quorum-initial-group-size"
LEADER_LOCATOR: Final = "x-queue-leader-locator"
MASTER_LOCATOR: Final = "x-queue-master-locator"
MAX_IN_MEMORY_BYTES: Final = "x-max-in-memory-bytes"
MAX_IN_MEMORY_LENGTH: Final = "x-max-in-memory-length"
MAX_LENGTH: Final = "x-max-length"
MAX_LENGTH_BYTES: Final = "x-max-length-bytes"
MAX_PRIORITY: Final = "x-max-priority"
MESSAGE_TTL: Final = "x-message-ttl"
OVERFLOW: Final = "x-overflow"
PRIORITY: Final = "x-priority"
QUEUE_MODE: Final = "x-queue-mode"
QUEUE_TYPE: Final = "x-queue-type"
QUEUE_VERSION: Final = "x-queue-version"
SELECTOR: Final = "x-selector"  # of a consumer; not RabbitMQ's
SINGLE_ACTIVE_CONSUMER: Final = "x-single-active-consumer"

CLASSIC: Final = "classic"  # values of `x-queue-type`
QUORUM: Final = "quorum"
STREAM: Final = "stream"
REFUSE_WHEN_FULL: Final = "reject-publish"  # values of `x-overflow`
REFUSE_WHEN_FULL_DLX: Final = "reject-publish-dlx"
MOST_PRIORITIES: Final = 255
LONGEST_MS: Final = 315_360_000_000  # ten years

# What each type of queue knows: what has a meaning, and what RabbitMQ's clusters and disks know but has no effect here.
# In RabbitMQ's order: of several that are wrong the first is named.
KNOWN: Final[dict[str, tuple[str, ...]]] = {
    CLASSIC: (
        EXPIRES,
        MESSAGE_TTL,
        DEAD_LETTER_EXCHANGE,
        DEAD_LETTER_ROUTING_KEY,
        MAX_LENGTH,
        MAX_LENGTH_BYTES,
        MAX_PRIORITY,
        OVERFLOW,
        QUEUE_MODE,
        QUEUE_VERSION,
        SINGLE_ACTIVE_CONSUMER,
        QUEUE_TYPE,
        MASTER_LOCATOR,
    ),
    QUORUM: (
        EXPIRES,
        MESSAGE_TTL,
        DEAD_LETTER_EXCHANGE,
        DEAD_LETTER_ROUTING_KEY,
        DEAD_LETTER_STRATEGY,
        MAX_LENGTH,
        MAX_LENGTH_BYTES,
        MAX_IN_MEMORY_LENGTH,
        MAX_IN_MEMORY_BYTES,
        OVERFLOW,
        DELIVERY_LIMIT,
        SINGLE_ACTIVE_CONSUMER,
        QUEUE_TYPE,
        INITIAL_GROUP_SIZE,
        LEADER_LOCATOR,
    ),
}
# Of several that differ from the queue that exists the first is named, and for `quorum` that is another order.
COMPARED: Final[dict[str, tuple[str, ...]]] = {
    CLASSIC: KNOWN[CLASSIC],
    QUORUM: (
        DEAD_LETTER_EXCHANGE,
        DEAD_LETTER_ROUTING_KEY,
        DEAD_LETTER_STRATEGY,
        EXPIRES,
        MAX_LENGTH,
        MAX_LENGTH_BYTES,
        MAX_IN_MEMORY_LENGTH,
        MAX_IN_MEMORY_BYTES,
        OVERFLOW,
        SINGLE_ACTIVE_CONSUMER,
        QUEUE_TYPE,
        INITIAL_GROUP_SIZE,
        DELIVERY_LIMIT,
        MESSAGE_TTL,
        LEADER_LOCATOR,
    ),
}
_OF_STREAMS: Final = (
    "x-initial-cluster-size",
    "x-max-age",
    "x-stream-filter-size-bytes",
    "x-stream-max-segment-size-bytes",
)
_OF_SOME_TYPE: Final = frozenset((*KNOWN[CLASSIC], *KNOWN[QUORUM], *_OF_STREAMS))

_COUNTS: Final = (
    EXPIRES,
    INITIAL_GROUP_SIZE,
    MAX_IN_MEMORY_BYTES,
    MAX_IN_MEMORY_LENGTH,
    MAX_LENGTH,
    MAX_LENGTH_BYTES,
    MAX_PRIORITY,
    MESSAGE_TTL,
    QUEUE_VERSION,
)
_ABOVE_ZERO: Final = (EXPIRES, INITIAL_GROUP_SIZE)
_SPANS: Final = (EXPIRES, MESSAGE_TTL)
_TEXTS: Final = (DEAD_LETTER_ROUTING_KEY, DEAD_LETTER_STRATEGY, LEADER_LOCATOR, OVERFLOW, QUEUE_MODE)
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    DEAD_LETTER_STRATEGY: ("at-most-once", "at-least-once"),
    LEADER_LOCATOR: ("client-local", "balanced"),
    OVERFLOW: ("drop-head", REFUSE_WHEN_FULL, REFUSE_WHEN_FULL_DLX),
}
_WRONG_CHOICE: Final[dict[str, str]] = {
    DEAD_LETTER_STRATEGY: "invalid_dlx_strategy",
    LEADER_LOCATOR: "invalid_queue_locator_arg",
    OVERFLOW: "invalid_overflow",
}
_QUEUE_MODES: Final = ("default", "lazy")  # how RabbitMQ stores a queue: without effect here
_QUEUE_VERSIONS: Final = (1, 2)  # likewise


def check_dead_letter_exchange(what: str, arguments: Headers) -> str | None:
    """Return the name of a new queue's dead-letter exchange, if it wants one."""
    if DEAD_LETTER_EXCHANGE not in arguments:
        return None
    name = arguments[DEAD_LETTER_EXCHANGE]
    if not isinstance(name, str):
        raise Invalid(f"invalid type '{type_name(name)}' for arg '{DEAD_LETTER_EXCHANGE}' in {what}")
    return name


def check_may_be_unnamed(arguments: Headers) -> None:
    """Refuse to find a name for a queue that must be found again by its own."""
    if arguments.get(QUEUE_TYPE) == QUORUM:
        raise Invalid(f"Cannot declare a server-named queue for type {QUORUM}")


def check_queue_arguments(what: str, arguments: Headers, *, durable: bool, exclusive: bool, auto_delete: bool) -> None:
    """Refuse arguments that are wrong or not supported for a new queue, which `what` names in the error's text."""
    queue_type = _queue_type(what, arguments)
    known = KNOWN[queue_type]
    for name in arguments:
        if name in _OF_SOME_TYPE and name not in known:
            raise Invalid(f"invalid arg '{name}' for {what} of queue type {queue_type}")
    for name in known:
        if name in arguments:
            _check(name, arguments[name], what)
    if DEAD_LETTER_ROUTING_KEY in arguments and DEAD_LETTER_EXCHANGE not in arguments:
        raise _invalid(DEAD_LETTER_ROUTING_KEY, what, "routing_key_but_no_dlx_defined")
    if queue_type == QUORUM:
        _check_quorum(what, durable=durable, exclusive=exclusive, auto_delete=auto_delete)


def _check_quorum(what: str, *, durable: bool, exclusive: bool, auto_delete: bool) -> None:
    if auto_delete:
        raise Invalid(f"invalid property 'auto-delete' for {what}")
    if exclusive:
        raise Invalid(f"invalid property 'exclusive-owner' for {what}")
    if not durable:
        raise Invalid(f"invalid property 'non-durable' for {what}")


def _queue_type(what: str, arguments: Headers) -> str:
    if QUEUE_TYPE not in arguments:
        return CLASSIC
    queue_type = arguments[QUEUE_TYPE]
    if not isinstance(queue_type, str):
        raise _unacceptable(QUEUE_TYPE, what, queue_type)
    if queue_type == STREAM:
        raise unsupported(f"{QUEUE_TYPE}: {queue_type}", what)
    if queue_type not in KNOWN:
        raise _invalid(QUEUE_TYPE, what, f"\"unsupported queue type '{queue_type}'\"")
    return queue_type


def _check(name: str, value: Value, what: str) -> None:
    if name in _COUNTS:
        _check_count(name, value, what)
    elif (name in _TEXTS and not isinstance(value, str)) or (
        name == SINGLE_ACTIVE_CONSUMER and not isinstance(value, bool)
    ):
        raise _unacceptable(name, what, value)
    if name in _CHOICES and value not in _CHOICES[name]:
        raise _invalid(name, what, _WRONG_CHOICE[name])
    if name == QUEUE_MODE and value not in _QUEUE_MODES:
        raise _invalid(name, what, f"\"unsupported queue mode '{value}'\"")
    if name == QUEUE_VERSION and value not in _QUEUE_VERSIONS:
        raise _invalid(name, what, f"\"unsupported queue version '{value}'\"")


def _check_count(name: str, value: Value, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(name, what, f'"expected integer, got {type_name(value)}"')
    if value < 0:
        raise _invalid(name, what, f"{{value_negative,{value}}}")
    if value == 0 and name in _ABOVE_ZERO:
        raise _invalid(name, what, "{value_zero,0}")
    if value > LONGEST_MS and name in _SPANS:
        raise _invalid(name, what, f"{{value_too_large,{value}}}")
    if value > MOST_PRIORITIES and name == MAX_PRIORITY:
        raise _invalid(name, what, f"{{max_value_exceeded,{value}}}")


def check_consumer_arguments(what: str, arguments: Headers) -> int:
    """Refuse arguments that are wrong for a consumer of the queue `what`. Returns its priority."""
    if CANCEL_ON_FAILOVER in arguments and not isinstance(arguments[CANCEL_ON_FAILOVER], bool):
        raise _unacceptable(CANCEL_ON_FAILOVER, what, arguments[CANCEL_ON_FAILOVER])
    if "x-stream-offset" in arguments:
        raise Invalid(f"invalid arg 'x-stream-offset' for {what} of queue type classic")
    if SELECTOR in arguments and not isinstance(arguments[SELECTOR], str):
        raise _unacceptable(SELECTOR, what, arguments[SELECTOR])
    if PRIORITY not in arguments:
        return 0
    priority = arguments[PRIORITY]
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise _invalid(PRIORITY, what, f'"expected integer, got {type_name(priority)}"')
    return priority


def _unacceptable(name: str, what: str, value: Value) -> Invalid:
    return _invalid(name, what, f"{{unacceptable_type,{type_name(value)}}}")


def _invalid(name: str, what: str, reason: str) -> Invalid:
    return Invalid(f"invalid arg '{name}' for {what}: {reason}")


def unsupported(name: str, what: str) -> Unsupported:
    """Return the refusal of an argument that would change what happens, but is not served."""
    return Unsupported(f"arg '{name}' for {what} is not supported")


def type_name(value: Value) -> str:
    """Return what RabbitMQ calls the type of a value in a table."""
    if value is None:
        return "void"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)) and type(value) in WIDTH_NAMES:
        return WIDTH_NAMES[type(value)]
    if isinstance(value, int):
        return "signedint" if -(1 << 31) <= value < 1 << 31 else "long"
    if isinstance(value, str):
        return "longstr"
    if isinstance(value, float):
        return "double"
    if isinstance(value, Decimal):
        return "decimal"
    if isinstance(value, Timestamp):
        return "timestamp"
    if isinstance(value, list):
        return "array"
    return "table" if isinstance(value, dict) else "binary"
