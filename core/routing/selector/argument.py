"""The selector in the arguments of a consumer."""

from core.counters import Counters
from core.model.arguments import SELECTOR
from core.model.errors import InvalidSelector
from core.model.properties import Headers
from core.routing.selector.parser import PARSE_STEPS, parse_selector
from core.routing.selector.selector import Selector


def selector_of(arguments: Headers, what: str, counters: Counters) -> Selector | None:
    """Return the selector of a consumer of `what`; an empty one is none (JMS 2.0 §3.8.1). The arguments were checked."""
    text = arguments.get(SELECTOR)
    if not isinstance(text, str) or not text.strip():
        return None
    counters.work += PARSE_STEPS * len(text)
    try:
        return parse_selector(text)
    except InvalidSelector as error:
        # The place comes first: AMQP cuts the end of long texts off.
        raise InvalidSelector(f"{error.text} (arg '{SELECTOR}' for {what})", error.column) from None
