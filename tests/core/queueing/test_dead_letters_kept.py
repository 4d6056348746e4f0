"""Dead letters that wait for their turn while the process dies: each is where it came from, or where it goes, and not lost."""

import pytest

from core.client import Client
from core.model.message import AT_LEAST_ONCE, plain_message
from core.queueing.dead_letters import LETTERS_AT_ONCE
from core.recovery import mark_seen, recover
from core.store.memory import MemoryStore
from tests.core.parts import Holder, a_broker, a_client
from tests.core.store.filling import commit

COPIES = LETTERS_AT_ONCE + 100


def counts(client: Client) -> tuple[int, int]:
    """Return how many messages are at the end of the way, and how many in the queues before it."""
    queues = client.vhost.queues
    return queues["end"].ready_count, sum(queue.ready_count for name, queue in queues.items() if name != "end")


@pytest.mark.parametrize("in_order", [False, True], ids=["killed", "stopped"])
def test_what_many_queues_give_up_in_one_go_is_never_nowhere(*, in_order: bool) -> None:
    store = MemoryStore()
    broker = a_broker()
    recover(broker, store)
    client = a_client(broker)
    client.declare_queue("begin", durable=True, arguments={"x-dead-letter-exchange": "amq.fanout"})
    client.declare_queue("end", durable=True)
    full = {"x-max-length": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "end"}
    for number in range(COPIES):
        client.declare_queue(f"full {number}", durable=True, arguments=full)
        client.bind_queue(f"full {number}", "amq.fanout", "", {})
    holder = Holder()
    client.consume("begin", holder)
    target = client.target("", "begin")
    client.publish(target.exchange, plain_message(target.address, b"x", AT_LEAST_ONCE), None, 0)
    commit(broker, store)
    (entry,) = holder.held
    entry.queue.discard(entry)
    arrived, _ = counts(client)
    assert 0 < arrived < COPIES
    if in_order:
        mark_seen(broker)
        commit(broker, store)
        store.close()
    else:
        commit(broker, store)
    broker = a_broker()
    assert not recover(broker, store).damage
    there, before = counts(a_client(broker))
    assert there + before == COPIES
    assert there == (COPIES if in_order else arrived)
