"""Fixtures: a broker without sockets, and one client of it at different points of its way."""

import pytest

from protocols.amqp.connection import AmqpConnection
from tests.protocols.amqp.peer import PROTOCOL_HEADER, AmqpPeer
from tests.protocols.world import Wire, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def peer(world: World) -> AmqpPeer:
    """A client with the queue `q`."""
    peer = AmqpPeer(world)
    peer.queue("q")
    return peer


@pytest.fixture
def wire(world: World) -> Wire[AmqpConnection]:
    """A client that has said nothing yet."""
    return world.connect(AmqpConnection)


@pytest.fixture
def greeted(wire: Wire[AmqpConnection]) -> Wire[AmqpConnection]:
    """A client that has been greeted with connection.start."""
    wire.send(PROTOCOL_HEADER)
    return wire
