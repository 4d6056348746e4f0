"""`no-local` of a SUBSCRIBE: all but what this connection sends itself (JMS's noLocal).

It is one more condition of a selector, so that queues, topics and browsers need to know nothing of it. Who sent a message
is told by what its headers were read into, which no two connections share: no message carries it. What is said anew on the
way, as a dead letter or a scheduled message, is nobody's own any more.
"""

from typing import Final

from core.model.message import Message
from core.model.properties import Properties
from core.routing.selector.expressions import CONDITION, Expression, Literal
from core.routing.selector.selector import Selector
from core.routing.selector.values import FALSE, TRUE
from protocols.stomp.frames import Frame
from protocols.stomp.translate import StompNative

NAMES: Final = ("activemq.noLocal", "no-local")  # ActiveMQ's and Artemis'


class Foreign(Expression):
    """Whether a message comes from anybody but one connection."""

    def __init__(self, origin: str) -> None:
        super().__init__(CONDITION, 1, 1)
        self._origin = origin

    def test(self, message: Message, said: Properties) -> int:
        native = message.native
        return FALSE if isinstance(native, StompNative) and native.origin == self._origin else TRUE


def wants_no_local(frame: Frame) -> bool:
    """Tell whether a SUBSCRIBE asks for what others send only."""
    flags = [frame.flag(name) for name in NAMES]
    return any(flags)


def from_others(origin: str, selector: Selector | None) -> Selector:
    """Return what selects of a selector's messages, or of all, those that the connection `origin` has not sent."""
    if selector is None:
        selector = Selector("", Literal(CONDITION, 1, True))
    return selector.narrowed(f"{NAMES[0]} {origin} {selector.text}", Foreign(origin))
