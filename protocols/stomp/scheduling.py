"""Scheduled messages: the headers of a SEND that say when it is to be published (ActiveMQ's "Delay and Schedule").

Checked here, acted on by the core when it is due (`core.queueing.schedule`).
"""

from typing import Final

from core.model.errors import Unsupported
from core.queueing.schedule import DELAY, PERIOD, REPEAT
from core.routing.delayed import DELAY_LIMIT_MS
from protocols.stomp.headers import number

CRON: Final = "AMQ_SCHEDULED_CRON"
REPEAT_MOST: Final = (1 << 31) - 1  # ActiveMQ's, an int of Java
FOR_EVER: Final = "-1"


def is_scheduled(headers: dict[str, str]) -> bool:
    """Tell whether a SEND with these headers is for later; refuse what they say wrongly."""
    if CRON in headers:
        raise Unsupported(f"{CRON} is not served, only {DELAY}, {PERIOD} and {REPEAT}")
    for name in (DELAY, PERIOD):
        if name in headers:
            number(name, headers[name], DELAY_LIMIT_MS)
    if REPEAT in headers and headers[REPEAT] != FOR_EVER:
        number(REPEAT, headers[REPEAT], REPEAT_MOST)
    return DELAY in headers or PERIOD in headers  # to be repeated without a time between is to be sent
