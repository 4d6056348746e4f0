"""What holds where several have a say: the client's arguments, a policy, and an operator policy.

Of limits the smallest holds. Of everything else what the client has asked for, then what the policy says (RabbitMQ's rules).
"""

from typing import Final

from core.model.arguments import QUEUE_TYPE, QUORUM
from core.model.properties import Headers, Value
from core.policies import checking
from core.policies.checking import DELIVERY_LIMIT, NUMBERS

OF_ARGUMENTS: Final = "x-"  # before the name of a queue's argument that says what a key does
OF_QUEUES: Final = (*NUMBERS, checking.OVERFLOW, checking.DEAD_LETTER_EXCHANGE, checking.DEAD_LETTER_ROUTING_KEY)


def together(definition: Headers, limits: Headers) -> Headers:
    """Return what a policy and an operator policy say as one."""
    both = dict(definition)
    for key, limit in limits.items():
        both[key] = _smaller(both.get(key), limit) if key in NUMBERS else limit
    return both


def settings_of(arguments: Headers, definition: Headers) -> Headers:
    """Return a queue's arguments with what a definition makes of them.

    A delivery limit is for quorum queues, which alone have one among their arguments.
    """
    settings = dict(arguments)
    for key in OF_QUEUES:
        value = definition.get(key)
        if value is None or (key == DELIVERY_LIMIT and arguments.get(QUEUE_TYPE) != QUORUM):
            continue
        name = OF_ARGUMENTS + key
        if key in NUMBERS:
            settings[name] = _smaller(arguments.get(name), value)
        elif name not in arguments:
            settings[name] = value
    return settings


def _smaller(one: Value, other: Value) -> Value:
    """Return the smaller limit. `one` may be anything: a client's delivery limit is not checked, and one below 0 is none."""
    if isinstance(one, bool) or not isinstance(one, int) or one < 0:
        return other
    assert isinstance(other, int)
    return min(one, other)
