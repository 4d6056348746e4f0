"""Stores as a broker leaves them, for tests that read, copy and damage them."""

from pathlib import Path

from core.broker import Broker
from core.model.message import AT_LEAST_ONCE, plain_message
from core.recovery import recover
from core.store.interface import Store
from core.store.sqlite import SqliteStore
from tests.core.parts import a_broker, a_client


def filled(directory: Path, counts: dict[str, int], *, size: int = 20, taken: int = 0) -> SqliteStore:
    """Make a store of durable queues with so many messages, of which the first were taken, and leave it in use."""
    broker = a_broker()
    store = SqliteStore(directory)
    recover(broker, store)
    client = a_client(broker)
    for queue, count in counts.items():
        client.declare_queue(queue, durable=True)
        target = client.target("", queue)
        for number in range(count):
            body = f"{queue} {number} ".encode()
            message = plain_message(target.address, body + b"." * (size - len(body)), AT_LEAST_ONCE)
            client.publish(target.exchange, message, None, 0)
    commit(broker, store)
    for queue, count in counts.items():
        for _ in range(min(taken, count)):
            _, entry = client.get(queue)
            assert entry is not None
            entry.queue.accept(entry)
    commit(broker, store)
    return store


def commit(broker: Broker, store: Store) -> None:
    """Write what the broker has told its journal."""
    journal = broker.surroundings.journal
    while not journal.idle:
        batch = journal.seal()
        if batch is not None:
            store.commit(batch)
            journal.committed = batch.number


def loaded(broker: Broker) -> list[str]:
    """Have everything in memory, and return what was told of it."""
    for queue in broker.vhosts["/"].queues.values():
        queue.backlog.entries()
    return broker.surroundings.windows.told()


def bodies_of(broker: Broker) -> dict[str, list[bytes]]:
    """Return what each queue has, without what fills a body up."""
    queues = broker.vhosts["/"].queues
    return {
        name: [entry.message.body.rstrip(b".") for entry in queue.backlog.entries()] for name, queue in queues.items()
    }
