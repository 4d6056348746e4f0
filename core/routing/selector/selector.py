"""A selector that is ready: whether a message matches, and what makes it match at the least."""

from typing import Final

from core.model.message import Message
from core.model.properties import Properties
from core.routing.selector.expressions import And, Comparison, Expression, Identifier, In, Literal
from core.routing.selector.values import EQUAL, TRUE, spells_something

SELECTOR_COST_BYTES: Final = 1_024  # of memory, for one without its parts and its text
PART_COST_BYTES: Final = 256  # for one expression
CHARACTER_COST_BYTES: Final = 16  # for one of the text, which literals and patterns have anew
PARTS_A_STEP: Final = 10  # that are asked in one step of work


class Pin:
    """A property that must be equal to one of some texts in every message that a selector matches."""

    def __init__(self, asked: Identifier, texts: tuple[str, ...]) -> None:
        self.asked = asked
        self.texts = texts


class Selector:
    """A condition on messages, of so many `parts`. Selectors with the same text are alike."""

    def __init__(self, text: str, condition: Expression, parts: int = 1) -> None:
        self.text = text
        self.cost_bytes = SELECTOR_COST_BYTES + PART_COST_BYTES * parts + CHARACTER_COST_BYTES * len(text)  # of memory
        self.steps = 1 + parts // PARTS_A_STEP  # of work (`Counters.work`), to ask about one message
        self.pin = _pin_of(condition)
        self.is_pin = self.pin is not None and not isinstance(condition, And)  # whether it says nothing beside its pin
        self._condition: Final = condition

    def matches(self, message: Message) -> bool:
        """Tell whether the condition is true for a message: neither false nor unknown."""
        return self._condition.test(message, message.properties) == TRUE

    def matches_said(self, message: Message, said: Properties) -> bool:
        """Tell the same where the message's properties are at hand already."""
        return self._condition.test(message, said) == TRUE

    def narrowed(self, text: str, condition: Expression) -> "Selector":
        """Return the selector, to be known by another text, of what matches and meets one more condition."""
        found = Selector(text, And([condition, self._condition]))
        found.cost_bytes += self.cost_bytes
        found.steps += self.steps
        return found

    def __repr__(self) -> str:
        return f"Selector({self.text!r})"


def _pin_of(condition: Expression) -> Pin | None:
    for part in condition.parts if isinstance(condition, And) else [condition]:
        if isinstance(part, In) and isinstance(part.asked, Identifier):
            texts = [literal for literal in part.literals if isinstance(literal, str)]
            if len(texts) == len(part.literals):
                return Pin(part.asked, tuple(dict.fromkeys(texts)))
        if isinstance(part, Comparison) and part.operation == EQUAL:
            for asked, literal in ((part.left, part.right), (part.right, part.left)):
                if isinstance(asked, Identifier) and isinstance(literal, Literal):
                    text = literal.literal
                    if isinstance(text, str) and not (part.converts and spells_something(text)):
                        return Pin(asked, (text,))
    return None
