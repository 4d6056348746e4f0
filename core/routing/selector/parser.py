"""From the text of a selector to the selector: lark finds its parts, the builder makes the tree.

The grammar is compiled once for each way to read hyphens, which takes 100 ms with the import of lark: when somebody prepares
for it in a thread, else at first use. Texts that were parsed lately are remembered, since a thousand consumers may come with
the same one.
"""

from functools import lru_cache
from typing import Any, Final

from core.model.errors import InvalidSelector
from core.routing.selector.builder import Builder
from core.routing.selector.grammar import GRAMMAR, HYPHENATED_IDENTIFIER, IDENTIFIER
from core.routing.selector.selector import Selector

TEXT_LIMIT_BYTES: Final = 8_192  # twice RabbitMQ's limit on its SQL filters
REMEMBERED: Final = 512  # selectors
REMEMBERED_CHARS: Final = 512  # of a text; longer ones are parsed each time, for what they take
PARSE_STEPS: Final = 8  # of work (`Counters.work`), for a character: it takes some five microseconds
SHOWN_CHARS: Final = 20  # of what was not expected

CONVERTING: Final = "convert_string_expressions:"  # ActiveMQ's
HYPHENATED: Final = "hyphenated_props:"  # Apollo's and Artemis'


def parse_selector(text: str) -> Selector:
    """Return the selector that a text says. InvalidSelector names the column, from 1, where it ceases to make sense."""
    if len(text.encode(errors="replace")) > TEXT_LIMIT_BYTES:
        raise InvalidSelector(f"selector of more than {TEXT_LIMIT_BYTES} bytes", 1)
    try:
        return _remembered(text) if len(text) <= REMEMBERED_CHARS else _parsed(text)
    except InvalidSelector as error:
        raise InvalidSelector(f"invalid selector, column {error.column}: {error.text}", error.column) from None


@lru_cache(maxsize=REMEMBERED)
def _remembered(text: str) -> Selector:
    return _parsed(text)


def _parsed(text: str) -> Selector:
    rest = text.lstrip()
    converts = False
    hyphenated = False
    while True:
        if rest.startswith(CONVERTING):
            converts = True
            rest = rest[len(CONVERTING) :].lstrip()
        elif rest.startswith(HYPHENATED):
            hyphenated = True
            rest = rest[len(HYPHENATED) :].lstrip()
        else:
            break
    return _language(hyphenated).parse(text, rest, converts=converts)


class Language:
    """One grammar, with the builder that its parser calls."""

    def __init__(self, identifier: str) -> None:
        from lark import Lark  # here, so that who never selects need not wait for it

        self._builder = Builder()
        count = self._builder.count
        options: dict[str, Any] = {
            "transformer": self._builder,
            "lexer_callbacks": {"LPAR": count, "NOT": count, "SIGN": count},
        }
        self._parser = Lark(GRAMMAR % identifier, parser="lalr", lexer="basic", maybe_placeholders=True, **options)

    def parse(self, text: str, rest: str, *, converts: bool) -> Selector:
        """Parse `rest`, what is left of `text` behind its prefixes."""
        from lark.exceptions import UnexpectedCharacters, UnexpectedToken

        offset = len(text) - len(rest)
        builder = self._builder
        builder.begin(offset, converts=converts)
        try:
            condition = builder.condition(self._parser.parse(rest))  # type: ignore[arg-type]
        except UnexpectedCharacters as error:
            found: Any = error  # lark declares that the place is None, which would be checked where this is compiled
            place = found.pos_in_stream
            raise InvalidSelector(_unexpected_character(rest, place), offset + place + 1) from None
        except UnexpectedToken as unexpected:
            token = unexpected.token
            if token.type == "$END":
                raise InvalidSelector("it ends too early", len(text.rstrip()) + 1) from None
            shown = str(token)[:SHOWN_CHARS]
            raise InvalidSelector(f"unexpected {shown!r}", offset + (token.start_pos or 0) + 1) from None
        return Selector(text, condition, builder.parts)


def prepare_parser() -> None:
    """Do what the first selector would have to wait for; may be called in another thread."""
    _language(False)


@lru_cache(maxsize=2)
def _language(hyphenated: bool) -> Language:
    return Language(HYPHENATED_IDENTIFIER if hyphenated else IDENTIFIER)


def _unexpected_character(text: str, place: int) -> str:
    character = text[place]
    if character in "'\"":
        return f"{character} without its end"
    return f"unexpected {character!r}"
