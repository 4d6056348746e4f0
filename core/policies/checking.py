"""What a policy must look like; whoever sets one reads these sentences.

The keys are RabbitMQ 3.10's. Those by which it says how its clusters and disks keep a queue are accepted, so that policies of a
RabbitMQ can be set as they are, and have no effect. Others that mean nothing here are refused: nobody must believe that they do.
"""

from typing import Any, Final

from core.access import EVERYTHING, NamePattern
from core.model.arguments import LONGEST_MS
from core.model.errors import Invalid
from core.model.names import NAME_LIMIT_BYTES
from core.model.properties import Headers
from core.policies.policy import SCOPES, PatternCompiler, Policy

MESSAGE_TTL: Final = "message-ttl"
EXPIRES: Final = "expires"
MAX_LENGTH: Final = "max-length"
MAX_LENGTH_BYTES: Final = "max-length-bytes"
DELIVERY_LIMIT: Final = "delivery-limit"
OVERFLOW: Final = "overflow"
DEAD_LETTER_EXCHANGE: Final = "dead-letter-exchange"
DEAD_LETTER_ROUTING_KEY: Final = "dead-letter-routing-key"
ALTERNATE_EXCHANGE: Final = "alternate-exchange"

LARGEST: Final = (1 << 63) - 1  # an AMQP 0-9-1 table's longest number, so an argument's
PRIORITY_LIMIT: Final = (1 << 31) - 1  # in both directions; more than anybody has
PATTERN_LIMIT_CHARS: Final = 1_024

# Whole numbers, from and to. RabbitMQ's own bounds, but that it takes longer times, which no argument may have.
NUMBERS: Final[dict[str, tuple[int, int]]] = {
    MESSAGE_TTL: (0, LONGEST_MS),
    EXPIRES: (1, LONGEST_MS),
    MAX_LENGTH: (0, LARGEST),
    MAX_LENGTH_BYTES: (0, LARGEST),
    DELIVERY_LIMIT: (0, LARGEST),
}
TEXTS: Final = (DEAD_LETTER_EXCHANGE, DEAD_LETTER_ROUTING_KEY, ALTERNATE_EXCHANGE)
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    OVERFLOW: ("drop-head", "reject-publish", "reject-publish-dlx"),
    # Without effect from here on:
    "queue-mode": ("default", "lazy"),
    "dead-letter-strategy": ("at-most-once", "at-least-once"),
    "queue-leader-locator": ("client-local", "balanced"),
}
# Of RabbitMQ's clusters and disks: without effect, whatever the value is.
INERT: Final = (
    "ha-mode",
    "ha-params",
    "ha-sync-mode",
    "ha-sync-batch-size",
    "ha-promote-on-failure",
    "ha-promote-on-shutdown",
    "max-in-memory-bytes",
    "max-in-memory-length",
    "queue-master-locator",
    "queue-version",
)
OPERATORS: Final = (*NUMBERS, "max-in-memory-bytes", "max-in-memory-length")


def check_policy(
    name: object,
    pattern: object,
    definition: object,
    apply_to: object,
    priority: object,
    compile_pattern: PatternCompiler,
    *,
    operator: bool = False,
) -> Policy:
    """Return a policy, or raise Invalid with what is wrong. The values may be anything that JSON can say."""
    name = _check_name(name)
    what = f"{'operator policy' if operator else 'policy'} '{name}'"
    if apply_to == "":
        apply_to = "queues" if operator else "all"
    if not isinstance(apply_to, str) or apply_to not in SCOPES:
        raise Invalid(f"{what}: apply-to is {_shown(apply_to)}, and must be one of {', '.join(SCOPES)}")
    if operator and apply_to == "exchanges":
        raise Invalid(f"{what}: apply-to is 'exchanges', which have none of the limits of an operator policy")
    if isinstance(priority, bool) or not isinstance(priority, int) or not -PRIORITY_LIMIT <= priority <= PRIORITY_LIMIT:
        raise Invalid(
            f"{what}: priority is {_shown(priority)}, and must be a whole number"
            f" from -{PRIORITY_LIMIT} to {PRIORITY_LIMIT}"
        )
    text, compiled = _check_pattern(what, pattern, compile_pattern)
    checked = _check_definition(what, definition, operator=operator)
    return Policy(name, text, compiled, apply_to, priority, checked, operator=operator)


def _check_name(name: object) -> str:
    if not isinstance(name, str) or not name or not _is_short(name):
        raise Invalid(f"the name of a policy is {_shown(name)}, and must be a text of 1 to {NAME_LIMIT_BYTES} bytes")
    if "\0" in name:
        raise Invalid(f"the name of a policy is {name!r}, which contains a NUL character")
    return name


def _check_pattern(what: str, pattern: object, compile_pattern: PatternCompiler) -> tuple[str, NamePattern]:
    if not isinstance(pattern, str) or not _is_text(pattern):
        raise Invalid(f"{what}: the pattern is {_shown(pattern)}, and must be a text")
    if len(pattern) > PATTERN_LIMIT_CHARS:
        raise Invalid(f"{what}: the pattern of {len(pattern)} characters is longer than {PATTERN_LIMIT_CHARS}")
    if not pattern:
        return pattern, EVERYTHING  # as any regular expression that asks for nothing
    try:
        return pattern, compile_pattern(pattern)
    except ValueError as wrong:
        raise Invalid(f"{what}: {wrong}") from None


def _check_definition(what: str, definition: object, *, operator: bool) -> Headers:
    if not isinstance(definition, dict):
        raise Invalid(f"{what}: the definition is {_shown(definition)}, and must be a table of keys and values")
    if not definition:
        raise Invalid(f"{what}: the definition is empty")
    for key in definition:
        if key not in NUMBERS and key not in TEXTS and key not in CHOICES and key not in INERT:
            raise Invalid(f"{what}: {_shown(key)} is not known in a definition")
        if operator and key not in OPERATORS:
            raise Invalid(f"{what}: '{key}' is not for operator policies, which have {', '.join(NUMBERS)}")
        _check_value(what, key, definition[key])
    return dict(definition)


def _check_value(what: str, key: str, value: Any) -> None:
    if key in NUMBERS:
        least, most = NUMBERS[key]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Invalid(f"{what}: '{key}' is {_shown(value)}, and must be a whole number from {least} to {most}")
    elif key in TEXTS:
        if not isinstance(value, str) or not _is_short(value):
            raise Invalid(f"{what}: '{key}' is {_shown(value)}, and must be a text of up to {NAME_LIMIT_BYTES} bytes")
    elif key in CHOICES:
        if value not in CHOICES[key]:
            raise Invalid(f"{what}: '{key}' is {_shown(value)}, and must be one of {', '.join(CHOICES[key])}")
    elif not _is_inert(value):
        raise Invalid(
            f"{what}: '{key}' is {_shown(value)}, and must be a whole number, a text, or a list of texts,"
            f" of up to {NAME_LIMIT_BYTES} bytes in all"
        )


def _is_inert(value: object) -> bool:
    if isinstance(value, int):
        return -LARGEST <= value <= LARGEST
    texts = value if isinstance(value, list) else [value]
    total = ""
    for text in texts:
        if not isinstance(text, str):
            return False
        total += text + " "
    return _is_short(total.rstrip())


def _is_short(text: str) -> bool:
    return _is_text(text) and len(text.encode()) <= NAME_LIMIT_BYTES


def _is_text(text: str) -> bool:
    """Tell whether UTF-8 can say it: JSON has half characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    """Return a value as people have written it, about, and not all of a long one."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or tables as deep as the stack
        return "too large to be shown"
    return text if len(text) <= 100 else f"{text[:100]}…"
