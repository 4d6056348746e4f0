"""The dialect of STOMP belongs to the listener: plain, detected and inside a WebSocket."""

from typing import Final

import pytest
import trio

from tests.gateway.frames import TEXT, frame
from tests.gateway.test_server import ANSWER_S, STOMP_CONNECT, running
from tests.gateway.test_websocket_opening import request

SUBSCRIBE: Final = b"SUBSCRIBE\nid:0\ndestination:/queue/q\n\n\0"
SEND: Final = b"SEND\ndestination:/queue/q\n\nx\0"
ID: Final[dict[str, bytes]] = {"rabbitmq": b"\nmessage-id:T_1@@", "activemq": b"\nmessage-id:ID"}


async def _read_message(stream: trio.abc.ReceiveStream) -> bytes:
    found = b""
    with trio.fail_after(ANSWER_S):
        while b"MESSAGE" not in found or not found.endswith(b"x\0"):
            found += await stream.receive_some(4096)
    return found


@pytest.mark.parametrize("protocol", ["stomp", "auto", "websocket"])
@pytest.mark.parametrize("dialect", ["rabbitmq", "activemq"])
async def test_a_listener_has_its_dialect(protocol: str, dialect: str) -> None:
    settings = {"protocol": protocol, "address": "127.0.0.1:0", "dialect": dialect}
    async with running(listener=[settings]) as broker:
        stream = await broker.connect(protocol)
        data = STOMP_CONNECT + SUBSCRIBE + SEND
        if protocol == "websocket":
            await stream.send_all(request("/stomp") + frame(TEXT, data))
        else:
            await stream.send_all(data)
        assert ID[dialect] in await _read_message(stream)
