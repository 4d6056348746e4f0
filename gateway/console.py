"""The form of a line of the log for people: its columns and colours."""

from typing import Final

from gateway.escaping import escaped

EVENT_WIDTH: Final = 24  # columns before the fields, so that they line up for most events
LEVEL_WIDTH: Final = 7

RESET: Final = "\x1b[0m"
DIM: Final = "\x1b[2m"
BOLD: Final = "\x1b[1m"
LEVEL_COLOURS: Final = {"debug": DIM, "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}


def painted(text: str, colour: str, coloured: bool) -> str:
    """Return a text in a colour, if colours are wanted."""
    return f"{colour}{text}{RESET}" if coloured and colour else text


def shown_event(level: str, event: str, coloured: bool) -> str:
    """Return level and event, each as wide as its column."""
    colour = LEVEL_COLOURS.get(level, "")
    name = escaped(event)
    padded_level = painted(level.ljust(LEVEL_WIDTH), colour, coloured)
    return f"{padded_level} {painted(name.ljust(EVENT_WIDTH), BOLD, coloured)}"


def shown_key(key: str, coloured: bool) -> str:
    """Return what stands before the value of a field."""
    return f"{painted(key, DIM, coloured)}="
