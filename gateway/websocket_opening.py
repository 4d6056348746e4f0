"""The machine of a connection that begins with HTTP: it reads one request, and gives way to the protocol in the WebSocket.

Whoever asks for something else gets a short answer and is closed. The time until a login is counted from the accept.
"""

from typing import Final

import h11
import structlog

from core.broker import Broker
from core.timers import NEVER
from gateway.link import Link
from gateway.origins import Origins
from gateway.reactor import Machine
from gateway.websocket import WebSocketFilter
from gateway.websocket_request import STOMP, Opened, Refusal, answer, open_websocket
from protocols.connection import NOWHERE, Connection, Outlet, Peer

WEBSOCKET: Final = "websocket"
HEAD_LIMIT_BYTES: Final = 8_192  # of a request, up to the empty line; browsers send cookies of any site on this host

log = structlog.get_logger("dragoman.websocket")


class WebSocketOpening(Connection):
    """A connection that has not been upgraded yet."""

    def __init__(
        self, broker: Broker, outlet: Outlet, peer: Peer, origins: Origins, machines: dict[str, Machine]
    ) -> None:
        super().__init__(broker, outlet, peer, WEBSOCKET)
        self._origins = origins
        self._machines = machines  # of the protocols inside
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT_BYTES)
        self._received_bytes = 0

    def receive(self, data: bytes) -> None:
        if self.closed or not data:
            self.closed = True
            return
        self._received_bytes += len(data)
        has_body = True
        try:
            request = self._request(data)
            if request is None:
                return
            has_body = request.method != b"HEAD"
            opened = open_websocket(request, self._origins, self.peer)
        except Refusal as refusal:
            self.write(answer(refusal, body=has_body))
            self._refuse(refusal.why)
            return
        self._give_way(opened, self._http.trailing_data[0])

    def _request(self, data: bytes) -> h11.Request | None:
        self._http.receive_data(data)
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:
                raise _too_long() from None
            raise Refusal(400, "This is not HTTP as it should be.", f"HTTP: {error}") from None
        if not isinstance(event, h11.Request):
            return None
        if self._received_bytes - len(self._http.trailing_data[0]) > HEAD_LIMIT_BYTES:
            raise _too_long()
        return event

    def _give_way(self, opened: Opened, rest: bytes) -> None:
        link = self.outlet
        assert isinstance(link, Link)
        log.debug("upgraded", peer=self.peer.address, protocol=opened.protocol, subprotocol=opened.subprotocol)
        machine = self._machines[opened.protocol](self.broker, link, self.peer)
        machine.deadline = min(machine.deadline, self.deadline)
        self.deadline = NEVER
        self.outlet = NOWHERE
        self.broker.timers.forget(self)
        link.attach(machine)
        link.add_filter(WebSocketFilter(self.broker, link, opened.answer, textual=opened.protocol == STOMP), rest)

    def _refuse(self, why: str) -> None:
        self.closed = True
        self.outlet.note("connection refused", why)

    def timeout(self) -> None:
        self.deadline = NEVER
        self.write(answer(Refusal(408, "No request came in time."), body=True))
        self._refuse("no request came in time")


def _too_long() -> Refusal:
    text = f"The head of a request may have {HEAD_LIMIT_BYTES} bytes."
    return Refusal(431, text, f"a request with a head of more than {HEAD_LIMIT_BYTES} bytes")
