"""One port serves all protocols: the first bytes tell which one it is."""

import pytest

from interop.broker import Endpoint
from interop.clients import TOPIC_DRIVERS, Connect, Driver, PikaDriver, Topic
from interop.raw import RawSocket


@pytest.mark.parametrize("kind", TOPIC_DRIVERS, ids=lambda kind: kind.name)
def test_every_client_is_understood_on_the_detecting_port(
    connect: Connect, endpoint: Endpoint, name: str, kind: type[Driver]
) -> None:
    elsewhere = connect(PikaDriver)
    elsewhere.subscribe(Topic(f"{name}.there"))
    client = kind(endpoint.at_auto_port())
    try:
        client.subscribe(Topic(f"{name}.back"))
        client.publish(Topic(f"{name}.there"), b"there")
        assert elsewhere.receive().body == b"there"
        elsewhere.publish(Topic(f"{name}.back"), b"back")
        assert client.receive().body == b"back"
    finally:
        client.close()


@pytest.mark.parametrize("start", [b"\0\0\0\0\0\0\0\0", b"HELO there\r\n", b"\xff" * 64, b"AMQX\0\0\x09\x01"])
def test_bytes_of_no_protocol_close_the_detecting_port(endpoint: Endpoint, start: bytes) -> None:
    client = RawSocket(endpoint.host, endpoint.ports["auto"])
    client.send(start)
    client.read_to_the_end()
