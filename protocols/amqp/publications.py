"""What one connection has learnt from its publishes, so that the next one like it costs two look-ups (AMQP 0-9-1 §1.8.3.7).

The arguments of basic.publish, as bytes, lead to the exchange and address that they name, once the user may write
there. A content header frame, as bytes, leads to the checked properties. Both memories are bounded.
"""

from typing import Final

from core.access import User
from core.client import Client
from core.model.message import Address
from core.routing.exchange import Exchange
from protocols.amqp.errors import NOT_IMPLEMENTED, PeerError
from protocols.amqp.properties import AmqpNative, inspect
from protocols.amqp.reader import Reader

PUBLICATIONS_LIMIT: Final = 4_096  # of one connection; beyond it the memory starts anew
HEADERS_LIMIT: Final = 256
HEADER_LIMIT_BYTES: Final = 256  # a larger header is not remembered

_MANDATORY: Final = 1
_IMMEDIATE: Final = 2


class Publication:
    """Where a basic.publish goes, and whether it comes back when nobody wants it."""

    def __init__(self, exchange: Exchange, address: Address, *, mandatory: bool) -> None:
        self.exchange = exchange
        self.address = address
        self.mandatory = mandatory


class Publications:
    """The memory of one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._user: User = client.user
        self._publications: dict[bytes, Publication] = {}
        self._natives: dict[bytes, AmqpNative] = {}
        self.partial_bytes = 0  # of bodies that are still coming in, on all channels

    def forget(self) -> None:
        """Ask anew what the user may do."""
        self._publications.clear()
        self._natives.clear()

    def find(self, arguments: bytes) -> Publication:
        """Return what the arguments of a basic.publish stand for."""
        publication = self._publications.get(arguments)
        if publication is None or publication.exchange.deleted:
            publication = self._resolve(arguments)
            if len(self._publications) >= PUBLICATIONS_LIMIT:
                self._publications.clear()
            self._publications[arguments] = publication
        return publication

    def _resolve(self, arguments: bytes) -> Publication:
        reader = Reader(arguments, 0, len(arguments))
        reader.short()
        exchange = reader.shortstr()
        key = reader.shortstr()
        bits = reader.octet()
        reader.finish()
        if bits & _IMMEDIATE:
            raise PeerError(NOT_IMPLEMENTED, "immediate=true")
        target = self._client.target(exchange, key)
        return Publication(target.exchange, target.address, mandatory=bool(bits & _MANDATORY))

    def native(self, frame: bytes) -> AmqpNative:
        """Return the checked properties of a content header frame (from its size to its end octet)."""
        native = self._natives.get(frame)
        if native is None:
            native = inspect(frame, self._user)
            if not native.singular and len(frame) <= HEADER_LIMIT_BYTES:
                if len(self._natives) >= HEADERS_LIMIT:
                    self._natives.clear()
                self._natives[frame] = native
        return native
