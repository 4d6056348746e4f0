"""The `x-` arguments of queues, exchanges and consumers: which are known, what they must look like, what they set.

An argument that nobody knows is kept and has no effect, as in RabbitMQ. One that is known and would change how
messages are delivered, but is not supported, is refused: a client must not believe that it has an effect.
"""

from decimal import Decimal
from typing import Final

from core.model.properties import Headers, Timestamp, Value
from core.queueing.credit import UNLIMITED
from core.queueing.queue import DROP_HEAD, REJECT_PUBLISH, Queue
from protocols.amqp.errors import NOT_IMPLEMENTED, PRECONDITION_FAILED, PeerError

MAX_LENGTH: Final = "x-max-length"
MAX_LENGTH_BYTES: Final = "x-max-length-bytes"
OVERFLOW: Final = "x-overflow"
QUEUE_TYPE: Final = "x-queue-type"
EXPIRES: Final = "x-expires"
MAX_PRIORITY: Final = "x-max-priority"
MOST_PRIORITIES: Final = 255  # as RabbitMQ
ALTERNATE_EXCHANGE: Final = "alternate-exchange"
PRIORITY: Final = "x-priority"

_OVERFLOWS: Final[dict[str, int]] = {"drop-head": DROP_HEAD, "reject-publish": REJECT_PUBLISH}
_DEAD_LETTERING_OVERFLOW: Final = "reject-publish-dlx"
_OTHER_QUEUE_TYPES: Final = frozenset({"quorum", "stream"})

_COUNTS: Final = (MAX_LENGTH, MAX_LENGTH_BYTES, "x-message-ttl", EXPIRES, MAX_PRIORITY)
_TEXTS: Final = (OVERFLOW, QUEUE_TYPE, "x-dead-letter-exchange", "x-dead-letter-routing-key")
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
    "x-quorum-initial-group-size",
    "x-stream-filter-size-bytes",
    "x-stream-max-segment-size-bytes",
)


def check_queue_arguments(queue: str, vhost: str, arguments: Headers) -> None:
    """Refuse arguments that are wrong (406) or not supported (540) for a queue of this name."""
    what = f"queue '{queue}' in vhost '{vhost}'"
    for name in arguments:
        value = arguments[name]
        if name in _COUNTS:
            _check_count(name, value, what)
        elif name in _TEXTS:
            if not isinstance(value, str):
                raise _invalid(name, what, f"{{unacceptable_type,{type_name(value)}}}")
        elif name in _FLAGS and not isinstance(value, bool):
            raise _invalid(name, what, f"{{unacceptable_type,{type_name(value)}}}")
        if name in _UNSUPPORTED:
            raise _unsupported(name, what)
    _check_overflow(arguments, what)
    queue_type = arguments.get(QUEUE_TYPE, "classic")
    if queue_type in _OTHER_QUEUE_TYPES:
        raise _unsupported(f"{QUEUE_TYPE}: {queue_type}", what)
    if queue_type != "classic":
        raise _invalid(QUEUE_TYPE, what, f"\"unsupported queue type '{queue_type}'\"")
    for name in _OF_OTHER_QUEUE_TYPES:
        if name in arguments:
            raise PeerError(PRECONDITION_FAILED, f"invalid arg '{name}' for {what} of queue type classic")


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
        raise _unsupported(f"{OVERFLOW}: {overflow}", what)
    if overflow is not None and overflow not in _OVERFLOWS:
        raise _invalid(OVERFLOW, what, "invalid_overflow")


def apply_queue_arguments(queue: Queue, arguments: Headers) -> None:
    """Set the limits of a queue from arguments that were checked."""
    queue.limit_entries = arguments.get(MAX_LENGTH, UNLIMITED)
    queue.limit_bytes = arguments.get(MAX_LENGTH_BYTES, UNLIMITED)
    queue.overflow = _OVERFLOWS[arguments.get(OVERFLOW, "drop-head")]


def check_exchange_arguments(exchange: str, vhost: str, arguments: Headers) -> None:
    """Refuse arguments that are wrong or not supported for an exchange of this name."""
    if ALTERNATE_EXCHANGE not in arguments:
        return
    what = f"exchange '{exchange}' in vhost '{vhost}'"
    value = arguments[ALTERNATE_EXCHANGE]
    if not isinstance(value, str):
        raise PeerError(
            PRECONDITION_FAILED, f"invalid type '{type_name(value)}' for arg '{ALTERNATE_EXCHANGE}' in {what}"
        )
    raise _unsupported(ALTERNATE_EXCHANGE, what)


def check_consumer_arguments(queue: str, vhost: str, arguments: Headers) -> None:
    """Refuse arguments that are wrong or not supported for a consumer of this queue."""
    if PRIORITY not in arguments:
        return
    what = f"queue '{queue}' in vhost '{vhost}'"
    value = arguments[PRIORITY]
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(PRIORITY, what, f'"expected integer, got {type_name(value)}"')
    if value != 0:
        raise _unsupported(PRIORITY, what)


def _invalid(name: str, what: str, reason: str) -> PeerError:
    return PeerError(PRECONDITION_FAILED, f"invalid arg '{name}' for {what}: {reason}")


def _unsupported(name: str, what: str) -> PeerError:
    return PeerError(NOT_IMPLEMENTED, f"arg '{name}' for {what} is not supported")


def type_name(value: Value) -> str:
    """Return what RabbitMQ calls the type of a value in a table."""
    if value is None:
        return "void"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "signedint"
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
