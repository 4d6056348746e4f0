"""Everything that an AMQP client can do wrong: what it sends, one case for each mistake, and what comes back for it."""

from typing import Final

from interop.mistakes import arguments, content, definitions, frames, handshake, permissions, settling
from interop.mistakes.case import Case

CASES: Final[tuple[Case, ...]] = (
    *handshake.CASES,
    *frames.CASES,
    *definitions.CASES,
    *arguments.CASES,
    *content.CASES,
    *settling.CASES,
    *permissions.CASES,
)
