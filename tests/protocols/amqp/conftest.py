"""Fixtures: a broker without sockets, and one client of it."""

import pytest

from tests.protocols.amqp.peer import AmqpPeer
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def peer(world: World) -> AmqpPeer:
    """A client with the queue `q`."""
    peer = AmqpPeer(world)
    peer.queue("q")
    return peer
