"""The HTTP request that opens a WebSocket: is it one, for which protocol, and if not, what is the answer?

The path chooses the protocol, or leaves it to the subprotocol. A client should offer that of its protocol
[MQTT-6.0.0-3]; who offers none is taken by RabbitMQ, and here. Who offers only others is refused for MQTT, as by
Mosquitto, and taken for STOMP, as by RabbitMQ. Pure: `h11` has read the request, as it reads those for pages.
"""

import base64
import binascii
from http import HTTPStatus
from typing import Final

import h11
from websockets.datastructures import Headers as ResponseHeaders
from websockets.http11 import Response
from websockets.utils import accept_key

from gateway.origins import Origins
from protocols.connection import Peer

MQTT: Final = "mqtt"
STOMP: Final = "stomp"

MQTT_SUBPROTOCOLS: Final = ("mqtt", "mqttv3.1")  # the first that is offered is chosen
STOMP_SUBPROTOCOLS: Final = ("v12.stomp", "v11.stomp", "v10.stomp")  # the newest first: that is what is chosen
PATHS: Final[dict[str, tuple[str, ...]]] = {
    "/mqtt": MQTT_SUBPROTOCOLS,
    "/stomp": STOMP_SUBPROTOCOLS,
    "/ws": (*MQTT_SUBPROTOCOLS, *STOMP_SUBPROTOCOLS),  # RabbitMQ's, on a port for each; here the subprotocol tells
}
SHOWN_CHARS: Final = 80  # of what the client has sent, in the log
KEY_BYTES: Final = 16  # RFC 6455 §4.1

Headers = list[tuple[str, str]]


class Refusal(Exception):
    """The answer to a request that opens no WebSocket. The text is for people, `why` for the log."""

    def __init__(self, status: int, text: str, why: str = "", headers: Headers | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.why = why or text
        self.headers = headers or []


class Opened:
    """A WebSocket that is agreed on: what is spoken in it, and the answer that opens it."""

    def __init__(self, protocol: str, subprotocol: str | None, answer: bytes) -> None:
        self.protocol = protocol
        self.subprotocol = subprotocol
        self.answer = answer


def open_websocket(request: h11.Request, origins: Origins, peer: Peer) -> Opened:
    """Judge a request, and agree; Refusal says what is answered instead."""
    path = _path(request)
    known = PATHS.get(path)
    if known is None:
        raise Refusal(404, f"There is nothing here: WebSocket is at {', '.join(PATHS)}.", f"no path {_shown(path)}")
    if request.method != b"GET":
        raise Refusal(
            405, "A WebSocket is opened by GET.", f"method {_shown(_text(request.method))}", [("Allow", "GET")]
        )
    headers = _collected(request)
    _check_upgrade(request, headers)
    _check_origin(headers, origins, peer)
    offered = _items(headers.get("sec-websocket-protocol", ""))
    subprotocol = _chosen(offered, known)
    if subprotocol is None and known is not STOMP_SUBPROTOCOLS and (offered or known is not MQTT_SUBPROTOCOLS):
        raise Refusal(400, f"Offer one of the subprotocols {', '.join(known)}.", "no subprotocol that is known")
    protocol = MQTT if known is MQTT_SUBPROTOCOLS or subprotocol in MQTT_SUBPROTOCOLS else STOMP
    return Opened(protocol, subprotocol, _accept(headers, subprotocol))


def answer(refusal: Refusal, *, body: bool) -> bytes:
    """Return a whole HTTP response that says no, after which the connection is closed."""
    text = f"{refusal.text}\n".encode()
    upgrade = any(name == "Upgrade" for name, _ in refusal.headers)
    response = h11.Response(
        status_code=refusal.status,
        reason=HTTPStatus(refusal.status).phrase,
        headers=[
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(text))),
            ("Connection", "upgrade, close" if upgrade else "close"),  # RFC 9110 §7.8
            *refusal.headers,
        ],
    )
    head = h11.Connection(h11.SERVER).send(response) or b""
    return head + text if body else head


def _path(request: h11.Request) -> str:
    path = _text(request.target).partition("?")[0]
    return path.rstrip("/") or "/"


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _shown(text: str) -> str:
    return repr(text[:SHOWN_CHARS])


def _collected(request: h11.Request) -> dict[str, str]:
    """Return the headers by name; what is said twice is one list (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        key = _text(name)
        found[key] = f"{found[key]},{_text(value)}" if key in found else _text(value)
    return found


def _items(text: str) -> list[str]:
    return [item for item in (part.strip() for part in text.split(",")) if item]


def _check_upgrade(request: h11.Request, headers: dict[str, str]) -> None:
    wanted = [item.lower() for item in _items(headers.get("upgrade", ""))]
    if "websocket" not in wanted:
        upgrade = [("Upgrade", "websocket")]
        raise Refusal(426, "This is for WebSocket clients.", "no request for a WebSocket", upgrade)
    if headers.get("sec-websocket-version") != "13":
        version = headers.get("sec-websocket-version", "")
        raise Refusal(
            426,
            "WebSocket is spoken in version 13 only.",
            f"WebSocket version {_shown(version)}",
            [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],  # RFC 6455 §4.4
        )
    if request.http_version != b"1.1":
        raise Refusal(400, "A WebSocket needs HTTP/1.1.")
    if "content-length" in headers or "transfer-encoding" in headers:
        raise Refusal(400, "A request for a WebSocket has no body.")
    if "upgrade" not in [item.lower() for item in _items(headers.get("connection", ""))]:
        raise Refusal(400, "A request for a WebSocket says Connection: Upgrade.")
    if not headers.get("host", "").isascii():
        raise Refusal(400, "A header is not the text that it should be.")
    if not _is_key(headers.get("sec-websocket-key", "")):
        raise Refusal(400, "Sec-WebSocket-Key must be 16 bytes in base64.")


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _check_origin(headers: dict[str, str], origins: Origins, peer: Peer) -> None:
    origin = headers.get("origin")
    if origin is not None and not origins.allows(origin, headers.get("host", ""), loopback=peer.loopback):
        raise Refusal(403, "Pages of this origin may not connect.", f"origin {_shown(origin)} is not allowed")


def _chosen(offered: list[str], known: tuple[str, ...]) -> str | None:
    """Return the protocol that the client offers first, and of its names the one that says most.

    For MQTT that is `mqtt` [MQTT-6.0.0-4], and for STOMP the newest version.
    """
    for item in offered:
        if item in known:
            names = MQTT_SUBPROTOCOLS if item in MQTT_SUBPROTOCOLS else STOMP_SUBPROTOCOLS
            return next(one for one in names if one in offered)
    return None


def _accept(headers: dict[str, str], subprotocol: str | None) -> bytes:
    agreed = ResponseHeaders()
    agreed["Upgrade"] = "websocket"
    agreed["Connection"] = "Upgrade"
    agreed["Sec-WebSocket-Accept"] = accept_key(headers["sec-websocket-key"])
    if subprotocol is not None:
        agreed["Sec-WebSocket-Protocol"] = subprotocol
    return Response(101, "Switching Protocols", agreed).serialize()
