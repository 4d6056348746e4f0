"""The arguments of queues and consumers: which are known, and what they must look like (RabbitMQ's).

An argument that nobody knows is kept and has no effect, as in RabbitMQ. One that is known and would change how
messages are delivered, but is not supported, is refused: a client must not believe that it has an effect.
"""

from decimal import Decimal
from typing import Final

from core.model.errors import Invalid, Unsupported
from core.model.properties import Headers, Timestamp, Value

MAX_LENGTH: Final = "x-max-length"
MAX_LENGTH_BYTES: Final = "x-max-length-bytes"
OVERFLOW: Final = "x-overflow"
QUEUE_TYPE: Final = "x-queue-type"
QUEUE_MODE: Final = "x-queue-mode"
QUEUE_VERSION: Final = "x-queue-version"
EXPIRES: Final = "x-expires"
MAX_PRIORITY: Final = "x-max-priority"
MOST_PRIORITIES: Final = 255  # as RabbitMQ
PRIORITY: Final = "x-priority"

REFUSE_WHEN_FULL: Final = "reject-publish"  # a value of `x-overflow`
_OVERFLOWS: Final = ("drop-head", REFUSE_WHEN_FULL)
_DEAD_LETTERING_OVERFLOW: Final = "reject-publish-dlx"
_OTHER_QUEUE_TYPES: Final = frozenset({"quorum", "stream"})

_QUEUE_MODES: Final = ("default", "lazy")  # how RabbitMQ stores a queue: without effect here
_QUEUE_VERSIONS: Final = (1, 2)  # likewise

_COUNTS: Final = (MAX_LENGTH, MAX_LENGTH_BYTES, "x-message-ttl", EXPIRES, MAX_PRIORITY, QUEUE_VERSION)
_TEXTS: Final = (OVERFLOW, QUEUE_TYPE, QUEUE_MODE, "x-dead-letter-exchange", "x-dead-letter-routing-key")
_FLAGS: Final = ("x-single-active-consumer",)

_UNSUPPORTED: Final = (
    "x-message-ttl",
    EXPIRES,
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    MAX_PRIORITY,
    "x-single-active-consumer",
)

# Arguments of RabbitMQ's quorum queues and streams, which it refuses for a classic queue.
_OF_OTHER_QUEUE_TYPES: Final = (
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-initial-cluster-size",
    "x-max-age",
    "x-max-in-memory-bytes",
    "x-max-in-memory-length",
    "x-quorum-initial-group-size",
    "x-stream-filter-size-bytes",
    "x-stream-max-segment-size-bytes",
)


def check_queue_arguments(what: str, arguments: Headers) -> None:
    """Refuse arguments that are wrong or not supported for a queue; `what` names it in the error's text."""
    for name in arguments:
        value = arguments[name]
        if name in _COUNTS:
            _check_count(name, value, what)
        elif name in _TEXTS:
            if not isinstance(value, str):
                raise _invalid(name, what, f"{{unacceptable_type,{type_name(value)}}}")
        elif name in _FLAGS and not isinstance(value, bool):
            raise _invalid(name, what, f"{{unacceptable_type,{type_name(value)}}}")
        if name in _UNSUPPORTED and value is not False:  # false asks for what happens anyway
            raise unsupported(name, what)
    _check_overflow(arguments, what)
    mode, version = arguments.get(QUEUE_MODE), arguments.get(QUEUE_VERSION)
    if mode is not None and mode not in _QUEUE_MODES:
        raise _invalid(QUEUE_MODE, what, f"\"unsupported queue mode '{mode}'\"")
    if version is not None and version not in _QUEUE_VERSIONS:
        raise _invalid(QUEUE_VERSION, what, f"\"unsupported queue version '{version}'\"")
    queue_type = arguments.get(QUEUE_TYPE, "classic")
    if queue_type in _OTHER_QUEUE_TYPES:
        raise unsupported(f"{QUEUE_TYPE}: {queue_type}", what)
    if queue_type != "classic":
        raise _invalid(QUEUE_TYPE, what, f"\"unsupported queue type '{queue_type}'\"")
    for name in _OF_OTHER_QUEUE_TYPES:
        if name in arguments:
            raise Invalid(f"invalid arg '{name}' for {what} of queue type classic")


def _check_count(name: str, value: Value, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(name, what, f'"expected integer, got {type_name(value)}"')
    if value < 0:
        raise _invalid(name, what, f"{{value_negative,{value}}}")
    if value == 0 and name == EXPIRES:
        raise _invalid(name, what, "{value_zero,0}")
    if value > MOST_PRIORITIES and name == MAX_PRIORITY:
        raise _invalid(name, what, f"{{max_value_exceeded,{value}}}")


def _check_overflow(arguments: Headers, what: str) -> None:
    overflow = arguments.get(OVERFLOW)
    if overflow == _DEAD_LETTERING_OVERFLOW:
        raise unsupported(f"{OVERFLOW}: {overflow}", what)
    if overflow is not None and overflow not in _OVERFLOWS:
        raise _invalid(OVERFLOW, what, "invalid_overflow")


def check_consumer_arguments(what: str, arguments: Headers) -> None:
    """Refuse arguments that are wrong or not supported for a consumer of the queue `what`."""
    if PRIORITY not in arguments:
        return
    value = arguments[PRIORITY]
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(PRIORITY, what, f'"expected integer, got {type_name(value)}"')
    if value != 0:
        raise unsupported(PRIORITY, what)


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
    if isinstance(value, int):  # the width that it came in is not known any more
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
