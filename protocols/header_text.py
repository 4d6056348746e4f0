"""Values of header tables as text, for protocols whose headers are text (docs/conversions.md, "Headers").

What has no text is counted and left out.
"""

from decimal import Decimal

from core.counters import Counters
from core.model.properties import Timestamp, Value


def as_text(value: Value, counters: Counters) -> str | None:
    """Return a value as text, or None, and count the loss, when there is none for it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Timestamp):
        return str(value.seconds)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            counters.lose("header_not_text")
            return None
    counters.lose("header_void" if value is None else "header_nested")
    return None
