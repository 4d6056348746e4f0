"""The end of a connection: who is waited for, and that what has ended is freed at once."""

import gc
from typing import Final

import pytest

from core.access import EVERYTHING, Permission, User
from protocols.mqtt.connection import MqttConnection
from tests.gateway.rig import Client, Rig, rig

MQTT_CONNECT: Final = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03one"
MQTT_SUBSCRIBE: Final = b"\x82\x08\x00\x01\x00\x03a/b\x01"
MQTT_PUBLISH: Final = b"\x32\x08\x00\x03a/b\x00\x01x"


@pytest.mark.parametrize(("left", "open_sockets"), [(False, 1), (True, 0)])
def test_only_who_has_not_said_good_bye_is_waited_for(left: bool, open_sockets: int) -> None:
    with rig() as r:
        client = r.connect()

        def leave(_: bytes) -> None:
            client.machine.write(b"last word")
            client.machine.left = left
            client.machine.closed = True

        client.machine.on_receive = leave
        client.send(b"bye")
        assert r.reactor.connections == open_sockets
        assert client.read_to_the_end() == b"last word"


def _visit(r: Rig, client: Client) -> None:
    client.send(MQTT_CONNECT)
    _let_in(r)
    client.send(MQTT_SUBSCRIBE + MQTT_PUBLISH)
    client.send(b"\xe0\x00")


def _let_in(r: Rig) -> None:
    user = User("someone")
    user.permissions["/"] = Permission(EVERYTHING, EVERYTHING, EVERYTHING)
    link, _, _ = r.gatekeeper.waiting.pop()
    link.answer(user, "")
    r.settle()


def test_what_has_ended_is_freed_without_the_collector() -> None:
    """Ten thousand visits that wait for it would be a pause of tens of milliseconds."""
    with rig() as r:
        gc.collect()
        gc.disable()
        try:
            client = r.connect(machine=MqttConnection)
            _visit(r, client)
            assert r.reactor.connections == 0
            del client
            assert not [found for found in gc.get_objects() if isinstance(found, MqttConnection)]
        finally:
            gc.enable()
