"""The clients that can also speak through a WebSocket: the drivers of paho-mqtt and stomp.py, on another transport."""

from typing import Any, Final

from stomp.adapter.ws import WSStompConnection

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.paho_client import PahoDriver
from interop.clients.stomp_py_client import StompPyDriver

SUBPROTOCOL: Final = {"Sec-WebSocket-Protocol": "v12.stomp"}


class PahoWebSocketDriver(PahoDriver):
    """paho-mqtt at `/mqtt`."""

    name = "paho-mqtt in WebSocket"
    transport = "websockets"
    port = "websocket"


class StompPyWebSocketDriver(StompPyDriver):
    """stomp.py at `/stomp`, in frames of text."""

    name = "stomp.py in WebSocket"
    binary = False
    heart_beats_ms = (0, 0)

    def opened(self, endpoint: Endpoint) -> Any:
        return WSStompConnection(
            [(endpoint.host, endpoint.ports["websocket"])],
            vhost="/",
            auto_decode=False,
            reconnect_attempts_max=1,
            timeout=ANSWER_LIMIT_S,
            try_loopback_connect=False,
            ws_path="/stomp",
            header=SUBPROTOCOL,
            binary_mode=self.binary,
            heartbeats=self.heart_beats_ms,
        )


class StompPyBinaryDriver(StompPyWebSocketDriver):
    """The same in frames of bytes."""

    name = "stomp.py in WebSocket, binary"
    binary = True
