"""Fixtures: one broker without sockets for each test."""

import pytest

from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()
