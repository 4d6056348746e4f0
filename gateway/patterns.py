"""Permission patterns: RE2 regular expressions, searched for in a name as RabbitMQ does: `^orders` means what it says.

RE2 matches in time linear in the name, whatever the pattern: `(a+)+$` costs no more than `a+`. It has no look-around
and no back-references, which is what makes that possible. `.` matches every character, a line break too.
"""

from typing import Final

import re2

from core.access import EVERYTHING, NOTHING, NamePattern

PATTERN_LIMIT_CHARS: Final = 4_096
MATCHES_ALL: Final = ".*"


class RegularExpression(NamePattern):
    """One compiled pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled = re2.compile(text, options=_options())

    def matches(self, name: str) -> bool:
        try:
            return self._compiled.search(name) is not None
        except UnicodeEncodeError:
            return False  # a lone surrogate: no name that any protocol can say


def compile_pattern(text: str) -> NamePattern:
    """Return the pattern; an empty one matches nothing, as in RabbitMQ. ValueError says what is wrong with `text`."""
    if not text:
        return NOTHING
    if text == MATCHES_ALL:
        return EVERYTHING
    if len(text) > PATTERN_LIMIT_CHARS:
        raise ValueError(f"a pattern of {len(text)} characters is longer than {PATTERN_LIMIT_CHARS}")
    try:
        return RegularExpression(text)
    except re2.error as error:
        raise ValueError(f"{text!r} is not a pattern: {_reason(error)}") from None


def text_of(pattern: NamePattern) -> str:
    """Return the text that `compile_pattern` has made a pattern of."""
    if pattern is NOTHING:
        return ""
    if pattern is EVERYTHING:
        return MATCHES_ALL
    assert isinstance(pattern, RegularExpression)
    return pattern.text


def _options() -> "re2.Options":
    options = re2.Options()
    options.log_errors = False  # it would write to standard error by itself
    options.dot_nl = True
    options.never_capture = True
    return options


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
