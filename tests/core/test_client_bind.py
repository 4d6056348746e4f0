"""Binding, unbinding and subscribing through a client."""

from collections.abc import Callable

import pytest

from core.client import Client
from core.model.errors import Denied, Invalid, NotFound
from core.routing.pattern import parse_binding_key
from tests.core.parts import Recorder, a_client, publish


def with_queue_and_exchange() -> Client:
    client = a_client()
    client.declare_queue("q")
    client.declare_exchange("x", "topic")
    return client


def test_a_bound_queue_gets_what_its_binding_selects_until_it_is_unbound() -> None:
    client = with_queue_and_exchange()
    client.bind_queue("q", "x", "a.*", {})
    client.bind_queue("q", "x", "a.*", {})
    assert publish(client, "x", "a.b")
    assert not publish(client, "x", "b")
    client.unbind_queue("q", "x", "a.*", {})
    assert not publish(client, "x", "a.b")
    assert client.find_queue("q").ready_count == 1


def test_bindings_with_other_arguments_are_other_bindings() -> None:
    client = with_queue_and_exchange()
    client.bind_queue("q", "x", "k", {"n": 1})
    client.unbind_queue("q", "x", "k", {})
    assert publish(client, "x", "k")
    client.unbind_queue("q", "x", "k", {"n": 1})
    assert not publish(client, "x", "k")


def test_exchanges_are_bound_from_source_to_destination() -> None:
    client = with_queue_and_exchange()
    client.declare_exchange("behind", "fanout")
    client.bind_queue("q", "behind", "", {})
    client.bind_exchange("behind", "x", "a.#", {})
    assert publish(client, "x", "a.b")
    assert not publish(client, "x", "b")
    client.unbind_exchange("behind", "x", "a.#", {})
    assert not publish(client, "x", "a.b")


def test_what_is_missing_is_named_the_exchange_first() -> None:
    client = with_queue_and_exchange()
    for queue, exchange, text in (
        ("no", "none", "exchange 'none'"),
        ("q", "none", "exchange 'none'"),
        ("no", "x", "queue 'no'"),
    ):
        with pytest.raises(NotFound, match=f"^no {text} in vhost '/'$"):
            client.bind_queue(queue, exchange, "k", {})
    for destination, source in (("none", "x"), ("x", "none")):
        with pytest.raises(NotFound, match=r"^no exchange 'none' in vhost '/'$"):
            client.bind_exchange(destination, source, "k", {})


def test_unbinding_what_is_missing_succeeds() -> None:
    """RabbitMQ answers unbind-ok even where the queue or the exchange does not exist."""
    client = with_queue_and_exchange()
    client.unbind_queue("q", "x", "never", {})
    client.unbind_queue("none", "x", "k", {})
    client.unbind_queue("q", "none", "k", {})
    client.unbind_exchange("none", "x", "k", {})
    client.unbind_exchange("x", "none", "k", {})


def test_the_default_exchange_cannot_be_bound() -> None:
    client = with_queue_and_exchange()
    operations: tuple[Callable[[], None], ...] = (
        lambda: client.bind_queue("q", "", "k", {}),
        lambda: client.unbind_queue("q", "", "q", {}),
        lambda: client.bind_exchange("", "x", "k", {}),
        lambda: client.bind_exchange("x", "", "k", {}),
        lambda: client.unbind_exchange("", "x", "k", {}),
        lambda: client.unbind_exchange("x", "", "k", {}),
    )
    for operation in operations:
        with pytest.raises(Denied, match=r"^operation not permitted on the default exchange$"):
            operation()
    assert publish(client, "", "q")


def test_a_binding_that_means_nothing_is_not_kept() -> None:
    client = with_queue_and_exchange()
    with pytest.raises(Invalid):
        client.bind_queue("q", "amq.headers", "", {"x-match": {"a": "table"}})
    assert not client.vhost.exchange("amq.headers").bindings
    assert len(client.vhost.bindings_to(client.find_queue("q"))) == 1


def test_a_subscription_hears_topic_space_until_it_ends() -> None:
    client, sink, other = a_client(), Recorder(), Recorder()
    client.subscribe(parse_binding_key("a.*"), "a.*", sink)
    client.subscribe(parse_binding_key("b"), "b", sink)
    client.subscribe(parse_binding_key("b"), "b", other)
    for key in ("a.x", "b", "c"):
        publish(client, "amq.topic", key)
    assert [message.address.key for message in sink.taken] == ["a.x", "b"]
    client.unsubscribe(sink)
    publish(client, "amq.topic", "b")
    assert len(sink.taken) == 2
    assert len(other.taken) == 2
    client.unsubscribe(sink)
    client.unsubscribe(other)
    assert not client.vhost.exchange("amq.topic").bindings
    assert not client.vhost._bound
