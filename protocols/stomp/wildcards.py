"""Wildcards in subscriptions: `*` is one level, and the rest is `#` to RabbitMQ's clients and `>` to ActiveMQ's.

ActiveMQ's stands at the end only, and what it stands for may be nothing: `a.>` is `a` too (as ActiveMQ 5.17 does it).
There they also select queues, those that are declared later included.
"""

from typing import Final

from core.model.destination import decoded
from core.model.names import RESERVED_PREFIX
from core.queueing.queue import Queue
from core.routing.pattern import MANY_WORDS, ONE, ONE_WORD, WORD, Pattern, Token, parse_binding_key
from protocols.stomp.destinations import Kind, StompDestination
from protocols.stomp.dialect import Dialect

# Queues that stand for somebody's subscription: a wildcard does not take from them.
SUBSCRIPTION_QUEUE: Final = "stomp-subscription-"
PRIVATE_QUEUES: Final = (RESERVED_PREFIX, SUBSCRIPTION_QUEUE)


def topic_pattern(destination: StompDestination, dialect: Dialect) -> Pattern:
    """Return what a `/topic/` destination selects."""
    if dialect.wildcard_of_rest == "#":
        return parse_binding_key(destination.key)
    return _parsed(destination.name)


def queue_pattern(destination: StompDestination, dialect: Dialect) -> Pattern | None:
    """Return what a destination selects among the queues, or None when it is one queue."""
    if not dialect.queue_wildcards or destination.kind is not Kind.QUEUE:
        return None
    pattern = _parsed(destination.name)
    return pattern if any(token.kind != WORD for token in pattern.tokens) else None


def _parsed(text: str) -> Pattern:
    words = text.split(".")
    tokens: list[Token] = []
    for number, word in enumerate(words, 1):
        if word == "*":
            tokens.append(ONE_WORD)
        elif word == ">" and number == len(words):
            tokens.append(MANY_WORDS)
        else:
            tokens.append(Token(WORD, decoded(word)))
    return Pattern(tuple(tokens))


def binding_key(pattern: Pattern) -> str:
    """Return a pattern in the core's form, for permissions."""
    return ".".join(
        [token.text if token.kind == WORD else "*" if token.kind == ONE else "#" for token in pattern.tokens]
    )


def is_private(queue: Queue) -> bool:
    """Tell whether a queue is no business of those who ask for queues by a pattern."""
    return queue.name.startswith(PRIVATE_QUEUES)
