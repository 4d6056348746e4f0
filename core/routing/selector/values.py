"""What a selector computes with: text, numbers, true and false, and nothing (`None`), by the rules of JMS 2.0 §3.8.1.

Conditions have three outcomes. What is compared must be of one kind, numbers of all widths being one kind; a comparison
of different kinds is false, and one with nothing is unknown. Integers are those of 64 bits.
"""

from decimal import Decimal
from typing import Final

from core.model.properties import Timestamp, Value

FALSE: Final = 0
TRUE: Final = 1
UNKNOWN: Final = 2

EQUAL: Final = 0
NOT_EQUAL: Final = 1
LESS: Final = 2
LESS_OR_EQUAL: Final = 3
GREATER: Final = 4
GREATER_OR_EQUAL: Final = 5

PLUS: Final = 0
MINUS: Final = 1
TIMES: Final = 2
DIVIDED: Final = 3

LEAST_INTEGER: Final = -(1 << 63)
MOST_INTEGER: Final = (1 << 63) - 1
TRUTHS: Final = {"true": True, "false": False}

NUMBER_LIMIT_CHARS: Final = 64  # of a text that is read as a number


def known(value: Value) -> Value:
    """Return the value of a header as selectors see it; lists, tables and octets are nothing to them."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Decimal):
        return float(value)
    return value.seconds if isinstance(value, Timestamp) else None


def compare(left: Value, right: Value, operation: int, converts: bool) -> int:
    """Return the outcome of a comparison. `converts`: text counts as the number or truth value that it spells."""
    if left is None or right is None:
        return UNKNOWN
    if converts and isinstance(left, str) != isinstance(right, str):
        if isinstance(left, str):
            left = _converted(left, right)
        else:
            right = _converted(right, left)
    if isinstance(left, str) or isinstance(right, str):
        alike = isinstance(left, str) and isinstance(right, str)
    else:
        alike = left is not None and right is not None and isinstance(left, bool) == isinstance(right, bool)
    if not alike:
        return FALSE
    if operation == EQUAL:
        return TRUE if left == right else FALSE
    if operation == NOT_EQUAL:
        return TRUE if left != right else FALSE
    if isinstance(left, (str, bool)):
        return FALSE  # only numbers have an order
    if operation == LESS:
        return TRUE if left < right else FALSE
    if operation == LESS_OR_EQUAL:
        return TRUE if left <= right else FALSE
    if operation == GREATER:
        return TRUE if left > right else FALSE
    return TRUE if left >= right else FALSE


def _converted(text: Value, other: Value) -> Value:
    if isinstance(other, bool):
        return TRUTHS.get(text.lower())
    return number(text)


def spells_something(text: str) -> bool:
    """Tell whether a text can be taken for a number or a truth value."""
    return text.lower() in TRUTHS or number(text) is not None


def number(text: str) -> int | float | None:
    """Return the number that a text spells, or None."""
    if len(text) > NUMBER_LIMIT_CHARS or not text.isascii() or "_" in text:
        return None
    try:
        whole = int(text)
    except ValueError:
        pass
    else:
        return whole if LEAST_INTEGER <= whole <= MOST_INTEGER else float(whole)
    try:
        return float(text)
    except ValueError:
        return None


def compute(left: Value, right: Value, operation: int, converts: bool) -> Value:
    """Return the result for two numbers; nothing for anything else, for too large integers and for a division by 0."""
    if converts:
        left = number(left) if isinstance(left, str) else left
        right = number(right) if isinstance(right, str) else right
    if not is_number(left) or not is_number(right):
        return None
    if operation == PLUS:
        result = left + right
    elif operation == MINUS:
        result = left - right
    elif operation == TIMES:
        result = left * right
    elif not right:
        return None
    elif isinstance(left, int) and isinstance(right, int):
        result = abs(left) // abs(right)  # towards zero, as in Java
        result = result if (left < 0) == (right < 0) else -result
    else:
        result = left / right
    return within(result)


def negated(value: Value, converts: bool) -> Value:
    """Return the number with its sign turned; nothing for anything else."""
    if converts and isinstance(value, str):
        value = number(value)
    return within(-value) if is_number(value) else None


def is_number(value: Value) -> bool:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def within(value: Value) -> Value:
    """Return the number, or nothing when it is an integer of more than 64 bits."""
    return None if isinstance(value, int) and not LEAST_INTEGER <= value <= MOST_INTEGER else value
