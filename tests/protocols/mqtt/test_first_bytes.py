"""Every first byte that a packet can have, in both versions: those that are not a client's end the connection."""

from typing import Final

import pytest

from tests.protocols.mqtt.either import VERSIONS, Either
from tests.protocols.world import World

CLIENTS: Final = {0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0}  # PUBACK … DISCONNECT
PUBLISHES: Final = {first for first in range(0x30, 0x40) if first & 6 != 6 and not (first & 8 and not first & 6)}
FLAGS: Final = {4: 0, 5: 0, 6: 2, 7: 0, 8: 2, 10: 2, 12: 0, 14: 0, 15: 0}  # of the packets that a client sends
REST: Final = b"\x04\x00\x01t\x01"  # a whole packet whatever its type


@pytest.mark.parametrize("first", sorted(set(range(256)) - CLIENTS - PUBLISHES))
@pytest.mark.parametrize("version", VERSIONS)
def test_a_first_byte_that_is_not_a_clients_ends_the_connection(world: World, version: int, first: int) -> None:
    """[MQTT-2.2.2-1], [MQTT-2.2.2-2], [MQTT-2.1.3-1], [MQTT-3.3.1-2], [MQTT-3.3.1-4], [MQTT-3.6.1-1], [MQTT-3.8.1-1]

    [MQTT-3.10.1-1], [MQTT-3.14.1-1], [MQTT-3.15.1-1], [MQTT-4.8.0-1], [MQTT-4.13.1-1], [MQTT-4.13.2-1]
    """
    client = Either(world, version)
    answer = client.send(bytes([first]) + REST)
    assert client.closed
    kind = first >> 4
    if version == 4:
        assert answer == []
        return
    (said,) = answer
    malformed = kind == 3 or (kind != 0 and first & 15 != FLAGS.get(kind, 0))
    assert said.name == "DISCONNECT"
    if kind == 15 and not malformed:  # an AUTH, for which its content decides
        assert said.codes in {b"\x81", b"\x82"}
    else:
        assert said.codes == (b"\x81" if malformed else b"\x82")


@pytest.mark.parametrize("first", sorted(PUBLISHES))
@pytest.mark.parametrize("version", VERSIONS)
def test_every_first_byte_of_a_publish_is_welcome(world: World, version: int, first: int) -> None:
    client = Either(world, version)
    identity = b"\0\7" if first & 6 else b""
    payload = b"\0\1t" + identity + b"\0" * (version == 5)
    client.send(bytes([first, len(payload)]) + payload)
    assert not client.closed
