"""Publishing, consuming, fetching and retaining through a client."""

import pytest

from core.model.errors import Denied, ExclusiveUse, NotFound
from core.model.message import plain_message
from core.queueing.stock import REJECT_PUBLISH
from core.routing.pattern import MANY_WORDS, Pattern
from tests.core.parts import Holder, Outcomes, Recorder, a_broker, a_client, a_message, publish, run


def test_each_tag_gets_exactly_one_answer() -> None:
    client, outcomes = a_client(), Outcomes()
    full = client.declare_queue("full")
    full.limit_entries, full.overflow = 1, REJECT_PUBLISH
    for tag, queue in enumerate(("full", "full", "nobody"), start=1):
        target = client.target("", queue)
        client.publish(target.exchange, plain_message(target.address, b"x"), outcomes, tag)
    assert outcomes.said == [(1, "routed"), (2, "refused"), (3, "unroutable")]
    assert (client.counters.published, client.counters.unroutable) == (3, 1)


def test_one_refusal_among_several_queues_is_a_refusal() -> None:
    """RabbitMQ "Publisher Confirms": nack when at least one of the queues rejects."""
    client, outcomes = a_client(), Outcomes()
    full, free = client.declare_queue("full"), client.declare_queue("free")
    full.limit_entries, full.overflow = 0, REJECT_PUBLISH
    for queue in ("full", "free"):
        client.bind_queue(queue, "amq.fanout", "", {})
    target = client.target("amq.fanout", "")
    assert client.publish(target.exchange, plain_message(target.address, b"x"), outcomes, 1)
    assert outcomes.said == [(1, "refused")]
    assert free.ready_count == 1


def test_a_publish_without_a_tag_tells_nobody_and_says_whether_it_was_wanted() -> None:
    client = a_client()
    client.declare_queue("q")
    assert publish(client, "", "q")
    assert not publish(client, "", "nobody")


def test_one_queue_gets_one_copy_however_many_bindings_match() -> None:
    client = a_client()
    queue = client.declare_queue("q")
    for key in ("a.*", "#", "a.b"):
        client.bind_queue("q", "amq.topic", key, {})
    publish(client, "amq.topic", "a.b")
    assert queue.ready_count == 1


def test_places_that_cannot_be_published_to() -> None:
    client = a_client()
    client.declare_exchange("inner", "fanout", internal=True)
    with pytest.raises(NotFound, match=r"^no exchange 'none' in vhost '/'$"):
        client.target("none", "k")
    for name in ("inner", "amq.rabbitmq.trace"):
        with pytest.raises(Denied, match=f"^cannot publish to internal exchange '{name}' in vhost '/'$"):
            client.target(name, "k")


def test_an_internal_exchange_passes_on_what_comes_from_another() -> None:
    client = a_client()
    client.declare_queue("q")
    client.declare_exchange("inner", "fanout", internal=True)
    client.bind_queue("q", "inner", "", {})
    client.bind_exchange("inner", "amq.direct", "k", {})
    assert publish(client, "amq.direct", "k")


def test_a_kept_target_of_a_deleted_exchange_is_not_found() -> None:
    client = a_client()
    client.declare_exchange("x", "fanout")
    target = client.target("x", "k")
    client.delete_exchange("x")
    with pytest.raises(NotFound, match=r"^no exchange 'x' in vhost '/'$"):
        client.publish(target.exchange, plain_message(target.address, b"x"), None, 0)
    assert client.counters.published == 0


def test_a_consumer_gets_what_comes_and_the_queue_counts_it() -> None:
    broker = a_broker()
    client, consumer = a_client(broker), Holder(credit=1)
    publish(client, "", "none")
    client.declare_queue("q")
    publish(client, "", "q", b"1")
    queue = client.consume("q", consumer)
    run(broker)
    publish(client, "", "q", b"2")
    assert consumer.bodies == [b"1"]
    assert (queue.ready_count, queue.unsettled_count, list(queue.consumers)) == (1, 1, [consumer])
    assert broker.counters.delivered == 1


def test_an_exclusive_consumer_is_alone() -> None:
    """RabbitMQ: 403 `queue 'q' in vhost '/' in exclusive use`, both ways."""
    client, first, second = a_client(), Holder(), Holder()
    queue = client.declare_queue("q")
    client.consume("q", first)
    with pytest.raises(ExclusiveUse, match=r"^queue 'q' in vhost '/' in exclusive use$"):
        client.consume("q", second, exclusive=True)
    client.cancel(queue, first)
    client.consume("q", second, exclusive=True)
    for exclusive in (True, False):
        with pytest.raises(ExclusiveUse, match=r"^queue 'q' in vhost '/' in exclusive use$"):
            client.consume("q", first, exclusive=exclusive)
    client.cancel(queue, second)
    client.consume("q", first)
    assert list(queue.consumers) == [first]


def test_a_fetched_entry_is_lent_to_nobody_in_particular() -> None:
    client = a_client()
    client.declare_queue("q")
    publish(client, "", "q", b"1")
    queue, entry = client.get("q")
    assert entry is not None
    assert (queue.ready_count, queue.unsettled_count) == (0, 1)
    assert client.get("q") == (queue, None)
    queue.accept(entry)
    assert queue.unsettled_count == 0
    assert client.counters.delivered == 1


def test_what_cannot_be_consumed() -> None:
    client = a_client()
    with pytest.raises(NotFound, match=r"^no queue 'none' in vhost '/'$"):
        client.consume("none", Holder())
    with pytest.raises(NotFound, match=r"^no queue 'none' in vhost '/'$"):
        client.get("none")


def test_retained_messages_are_given_by_pattern() -> None:
    client, everything = a_client(), Pattern((MANY_WORDS,))
    message = a_message(client, "amq.topic", "a.b")
    client.retain(message)
    assert client.retained(everything).go_on(10) == [message]
    client.retain(a_message(client, "amq.topic", "a.b", b""))
    assert client.retained(everything).go_on(10) == []


def test_the_memory_alarm_stands_while_too_much_is_held() -> None:
    broker = a_broker()
    client = a_client(broker)
    client.declare_queue("q")
    broker.surroundings.usage.limit_bytes = 2_000
    assert broker.alarm == ""
    publish(client, "", "q", bytes(2_000))
    assert broker.alarm == "low on memory"
    client.purge_queue("q")
    assert broker.alarm == ""


def test_a_direct_sink_keeps_nothing_in_memory() -> None:
    broker = a_broker()
    client, sink = a_client(broker), Recorder()
    client.subscribe(Pattern((MANY_WORDS,)), "#", sink)
    publish(client, "amq.topic", "a", bytes(1_000))
    assert len(sink.taken) == 1
    assert broker.surroundings.usage.held_bytes == 0
