"""Fixtures: one broker for the whole run, clients that are closed at the end of a test, names that nobody else has."""

import itertools
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import FORWARDING, BrokerProcess, Endpoint, running_endpoint
from interop.clients import Connect, Driver
from interop.clients.pika_client import connect as connect_pika

D = TypeVar("D", bound=Driver)

_numbers = itertools.count()
_run = uuid.uuid4().hex[:8]  # a broker that keeps running has the names of earlier runs


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The broker under test; one of our own must end well and must not have met a bug of its own."""
    running = running_endpoint()
    if running is not None:
        yield running
        return
    broker = BrokerProcess(tmp_path_factory.mktemp("broker"), FORWARDING)
    try:
        yield broker.endpoint
        assert broker.alive, broker.log
        assert broker.stop() == 0, broker.log
        assert "Traceback" not in broker.log, broker.log
    finally:
        broker.kill()


@pytest.fixture
def name() -> str:
    """A word that no other test uses: for queues, levels of topics, client ids."""
    return f"i{_run}{next(_numbers)}"


@pytest.fixture
def connect(endpoint: Endpoint) -> Iterator[Connect]:
    """Connect a driver to the broker: `connect(PahoDriver, "client-id")`; it is closed at the end."""
    drivers: list[Driver] = []

    def connect_driver(kind: type[D], *arguments: Any, **options: Any) -> D:
        driver = kind(endpoint, *arguments, **options)
        drivers.append(driver)
        return driver

    yield connect_driver
    for driver in drivers:
        # A test may have ended the connection; whether the broker still works is for the canary to say.
        with suppress(Exception):
            driver.close()


@pytest.fixture
def channel(endpoint: Endpoint) -> Iterator[BlockingChannel]:
    """A channel of pika's on which every publish waits for its confirm."""
    connection = connect_pika(endpoint)
    channel = connection.channel()
    channel.confirm_delivery()
    yield channel
    if connection.is_open:
        connection.close()
