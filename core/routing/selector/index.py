"""Which of many selectors match a message, for less than the price of asking each.

A selector that needs a property to be equal to a text (`key = 'n'`, `key IN ('n', 'm')`, alone or beside other conditions)
is found by the text: a hundred of them on one property cost one look into one table. All others are asked in turn.
"""

from mypy_extensions import mypyc_attr

from core.model.message import Message
from core.routing.selector.expressions import Identifier
from core.routing.selector.selector import Selector


@mypyc_attr(allow_interpreted_subclasses=True)
class Selecting:
    """Somebody who wants what a selector matches."""

    def __init__(self, selector: Selector) -> None:
        self.selector = selector


class PinnedProperty:
    """The selectors that need one property to be equal to a text."""

    def __init__(self, asked: Identifier) -> None:
        self.asked = asked
        self.by_text: dict[str, dict[Selecting, None]] = {}


class SelectorIndex:
    """Selectors, each with whoever wants what it matches."""

    def __init__(self) -> None:
        self._pinned: dict[str, PinnedProperty] = {}  # by the property's name
        self._others: dict[Selecting, None] = {}
        self._others_steps = 0
        self.steps = 0  # of work (`Counters.work`), for the last message that was matched

    def add(self, selecting: Selecting) -> None:
        """Ask this selector too."""
        pin = selecting.selector.pin
        if pin is None:
            self._others[selecting] = None
            self._others_steps += selecting.selector.steps
            return
        pinned = self._pinned.get(pin.asked.name)
        if pinned is None:
            pinned = self._pinned[pin.asked.name] = PinnedProperty(pin.asked)
        for text in pin.texts:
            pinned.by_text.setdefault(text, {})[selecting] = None

    def remove(self, selecting: Selecting) -> None:
        """Ask this selector, which was added, no more."""
        pin = selecting.selector.pin
        if pin is None:
            del self._others[selecting]
            self._others_steps -= selecting.selector.steps
            return
        by_text = self._pinned[pin.asked.name].by_text
        for text in pin.texts:
            found = by_text[text]
            del found[selecting]
            if not found:
                del by_text[text]
        if not by_text:
            del self._pinned[pin.asked.name]

    def matching(self, message: Message) -> list[Selecting]:
        """Return whose selectors match a message."""
        said = message.properties
        matching: list[Selecting] = []
        steps = self._others_steps + len(self._pinned)
        for pinned in self._pinned.values():
            text = pinned.asked.value(message, said)
            if isinstance(text, str):
                found = pinned.by_text.get(text)
                if found is not None:
                    for selecting in found:
                        steps += selecting.selector.steps
                        if selecting.selector.is_pin or selecting.selector.matches_said(message, said):
                            matching.append(selecting)
        for selecting in self._others:
            if selecting.selector.matches_said(message, said):
                matching.append(selecting)
        self.steps = steps
        return matching
