"""The broker's batch, and what its parts share."""

import pytest

from core.model.names import DEFAULT_VHOST, PREDECLARED_EXCHANGES
from tests.core.parts import Holder, a_broker, a_client, publish, run


def test_a_new_virtual_host_has_the_predeclared_exchanges() -> None:
    vhost = a_broker().add_vhost("other")
    assert {name: exchange.kind for name, exchange in vhost.exchanges.items()} == dict(PREDECLARED_EXCHANGES) | {
        "": "direct"
    }
    assert all(exchange.durable for exchange in vhost.exchanges.values())
    assert [name for name, exchange in vhost.exchanges.items() if exchange.internal] == ["amq.rabbitmq.trace"]


def test_a_batch_of_settlements_hands_over_once_at_its_end() -> None:
    broker = a_broker()
    client, consumer = a_client(broker), Holder(credit=2)
    client.declare_queue("q")
    queue = client.consume("q", consumer)
    for number in range(6):
        publish(client, "", "q", b"%d" % number)
    for entry in consumer.held[:2]:
        queue.accept(entry)
    assert len(consumer.held) == 2
    assert broker.surroundings.woken == [queue]
    broker.run()
    assert consumer.bodies == [b"0", b"1", b"2", b"3"]
    assert broker.surroundings.woken == []


def test_a_queue_deleted_in_the_same_batch_hands_over_nothing() -> None:
    broker = a_broker()
    client, consumer = a_client(broker), Holder()
    client.declare_queue("q")
    publish(client, "", "q")
    client.consume("q", consumer)
    client.delete_queue("q")
    run(broker)
    assert consumer.held == []
    assert consumer.cancellations == 1


class Reentrant(Holder):
    """Settles in the moment of delivery, as a subscription of QoS 0 to a queue does."""

    def deliver(self, entry: object) -> None:
        super().deliver(entry)  # type: ignore[arg-type]
        last = self.held[-1]
        last.queue.accept(last)


@pytest.mark.parametrize("credit", [1, 5])
def test_a_consumer_may_settle_while_it_is_delivered_to(credit: int) -> None:
    broker = a_broker()
    client, consumer = a_client(broker), Reentrant(credit=credit)
    client.declare_queue("q")
    for number in range(4):
        publish(client, "", "q", b"%d" % number)
    queue = client.consume("q", consumer)
    run(broker)
    publish(client, "", "q", b"4")
    assert consumer.bodies == [b"0", b"1", b"2", b"3", b"4"]
    assert (consumer.credit, queue.unsettled_count) == (credit, 0)
    assert broker.surroundings.usage.held_bytes == 0


def test_unique_names_come_from_outside() -> None:
    broker = a_broker()
    client = broker.open(broker.users.setdefault("u", a_client(broker).user), DEFAULT_VHOST, "test", "label")
    assert client.declare_queue("").name == "amq.gen-unique-1"
    assert (client.protocol, client.label) == ("test", "label")
