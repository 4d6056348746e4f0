"""Random operations of an AMQP client, the same for the same seed, said without the names of a run."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

Operation = tuple[str, dict[str, Any]]

QUEUES: Final = ("q0", "q1", "q2", "q3")
EXCHANGES: Final = ("x0", "x1", "x2")
PREDECLARED: Final = ("", "amq.topic", "amq.headers")
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
            return {"queue": queue, "arguments": _queue_arguments(choose)}
        case "delete queue":
            return {"queue": queue, "conditions": (choose.random() < 0.2, choose.random() < 0.5)}
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
        case "bind exchange" | "unbind exchange":
            key, to = choose.choice(KEYS), choose.choice(EXCHANGES)
            return {"to": to, "exchange": exchange, "key": key, "arguments": _binding_arguments(choose)}
        case "publish":
            headers = dict(choose.choice(HEADERS))
            if choose.random() < 0.1:
                headers[choose.choice(("CC", "BCC"))] = choose.choices((*QUEUES, *KEYS), k=2)
            return {
                "exchange": choose.choice(("", "", exchange)),
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
        yield "declare queue", {"queue": queue, "arguments": _queue_arguments(choose)}
    for exchange in EXCHANGES:
        yield "declare exchange", {**_options("declare exchange", 0, choose), "exchange": exchange}
    kinds = choose.choices(list(WEIGHTS), list(WEIGHTS.values()), k=steps)
    for number, kind in enumerate(kinds):
        yield kind, _options(kind, number, choose)
