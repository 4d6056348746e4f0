"""What comes back at a start, whatever it is called, and what is not as it should be and costs itself only."""

import pytest

from core.client import Client
from core.model.errors import Limit
from core.model.message import AT_LEAST_ONCE, Message, plain_message
from core.model.properties import Headers, Properties, Stated
from core.queueing.grouping import GROUP
from core.recovery import recover
from core.routing.pattern import MANY, Pattern, Token
from core.store import kinds
from core.store.memory import MemoryStore
from core.store.values import dump
from tests.core.parts import Holder, a_broker, a_client, run_queues


def restarted(client: Client, store: MemoryStore) -> tuple[Client, list[str]]:
    """Commit what a broker has, and start another; return a client of it, and what was damaged."""
    journal = client.vhost.surroundings.journal
    while not journal.idle:
        batch = journal.seal()
        if batch is not None:
            store.commit(batch)
            journal.committed = batch.number
    broker = a_broker()
    found = recover(broker, store)
    return a_client(broker), found.damage


def started() -> tuple[Client, MemoryStore]:
    store = MemoryStore()
    broker = a_broker()
    recover(broker, store)
    return a_client(broker), store


@pytest.mark.parametrize("key", ["", "\0", "a\0b\0", "\0\0", "ü\uffff", "k" * 255])
@pytest.mark.parametrize("arguments", [{}, {"x": "\0", "y": [1, None, {"z": b"\0"}]}])
def test_bindings_have_any_key(key: str, arguments: Headers) -> None:
    client, store = started()
    client.declare_queue("q", durable=True)
    client.bind_queue("q", "amq.headers", key, arguments)
    client.bind_exchange("amq.direct", "amq.headers", key, arguments)
    again, damage = restarted(client, store)
    assert damage == []
    bindings = again.vhost.exchange("amq.headers").bindings.values()
    assert sorted((binding.sink.name, binding.key, binding.arguments) for binding in bindings) == [
        ("amq.direct", key, arguments),
        ("q", key, arguments),
    ]
    again.unbind_queue("q", "amq.headers", key, arguments)
    last, _ = restarted(again, store)
    assert len(last.vhost.exchange("amq.headers").bindings) == 1


@pytest.mark.parametrize("kind", [kinds.EXCHANGE, kinds.QUEUE, kinds.BINDING, kinds.DELAYED, kinds.GROUP, 99])
@pytest.mark.parametrize("stated", [[], 1, None, {"a": 1}, [1, 2, 3, 4, 5, 6, 7]])
def test_a_definition_of_another_shape_is_told_and_the_rest_is_there(kind: int, stated: object) -> None:
    client, store = started()
    client.declare_queue("q", durable=True)
    client.vhost.surroundings.journal.define(kind, kinds.key_of("/", "x", "y"), dump(stated))
    again, damage = restarted(client, store)
    assert len(damage) == 1
    assert list(again.vhost.queues) == ["q"]


def retain(client: Client, topic: str, *, seconds: float) -> None:
    message = plain_message(client.target("amq.topic", topic).address, topic.encode(), AT_LEAST_ONCE)
    message.expires_at = client.vhost.surroundings.clock.now + seconds
    client.retain(message)


def retained_in(store: MemoryStore) -> list[str]:
    return [kinds.parts_of(key)[1] for kind, key, _ in store.definitions() if kind == kinds.RETAINED]


def test_what_is_retained_is_out_of_the_store_once_it_has_expired() -> None:
    """Or each start would bring back what nobody is ever sent."""
    client, store = started()
    clock = client.vhost.surroundings.clock
    for topic, seconds in (("a", 5.0), ("b", 15.0), ("c", 25.0)):
        retain(client, topic, seconds=seconds)
    clock.now += 10.0
    clock.wall += 10.0
    found = client.retained(Pattern((Token(MANY, ""),), hides_dollar=False)).go_on(100)
    assert [message.address.key for message in found] == ["b", "c"]
    assert restarted(client, store)[1] == []
    assert retained_in(store) == ["b", "c"]
    broker = a_broker()
    broker.clock.wall = clock.wall + 10.0
    assert recover(broker, store).damage == []
    last, _ = restarted(a_client(broker), store)
    assert retained_in(store) == ["c"]
    assert last.vhost.retained.count == 1


def send_to_groups(client: Client, *groups: str) -> None:
    target = client.target("", "q")
    for number, group in enumerate(groups):
        message = Message(
            target.address, b"%s %d" % (group.encode(), number), AT_LEAST_ONCE, Stated(Properties({GROUP: group}))
        )
        client.publish(target.exchange, message, None, 0)


@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 3}])
@pytest.mark.parametrize("window", [1, 1 << 20])
def test_a_queue_has_message_groups_after_a_start_before_anybody_sends_to_one(arguments: Headers, window: int) -> None:
    """Nobody owns a group any more: each goes to who is served its first message now."""
    client, store = started()
    client.declare_queue("q", durable=True, arguments=arguments)
    client.declare_queue("other", durable=True)
    client.vhost.honour_groups(client.vhost.queue("q"))
    client.vhost.honour_groups(client.vhost.queue("q"))
    send_to_groups(client, *"abab" * 30)
    for _ in range(2):  # the second time what it has was read from a definition that says so
        client, damage = restarted(client, store)
        assert damage == []
        client.vhost.surroundings.windows.window_bytes = window
    assert client.vhost.queue("q").grouped
    assert not client.vhost.queue("other").grouped
    holders = [Holder(credit=1), Holder(credit=1_000)]
    for holder in holders:
        client.consume("q", holder)
        run_queues(client.vhost.surroundings)
    assert holders[0].bodies == [b"a 0"]
    assert holders[1].bodies == [b"b %d" % number for number in range(120) if number % 2]
    send_to_groups(client, "a", "b")
    run_queues(client.vhost.surroundings)
    assert holders[0].bodies == [b"a 0"]
    assert holders[1].bodies[-1] == b"b 1"


def test_a_queue_has_its_groups_however_much_waits_in_it() -> None:
    """It had all of that in memory before, and consumers are not refused because it is a little more than the limit now."""
    client, store = started()
    client.declare_queue("q", durable=True)
    client.vhost.honour_groups(client.vhost.queue("q"))
    send_to_groups(client, *"ab" * 500)
    restarted(client, store)
    broker = a_broker()
    broker.surroundings.usage.limit_bytes = 100_000
    assert recover(broker, store).damage == []
    queue = broker.vhosts["/"].queue("q")
    with pytest.raises(Limit):
        queue.check_in_order()
    assert queue.grouped


def test_a_queue_that_is_deleted_and_declared_anew_has_no_groups() -> None:
    client, store = started()
    client.declare_queue("q", durable=True)
    client.vhost.honour_groups(client.vhost.queue("q"))
    client.delete_queue("q")
    client.declare_queue("q", durable=True)
    again, _ = restarted(client, store)
    assert not again.vhost.queue("q").grouped
