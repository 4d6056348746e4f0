"""Random operations of an AMQP client, the same for the same seed, said without the names of a run."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

Operation = tuple[str, dict[str, Any]]

CLASSIC: Final = ("q0", "q1", "q2", "q3")
QUORUM: Final = ("q4", "q5")
QUEUES: Final = (*CLASSIC, *QUORUM)
EXCHANGES: Final = ("x0", "x1", "x2")
HASHED: Final = "h0"  # which queue it chooses is each broker's affair, so all its bindings lead to the same
HASHED_TO: Final = "q3"
EVERY_EXCHANGE: Final = (*EXCHANGES, HASHED)
PREDECLARED: Final = ("", "amq.topic", "amq.headers")
WEIGHTS_OF_BINDINGS: Final = ("1", "1", "1", "0", "-1", "1.5", "x", "")  # one that is good: two are a bug of RabbitMQ's
KEYS: Final = ("a", "a.b", "a.b.c", "*.b", "a.#", "#", "", "q0", "q1")
HEADERS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"a": 1},
    {"a": "1"},
    {"a": 1, "b": "two"},
    {"a": 1, "x-b": True},
    {"b": None},
)
WEIGHTS: Final = {
    "declare queue": 8,
    "delete queue": 2,
    "purge": 1,
    "declare exchange": 4,
    "delete exchange": 1,
    "bind": 8,
    "unbind": 2,
    "bind by hash": 2,
    "unbind by hash": 1,
    "bind exchange": 3,
    "unbind exchange": 1,
    "publish": 35,
    "get": 20,
    "settle": 16,
    "drain": 2,
    "recover": 1,
}


def _queue_arguments(choose: Random) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if choose.random() < 0.3:
        arguments["x-max-length"] = choose.choice((0, 1, 2, 3, 5))
    if choose.random() < 0.1:
        arguments["x-max-length-bytes"] = choose.choice((0, 5, 20))
    if choose.random() < 0.25:
        arguments["x-overflow"] = choose.choice(("drop-head", "reject-publish", "reject-publish-dlx"))
    if choose.random() < 0.5:
        arguments["x-dead-letter-exchange"] = choose.choice(("", "", *EXCHANGES))
        if choose.random() < 0.6:
            arguments["x-dead-letter-routing-key"] = choose.choice(QUEUES)
    if choose.random() < 0.25:
        arguments["x-max-priority"] = choose.choice((1, 3, 10))
    if choose.random() < 0.2:
        # RabbitMQ looks for the expired only when the queue was empty, whatever the priority: such a run has no ttl of 0.
        arguments["x-message-ttl"] = 600_000 if "x-max-priority" in arguments else choose.choice((0, 600_000))
    if choose.random() < 0.1:
        arguments["x-single-active-consumer"] = True
    return arguments


def _quorum_arguments(choose: Random) -> dict[str, Any]:
    # Without a limit RabbitMQ returns a message to the back of the queue, which keeps its log short.
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": choose.choice((0, 1, 2, 5, 100))}
    if choose.random() < 0.3:
        arguments["x-max-length"] = choose.choice((1, 2, 3, 5))
    if choose.random() < 0.7:
        arguments["x-dead-letter-exchange"] = choose.choice(("", "", *EXCHANGES))
        if choose.random() < 0.6:
            arguments["x-dead-letter-routing-key"] = choose.choice(QUEUES)
    if choose.random() < 0.1:
        arguments["x-message-ttl"] = 600_000
    if choose.random() < 0.1:
        arguments["x-single-active-consumer"] = True
    return arguments


def _declared(queue: str, choose: Random) -> dict[str, Any]:
    quorum = queue in QUORUM
    arguments = _quorum_arguments(choose) if quorum else _queue_arguments(choose)
    return {"queue": queue, "durable": quorum, "arguments": arguments}


def _hash_arguments(choose: Random) -> dict[str, Any]:
    """What is hashed: the key, a header, a property, or what cannot be; a header that is a number is 541 there."""
    arguments: dict[str, Any] = {}
    if choose.random() < 0.3:
        arguments["hash-header"] = choose.choice(("a", "b"))
    if choose.random() < 0.3:
        arguments["hash-property"] = choose.choice(("message_id", "correlation_id", "timestamp", "priority"))
    return arguments


def _binding_arguments(choose: Random) -> dict[str, Any]:
    if choose.random() < 0.4:
        return {}
    match = choose.choice(("all", "any", "all-with-x", "any-with-x"))
    return {"x-match": match, **choose.choice(HEADERS)}


def _properties(choose: Random) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if choose.random() < 0.4:
        properties["priority"] = choose.choice((0, 1, 2, 5, 200))
    if choose.random() < 0.15:
        properties["expiration"] = choose.choice(("600000", "soon") if "priority" in properties else ("0", "600000"))
    if choose.random() < 0.3:
        properties["delivery_mode"] = choose.choice((1, 2))
    if choose.random() < 0.1:
        properties["message_id"] = "m"
    return properties


def _options(kind: str, number: int, choose: Random) -> dict[str, Any]:
    queue, exchange = choose.choice(QUEUES), choose.choice((*EXCHANGES, *EXCHANGES, *PREDECLARED))
    match kind:
        case "declare queue":
            return _declared(queue, choose)
        case "delete queue":
            conditions = (choose.random() < 0.2, choose.random() < 0.5)
            return {"queue": queue, "conditions": (False, False) if queue in QUORUM else conditions}
        case "purge":
            return {"queue": queue}
        case "declare exchange":
            return {
                "exchange": choose.choice(EXCHANGES),
                "type": choose.choice(("direct", "fanout", "topic", "headers")),
                "internal": choose.random() < 0.1,
                "arguments": {"alternate-exchange": choose.choice(EXCHANGES)} if choose.random() < 0.3 else {},
            }
        case "delete exchange":
            return {"exchange": choose.choice(EXCHANGES), "if_unused": choose.random() < 0.5}
        case "bind" | "unbind":
            key = choose.choice(KEYS)
            return {"queue": queue, "exchange": exchange, "key": key, "arguments": _binding_arguments(choose)}
        case "bind by hash" | "unbind by hash":
            return {"queue": HASHED_TO, "exchange": HASHED, "key": choose.choice(WEIGHTS_OF_BINDINGS), "arguments": {}}
        case "bind exchange" | "unbind exchange":
            key, to = choose.choice(KEYS), choose.choice(EXCHANGES)
            return {"to": to, "exchange": exchange, "key": key, "arguments": _binding_arguments(choose)}
        case "publish":
            headers = dict(choose.choice(HEADERS))
            if choose.random() < 0.1:
                headers[choose.choice(("CC", "BCC"))] = choose.choices((*QUEUES, *KEYS), k=2)
            return {
                "exchange": choose.choice(("", "", exchange, exchange, HASHED)),
                "key": choose.choice((*QUEUES, *KEYS)),
                "body": b"%d" % number * choose.choice((1, 1, 4)),
                "headers": headers,
                "properties": _properties(choose),
                "mandatory": choose.random() < 0.5,
            }
        case "get":
            return {"queue": queue, "no_ack": choose.random() < 0.3}
        case "settle":
            how = choose.choice(("ack", "ack", "requeue", "discard", "discard"))
            return {"which": choose.random(), "multiple": choose.random() < 0.2, "how": how}
        case _:
            return {"queue": queue}


def operations(seed: int, steps: int) -> Iterator[Operation]:
    """Yield the operations of one run: first all queues and exchanges, then whatever comes."""
    choose = Random(seed)
    for queue in QUEUES:
        yield "declare queue", _declared(queue, choose)
    for exchange in EXCHANGES:
        yield "declare exchange", {**_options("declare exchange", 0, choose), "exchange": exchange}
    hashed = {**_options("declare exchange", 0, choose), "exchange": HASHED, "type": "x-consistent-hash"}
    yield "declare exchange", {**hashed, "internal": False, "arguments": _hash_arguments(choose)}
    yield "bind", {"queue": HASHED_TO, "exchange": HASHED, "key": "1", "arguments": {}}
    kinds = choose.choices(list(WEIGHTS), list(WEIGHTS.values()), k=steps)
    for number, kind in enumerate(kinds):
        yield kind, _options(kind, number, choose)
