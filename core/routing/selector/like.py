"""LIKE: a pattern with `%` for any text and `_` for one character, matched in time linear in the text.

A pattern without `_` is a list of texts that must follow each other, each of which is found at its earliest place. One
with `_` runs as an automaton whose states are the bits of one number, so that nothing is ever tried twice.
"""

from typing import Final

from core.model.errors import Invalid

AUTOMATON_LIMIT: Final = 1_024  # characters of a pattern with `_`: each character of a text costs as many bits

ONE = "_"
MANY = "%"


class LikePattern:
    """A pattern, ready to match."""

    def __init__(self, pattern: str, escape: str) -> None:
        self._parts: list[str] = [""]  # literal texts with `%` between them, where there is no `_`
        self._tokens: list[str] = []  # one character each, or "" for `_`
        self._loops = 0  # states that any character leaves as they are: those before a `%`
        self._has_one = False
        self._masks: dict[str, int] = {}  # for each character of the pattern, the states that it leads on from
        self._ones = 0  # states that any character leads on from
        self._read(pattern, escape)
        if self._has_one and len(self._tokens) > AUTOMATON_LIMIT:
            raise Invalid(f"a pattern with '{ONE}' and more than {AUTOMATON_LIMIT} characters")
        for place, token in enumerate(self._tokens):
            if token:
                self._masks[token] = self._masks.get(token, 0) | (1 << place)
            else:
                self._ones |= 1 << place
        self._end = 1 << len(self._tokens)

    def _read(self, pattern: str, escape: str) -> None:
        escaped = False
        for character in pattern:
            if escaped:
                escaped = False
            elif character == escape:
                escaped = True
                continue
            elif character == MANY:
                self._loops |= 1 << len(self._tokens)
                self._parts.append("")
                continue
            elif character == ONE:
                self._has_one = True
                self._tokens.append("")
                continue
            self._tokens.append(character)
            self._parts[-1] += character
        if escaped:
            raise Invalid(f"{escape!r} escapes nothing")

    def matches(self, text: str) -> bool:
        """Tell whether the whole text is what the pattern describes."""
        return self._run(text) if self._has_one else self._follow(text)

    def _follow(self, text: str) -> bool:
        parts = self._parts
        first = parts[0]
        if len(parts) == 1:
            return text == first
        last = parts[-1]
        if not text.startswith(first) or not text.endswith(last):
            return False
        start = len(first)
        end = len(text) - len(last)
        for part in parts[1:-1]:
            found = text.find(part, start, end)
            if found < 0:
                return False
            start = found + len(part)
        return start <= end

    def _run(self, text: str) -> bool:
        states = 1
        loops = self._loops
        ones = self._ones
        masks = self._masks
        for character in text:
            states = (states & (masks.get(character, 0) | ones)) << 1 | (states & loops)
            if not states:
                return False
        return states & self._end != 0
