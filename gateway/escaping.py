"""Text of unknown origin, made safe to show on one line.

Names, topics and reasons come from clients. A line break, a terminal's escape sequence or a mark that reverses the
writing direction would let them forge a line of the log or hide one.
"""

from typing import Final

QUOTE: Final = '"'
TEXT_LIMIT_CHARS: Final = 1_000  # of one value; a topic may have 65,535


def printable(text: str) -> str:
    """Return `text` with every character that is not printable as an escape, and everything else as it is."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def escaped(text: str) -> str:
    """Return `text` with backslashes and quotes escaped too, so that it can be read back without doubt."""
    return printable(text.replace("\\", "\\\\").replace(QUOTE, f"\\{QUOTE}"))


def quoted(text: str) -> str:
    """Return `text` in quotes, escaped."""
    return f"{QUOTE}{escaped(text)}{QUOTE}"


def word(text: str) -> str:
    """Return `text` as one word: as it is where that is unambiguous, else quoted and escaped; long text is cut."""
    more = len(text) - TEXT_LIMIT_CHARS
    if more > 0:
        return f"{quoted(text[:TEXT_LIMIT_CHARS])}+{more}"
    if not text.isprintable() or " " in text or QUOTE in text or "=" in text or "\\" in text or not text:
        return quoted(text)  # it would be ambiguous without quotes
    return text


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
