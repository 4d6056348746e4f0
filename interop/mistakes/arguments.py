"""Mistakes in the arguments of queues, bindings and exchanges: their types, their values, and what fits together."""

from typing import Any, Final

from pika.spec import Exchange, Queue

from interop.mistakes.case import Case

DURABLE: Final = {"durable": True, "exclusive": False}
QUORUM: Final = {"x-queue-type": "quorum"}


def _declared(arguments: dict[str, Any], **options: Any) -> Any:
    """Steps that declare the queue and delete it, in case that the broker takes it."""
    return lambda name: [
        Queue.Declare(queue=name, arguments=arguments, **{"exclusive": True, **options}),
        Queue.Delete(queue=name),
    ]


def _redeclared(first: dict[str, Any], second: dict[str, Any]) -> Any:
    return lambda name: [Queue.Declare(queue=name, arguments=given, exclusive=True) for given in (first, second)]


def _bound(exchange: str, arguments: dict[str, Any]) -> Any:
    return lambda name: [
        Queue.Declare(queue=name, exclusive=True),
        Queue.Bind(queue=name, exchange=exchange, arguments=arguments),
    ]


def _quorum(arguments: dict[str, Any], **options: Any) -> Any:
    return _declared({**QUORUM, **arguments}, **{**DURABLE, **options})


WRONG: Final[tuple[tuple[str, Any], ...]] = (
    ("x-message-ttl", "60000"),
    ("x-message-ttl", -1),
    ("x-message-ttl", 0),
    ("x-message-ttl", True),
    ("x-message-ttl", 2**33),
    ("x-message-ttl", None),
    ("x-expires", "60000"),
    ("x-expires", 0),
    ("x-expires", -5),
    ("x-expires", 2**33),
    ("x-max-length", "5"),
    ("x-max-length", -1),
    ("x-max-length", 0),
    ("x-max-length-bytes", "5"),
    ("x-max-length-bytes", -1),
    ("x-overflow", 1),
    ("x-overflow", "drop-tail"),
    ("x-overflow", "reject-publish-dlx"),
    ("x-dead-letter-exchange", 5),
    ("x-dead-letter-exchange", "not.declared"),
    ("x-dead-letter-routing-key", "k"),
    ("x-max-priority", "5"),
    ("x-max-priority", -1),
    ("x-max-priority", 0),
    ("x-max-priority", 255),
    ("x-max-priority", 256),
    ("x-single-active-consumer", "true"),
    ("x-single-active-consumer", 1),
    ("x-delivery-limit", "5"),
    ("x-delivery-limit", 5),
    ("x-queue-mode", 5),
    ("x-queue-mode", "sleepy"),
    ("x-queue-mode", "lazy"),
    ("x-queue-version", 2),
    ("x-queue-version", 9),
    ("x-queue-version", "2"),
    ("x-queue-master-locator", "nowhere"),
    ("x-queue-type", "classic"),
    ("x-queue-type", "magic"),
    ("x-queue-type", 5),
    ("x-queue-type", "quorum"),
    ("x-queue-type", "stream"),
    ("x-max-age", "1D"),
    ("x-unknown", "5"),
)

QUEUES: Final = (
    *(Case(f"queue with {key} {value!r}", _declared({key: value})) for key, value in WRONG),
    Case(
        "queue with a dead letter key and no exchange that is a name",
        _declared({"x-dead-letter-exchange": "amq.direct", "x-dead-letter-routing-key": 5}),
    ),
    Case("queue redeclared with a ttl", _redeclared({}, {"x-message-ttl": 5000})),
    Case("queue redeclared with another ttl", _redeclared({"x-message-ttl": 5000}, {"x-message-ttl": 5001})),
    Case("queue redeclared without its ttl", _redeclared({"x-message-ttl": 5000}, {})),
    Case("queue redeclared with the ttl as another type", _redeclared({"x-message-ttl": 5000}, {"x-message-ttl": "5"})),
    Case("queue redeclared with another limit", _redeclared({"x-max-length": 5}, {"x-max-length": 6})),
    Case("queue redeclared with a dead letter exchange", _redeclared({}, {"x-dead-letter-exchange": "amq.fanout"})),
    Case("queue redeclared with priorities", _redeclared({}, {"x-max-priority": 5})),
    Case("queue redeclared with an unknown argument", _redeclared({}, {"x-unknown": 1})),
    Case("queue redeclared as a quorum queue", _redeclared({}, {"x-queue-type": "quorum"})),
    Case("queue redeclared with its default type named", _redeclared({}, {"x-queue-type": "classic"})),
)

TYPED: Final = (
    Case("quorum queue", _quorum({})),
    Case("quorum queue that is not durable", _quorum({}, durable=False)),
    Case("quorum queue that is exclusive", _quorum({}, exclusive=True)),
    Case("quorum queue that is auto-delete", _quorum({}, auto_delete=True)),
    Case("quorum queue with a name of the broker's", lambda _: [Queue.Declare(durable=True, arguments=QUORUM)]),
    Case("quorum queue with priorities", _quorum({"x-max-priority": 5})),
    Case("quorum queue with a mode", _quorum({"x-queue-mode": "lazy"})),
    Case("quorum queue with reject-publish-dlx", _quorum({"x-overflow": "reject-publish-dlx"})),
    Case("quorum queue with a delivery limit", _quorum({"x-delivery-limit": 5})),
    Case("quorum queue with a negative delivery limit", _quorum({"x-delivery-limit": -1})),
    Case("quorum queue with a message ttl", _quorum({"x-message-ttl": 60_000})),
    Case("quorum queue of no members", _quorum({"x-quorum-initial-group-size": 0})),
    Case("stream", _declared({"x-queue-type": "stream"}, **DURABLE)),
)

BINDINGS: Final = (
    Case("headers binding with x-match of another word", _bound("amq.headers", {"x-match": "some"})),
    Case("headers binding with x-match of another type", _bound("amq.headers", {"x-match": 1})),
    Case("headers binding without x-match", _bound("amq.headers", {"a": 1})),
    Case("headers binding with any-with-x", _bound("amq.headers", {"x-match": "any-with-x"})),
    Case("direct binding with an x-match of another word", _bound("amq.direct", {"x-match": "some"})),
    Case(
        "exchange binding with x-match of another word",
        lambda _: [Exchange.Bind(destination="amq.topic", source="amq.headers", arguments={"x-match": "some"})],
    ),
)

CASES: Final = (*QUEUES, *TYPED, *BINDINGS)
