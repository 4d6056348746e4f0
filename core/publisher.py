"""Whoever publishes: where it may, and how it learns what became of its messages."""

from mypy_extensions import mypyc_attr

from core.model.message import Address
from core.routing.exchange import Exchange


class Target:
    """A place that a client was authorised to publish to. Protocols keep it until permissions change."""

    def __init__(self, exchange: Exchange, address: Address) -> None:
        self.exchange = exchange
        self.address = address


@mypyc_attr(allow_interpreted_subclasses=True)
class Publisher:
    """Learns what became of its publishes. Each tag gets exactly one of the two, at once or later."""

    def confirmed(self, tag: int, *, routed: bool) -> None:
        """The broker has taken responsibility; `routed` tells whether anybody wanted the message."""
        raise AssertionError(f"{type(self).__name__} publishes with tags but does not take confirms")

    def refused(self, tag: int) -> None:
        """The message was not taken by all that it was routed to."""
        raise AssertionError(f"{type(self).__name__} publishes with tags but does not take refusals")
