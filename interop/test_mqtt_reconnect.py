"""MQTT clients that lose their connections in the middle of an exchange and come back: QoS 1 at least once, QoS 2 once."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from interop.broker import Endpoint
from interop.clients.returning import KINDS, Returning, ReturningPaho, ReturningPaho5
from interop.cutter import Cutter

COUNT: Final = 60  # messages
LIMIT_S: Final = 10.0  # from one message to the next: a client may take a second to come back, and be cut again
# Bytes of each connection, from the first: cuts inside and between CONNECT, PUBLISH and their answers.
BUDGETS: Final = {
    "early": (30, 50, 70, 90, 110, 150, 200, 300),
    "late": (333, 101, 444, 77, 555, 129),
    "in the handshake": (250, 10, 40, 5, 300),
}

Run = Callable[..., Returning]
every_cut = pytest.mark.parametrize("budgets", BUDGETS.values(), ids=BUDGETS)


@pytest.fixture
def start(endpoint: Endpoint) -> Iterator[Run]:
    """Start a client: `start(ReturningPaho, "id", cutter)`; without a cutter it is connected directly."""
    clients: list[Returning] = []

    def run(kind: type[Returning], client_id: str, cutter: Cutter | None = None) -> Returning:
        client = kind(endpoint, endpoint.ports["mqtt"] if cutter is None else cutter.port, client_id)
        clients.append(client)
        return client

    yield run
    for client in clients:
        client.close()


@pytest.fixture
def cutter(endpoint: Endpoint) -> Iterator[Cutter]:
    proxy = Cutter(endpoint.host, endpoint.ports["mqtt"])
    yield proxy
    proxy.close()


RECEIVERS: Final = [pytest.param(kind, qos, id=f"{kind.name}, QoS {qos}") for kind in KINDS for qos in kind.receives]
SENDERS: Final = [pytest.param(kind, qos, id=f"{kind.name}, QoS {qos}") for kind in KINDS for qos in kind.sends]


def received(receiver: Returning, qos: int) -> list[bytes]:
    """Return what comes up to the last message, which may come again with QoS 1 as any other."""
    bodies: list[bytes] = []
    while b"end" not in bodies:
        bodies.append(receiver.bodies.get(timeout=LIMIT_S))
    return bodies if qos == 2 else list(dict.fromkeys(bodies))


def sent() -> list[bytes]:
    return [b"%d" % number for number in range(COUNT)] + [b"end"]


@every_cut
@pytest.mark.parametrize(("kind", "qos"), RECEIVERS)
def test_a_receiver_that_is_cut_off_gets_everything(
    start: Run, cutter: Cutter, name: str, kind: type[Returning], qos: int, budgets: tuple[int, ...]
) -> None:
    """[MQTT-4.4.0-1], [MQTT-4.3.3-1], [MQTT-4.3.2-1]"""
    receiver, sender = start(kind, f"{name}-receiver", cutter), start(ReturningPaho5, f"{name}-sender")
    receiver.subscribe(f"{name}/t", qos)
    cutter.cut(budgets)
    sender.publish(f"{name}/t", sent(), qos)
    assert received(receiver, qos) == sent()
    assert cutter.cuts == len(budgets)


@pytest.mark.parametrize("budgets", [BUDGETS["early"], BUDGETS["late"]], ids=["early", "late"])
@pytest.mark.parametrize(("kind", "qos"), SENDERS)
def test_a_sender_that_is_cut_off_delivers_everything(
    start: Run, cutter: Cutter, name: str, kind: type[Returning], qos: int, budgets: tuple[int, ...]
) -> None:
    """[MQTT-4.3.3-2], [MQTT-4.3.2-2]

    Not in the handshake: paho-mqtt forgets in a second connection what it had released before the first.
    """
    receiver, sender = start(ReturningPaho, f"{name}-receiver"), start(kind, f"{name}-sender", cutter)
    receiver.subscribe(f"{name}/t", qos)
    cutter.cut(budgets)
    sender.publish(f"{name}/t", sent(), qos)
    assert received(receiver, qos) == sent()
    assert cutter.cuts == len(budgets)
