"""Conversations in which messages die: what `x-death` says after each death, octet by octet.

Nothing waits: a time to live of 0 expires at once, a maximum length of 0 keeps nothing. `time` is set to 0 in whatever is
kept or compared. Every message says its delivery mode, because ours says it of every dead letter.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

from pika.spec import Basic, Exchange, Queue

from interop.conversations import Conversation
from interop.mistakes.case import publish

A, B, C, D, E, END, X = "dead.a", "dead.b", "dead.c", "dead.d", "dead.e", "dead.end", "dead.x"
EXPIRES: Final = {"x-message-ttl": 0}
FULL: Final = {"x-max-length": 0}
ONE: Final = {"x-max-length": 1}
REFUSES: Final = {"x-max-length": 0, "x-overflow": "reject-publish-dlx"}
REJECTS: Final[dict[str, Any]] = {}  # its client does
QUORUM: Final = {"x-queue-type": "quorum"}
LIMITED: Final = {**QUORUM, "x-delivery-limit": 0}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIME: Final = re.compile(rb"(?<=\x04timeT).{8}", re.DOTALL)


def timeless(data: bytes) -> bytes:
    """Return frames in which every death was at the epoch."""
    return TIME.sub(bytes(8), data)


def queue(name: str, arguments: dict[str, Any] | None = None, to: str | None = None, exchange: str = "") -> Any:
    """Declare a queue. Its dead letters go to the queue `to`, or where their own keys lead in `exchange`."""
    said = dict(arguments or {})
    if to is not None:
        said |= {"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": to}
    elif exchange:
        said["x-dead-letter-exchange"] = exchange
    quorum = "x-queue-type" in said
    return Queue.Declare(queue=name, durable=quorum, exclusive=not quorum, arguments=said)


def say(key: str, exchange: str = "", **properties: Any) -> bytes:
    """Publish a transient message."""
    return publish(exchange, key, delivery_mode=1, **properties)


def get(name: str) -> Any:
    return Basic.Get(queue=name)


def look(name: str) -> Any:
    return Basic.Get(queue=name, no_ack=True)


def reject(tag: int) -> Any:
    return Basic.Reject(tag, requeue=False)


ONCE: Final = (
    Conversation("rejected", (queue(END), queue(A, to=END), say(A), get(A), reject(1), look(END))),
    Conversation("expired by the queue", (queue(END), queue(A, EXPIRES, END), say(A), look(END))),
    Conversation("expired by itself", (queue(END), queue(A, to=END), say(A, expiration="0"), look(END))),
    Conversation(
        "expired by the queue, and it had a time of its own",
        (queue(END), queue(A, EXPIRES, END), say(A, expiration="60000"), look(END)),
    ),
    Conversation("too many", (queue(END), queue(A, ONE, END), say(A), say(A), look(END))),
    Conversation("too many, and refused", (queue(END), queue(A, REFUSES, END), say(A), look(END))),
    Conversation(
        "delivered too often",
        (
            queue(END),
            queue(A, LIMITED, END),
            say(A),
            get(A),
            Basic.Reject(1, requeue=True),
            look(END),
            Queue.Delete(queue=A),
        ),
    ),
    Conversation(
        "through an exchange, with its own key",
        (
            Exchange.Declare(exchange=X, type="topic", auto_delete=True),
            queue(END),
            Queue.Bind(queue=END, exchange=X, routing_key="a.#"),
            queue(A, EXPIRES, exchange=X),
            Queue.Bind(queue=A, exchange="amq.topic", routing_key="a.*"),
            say("a.b", "amq.topic"),
            look(END),
        ),
    ),
    Conversation(
        "headers of its own on both sides in the alphabet",
        (
            queue(END),
            queue(A, EXPIRES, END),
            say(A, headers={"zeta": 1, "x-e": None, "alpha": "a", "CB": [1], "x-first": {"b": 1, "a": 2}}),
            look(END),
        ),
    ),
)


def _chain(*hops: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
    """Declare queues that dead-letter each to the next, and the last to `END`, which gets the message."""
    names = [*(name for name, _ in hops), END]
    declared = [queue(name, arguments, to) for (name, arguments), to in zip(hops, names[1:], strict=True)]
    rejected: list[Any] = []
    tag = 0
    for name, arguments in hops:
        if arguments is REJECTS:
            tag += 1
            rejected += [get(name), reject(tag)]
    return (queue(END), *declared, say(names[0]), *rejected, look(END))


HOPS: Final = ((A, REJECTS), (B, EXPIRES), (C, FULL), (D, REJECTS), (E, EXPIRES))
CHAINS: Final = (
    *(Conversation(f"{count} deaths in as many queues", _chain(*HOPS[:count])) for count in range(2, 6)),
    Conversation("5 deaths without a client", _chain((A, FULL), (B, EXPIRES), (C, FULL), (D, EXPIRES), (E, REFUSES))),
    Conversation(
        "quorum queues",
        (
            queue(END),
            queue(B, LIMITED, END),
            queue(A, QUORUM, B),
            say(A),
            get(A),
            reject(1),
            get(B),
            Basic.Nack(2, requeue=True),
            look(END),
            Queue.Delete(queue=A),
            Queue.Delete(queue=B),
        ),
    ),
)


def _rounds(count: int) -> list[Any]:
    """Reject the message in the first queue of a circle and again when it is back there, and look at it each time."""
    steps: list[Any] = []
    for tag in range(1, count + 1):
        steps += [get(A), reject(tag)]
    return [*steps, look(A)]


CYCLES: Final = (
    Conversation(
        "rejected, held back, and rejected again",
        (queue(A, to=B), queue(B, EXPIRES, A), say(A), *_rounds(4)),
    ),
    Conversation(
        "a circle of three queues",
        (queue(A, to=B), queue(B, EXPIRES, C), queue(C, FULL, A), say(A), *_rounds(2)),
    ),
    Conversation(
        "a circle of four queues",
        (
            queue(A, to=B),
            queue(B, EXPIRES, C),
            queue(C, FULL, D),
            queue(D, EXPIRES, A),
            say(A),
            *_rounds(2),
        ),
    ),
    Conversation("a circle without a rejection", (queue(A, EXPIRES, B), queue(B, FULL, A), say(A), look(A), look(B))),
    Conversation(
        "a rejection behind a circle that has none",
        (
            queue(A, to=B),
            queue(B, EXPIRES, C),
            queue(C, to=B),
            say(A),
            get(A),
            reject(1),
            get(C),
            reject(2),
            look(C),
        ),
    ),
    Conversation(
        "two reasons in one queue",
        (
            queue(A, ONE, B),
            queue(B, to=A),
            say(A),
            get(A),
            reject(1),
            get(B),
            reject(2),
            say(A, message_id="second"),
            get(B),
            reject(3),
            look(B),
            look(A),
        ),
    ),
)

COPIES: Final = (
    Conversation(
        "carbon copies",
        (
            queue(A, EXPIRES, exchange="amq.direct"),
            queue(END),
            Queue.Bind(queue=END, exchange="amq.direct", routing_key="dead.copy"),
            say(A, headers={"CC": ["dead.copy", "dead.other"], "BCC": ["dead.blind"], "z": 1}),
            look(END),
        ),
    ),
    Conversation(
        "carbon copies, and another key",
        (queue(END), queue(A, EXPIRES, END), say(A, headers={"CC": ["dead.copy"], "a": 1}), look(END)),
    ),
    Conversation(
        "carbon copies through two queues",
        (
            Exchange.Declare(exchange=X, type="fanout", auto_delete=True),
            queue(B, EXPIRES, END),
            Queue.Bind(queue=B, exchange=X, routing_key=""),
            queue(END),
            queue(A, EXPIRES, exchange=X),
            say(A, headers={"CC": ["dead.copy"]}),
            look(END),
        ),
    ),
)


def death(name: str, reason: str = "rejected", **more: Any) -> dict[str, Any]:
    """Return a death as a client may have kept it; a field that is None is left out."""
    said = {"time": EPOCH, "reason": reason, "queue": name, "exchange": "", "count": 1, "routing-keys": ["k"], **more}
    return {key: value for key, value in said.items() if value is not None}


PUBLISHED: Final[dict[str, Any]] = {
    "nothing in the list": [],
    "a text in the list": ["once"],
    "a text behind another death in the list": [death(B), "once"],
    "the same death with a count that is a text": [death(A, count="many")],
    "text": "once",
    "a table": {"queue": A},
    "a number": 7,
    "no value": None,
    "one other death": [death(B)],
    "one other death without a count": [death(B, count=None)],
    "one other death with a count that is a text": [death(B, count="many")],
    "the same death": [death(A)],
    "the same death without a count": [death(A, count=None)],
    "the same death with a small count": [death(A, count=5)],
    "the same death with a count of 64 bits": [death(A, count=1 << 40)],
    "the same death with the highest count": [death(A, count=(1 << 63) - 1)],
    "the same death with fields of its own": [death(A, zz=1, aa=2)],
    "the same death for another reason": [death(A, "expired")],
    "two others": [death(B), death(C)],
    "two others without counts": [death(B, count=None), death(C, count=None)],
    "two others that are the same": [death(B, count=3), death(B, count=4)],
    "three others that are the same without counts": [death(B, count=None), death(C), death(B, count=None)],
    "the same twice": [death(A, count=3), death(A, count=4)],
    "the same twice without a count": [death(A, count=None), death(B), death(A, count=None)],
    "the same behind two others": [death(B), death(C), death(A)],
    "four others": [death(B), death(C), death(D), death(E)],
    "tables without a queue": [{"reason": "rejected"}, {"reason": "rejected"}, {"count": 9}],
    "tables without anything": [{}, {}],
    "a queue that is a number": [
        {"queue": 1, "reason": "rejected"},
        {"queue": 1 << 40, "reason": "rejected"},
        death(B),
    ],
    "a queue that is a number and one that is true": [{"queue": 1}, {"queue": True}, death(B)],
    "a queue that is a list": [{"queue": ["a"]}, {"queue": ["a"]}, {"queue": ["b"]}],
}

ROUND: Final = {
    "back to where it has expired": [death(B, "expired")],
    "back to where it was rejected": [death(B)],
    "back to where it has expired, and was rejected before": [death(B, "expired"), death(C)],
    "back to where it has expired, and was rejected since": [death(C), death(B, "expired")],
}

OWN: Final = (
    *(
        Conversation(
            f"published with x-death: {what}",
            (queue(END), queue(A, to=END), say(A, headers={"x-death": value}), get(A), reject(1), look(END)),
        )
        for what, value in PUBLISHED.items()
    ),
    Conversation(
        "published with x-death, and expired",
        (queue(END), queue(A, EXPIRES, END), say(A, expiration="60000", headers={"x-death": [death(B)]}), look(END)),
    ),
    Conversation(
        "published with the first death",
        (
            queue(END),
            queue(A, EXPIRES, END),
            say(A, headers={"x-first-death-queue": "mine", "x-first-death-reason": 5, "x-last-death-queue": "mine"}),
            look(END),
        ),
    ),
    Conversation(
        "published with x-death and the first death",
        (queue(END), queue(A, EXPIRES, END), say(A, headers={"x-death": [], "x-first-death-queue": "mine"}), look(END)),
    ),
    *(
        Conversation(
            f"published with deaths, and {what}",
            (queue(B), queue(A, EXPIRES, B), say(A, headers={"x-death": deaths}), look(B)),
        )
        for what, deaths in ROUND.items()
    ),
)

CONVERSATIONS: Final = (*ONCE, *CHAINS, *CYCLES, *COPIES, *OWN)
