"""Declaring and deleting: what RabbitMQ accepts, and what it refuses with which words (asked of 3.10.8)."""

import pytest

from core.broker import Broker
from core.client import Client
from core.model.errors import Denied, InUse, Invalid, Locked, Mismatch, NotFound, Unsupported
from core.model.properties import Headers
from core.queueing.credit import UNLIMITED
from core.queueing.stock import DROP_HEAD, REJECT_PUBLISH
from tests.core.parts import Holder, a_broker, a_client, publish


def two_clients() -> tuple[Broker, Client, Client]:
    broker = a_broker()
    return broker, a_client(broker), a_client(broker)


# Exchanges


@pytest.mark.parametrize(
    "name", ["", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace"]
)
def test_predeclared_exchanges_are_there_and_stay(name: str) -> None:
    client = a_client()
    with pytest.raises(Denied):
        client.delete_exchange(name)
    assert name in client.vhost.exchanges


def test_a_predeclared_exchange_may_be_declared_as_it_is() -> None:
    client = a_client()
    assert client.declare_exchange("amq.topic", "topic", durable=True) is client.vhost.exchange("amq.topic")


def test_an_exchange_is_declared_once() -> None:
    client = a_client()
    exchange = client.declare_exchange("x", "fanout", durable=True, auto_delete=True, arguments={"a": 1})
    assert client.declare_exchange("x", "fanout", durable=True, auto_delete=True, arguments={"a": 2}) is exchange
    assert client.find_exchange("x") is exchange
    assert (exchange.durable, exchange.auto_delete, exchange.internal, exchange.arguments) == (
        True,
        True,
        False,
        {"a": 1},
    )


@pytest.mark.parametrize(
    ("kind", "durable", "auto_delete", "internal", "arguments", "text"),
    [
        ("topic", False, False, False, {}, "arg 'type' for exchange 'x' in vhost '/': received 'topic' but current is 'direct'"),
        ("direct", True, False, False, {}, "arg 'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'"),
        ("direct", False, True, False, {}, "arg 'auto_delete' .* received 'true' but current is 'false'"),
        ("direct", False, False, True, {}, "arg 'internal' .* received 'true' but current is 'false'"),
        (
            "direct", False, False, False, {"alternate-exchange": "y"},
            "arg 'alternate-exchange' .* received the value 'y' of type 'longstr' but current is none",
        ),
    ],
)  # fmt: skip
def test_an_exchange_with_other_attributes_is_a_mismatch(
    kind: str, durable: bool, auto_delete: bool, internal: bool, arguments: Headers, text: str
) -> None:
    client = a_client()
    client.declare_exchange("x", "direct")
    with pytest.raises(Mismatch, match=f"^inequivalent {text}$"):
        client.declare_exchange(
            "x", kind, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments
        )


def test_exchanges_that_cannot_be_declared() -> None:
    client = a_client()
    with pytest.raises(Denied, match=r"^operation not permitted on the default exchange$"):
        client.declare_exchange("", "direct")
    with pytest.raises(Denied, match=r"^operation not permitted on the default exchange$"):
        client.find_exchange("")
    with pytest.raises(Denied, match=r"^exchange name 'amq\.mine' contains reserved prefix 'amq\.\*'$"):
        client.declare_exchange("amq.mine", "direct")
    with pytest.raises(Mismatch, match=r"^unknown exchange type 'odd'$"):
        client.declare_exchange("x", "odd")
    with pytest.raises(Invalid, match="exchange name of 256 bytes is longer than 255"):
        client.declare_exchange("é" * 128, "direct")
    with pytest.raises(NotFound, match=r"^no exchange 'x' in vhost '/'$"):
        client.find_exchange("x")
    assert "x" not in client.vhost.exchanges


def test_exchanges_that_cannot_be_deleted() -> None:
    client = a_client()
    client.declare_exchange("x", "direct")
    client.declare_queue("q")
    client.bind_queue("q", "x", "k", {})
    with pytest.raises(InUse, match=r"^exchange 'x' in vhost '/' in use$"):
        client.delete_exchange("x", if_unused=True)
    with pytest.raises(Denied, match=r"^deletion of system exchange 'amq\.direct' in vhost '/' not allowed$"):
        client.delete_exchange("amq.direct")
    client.unbind_queue("q", "x", "k", {})
    client.bind_exchange("x", "amq.direct", "k", {})
    client.delete_exchange("x", if_unused=True)
    client.delete_exchange("x")
    assert not client.vhost.exchange("amq.direct").bindings


# Queues


def test_a_queue_is_declared_once() -> None:
    client = a_client()
    queue = client.declare_queue("q", durable=True, arguments={"x-max-length": 5, "own": 1})
    assert client.declare_queue("q", durable=True, arguments={"x-max-length": 5, "own": 2}) is queue
    assert client.find_queue("q") is queue
    assert (queue.durable, queue.auto_delete, queue.owner) == (True, False, None)


@pytest.mark.parametrize(
    ("durable", "auto_delete", "arguments", "text"),
    [
        (False, False, {"x-max-length": 1000}, "arg 'durable' .* received 'false' but current is 'true'"),
        (True, True, {"x-max-length": 1000}, "arg 'auto_delete' .* received 'true' but current is 'false'"),
        (
            True, False, {},
            "arg 'x-max-length' .* received none but current is the value '1000' of type 'signedint'",
        ),
        (True, False, {"x-max-length": 2000}, "arg 'x-max-length' .* received '2000' but current is '1000'"),
        (
            True, False, {"x-max-length": 1000, "x-max-length-bytes": 5},
            "arg 'x-max-length-bytes' .* received the value '5' of type 'signedint' but current is none",
        ),
        (
            True, False, {"x-max-length": 1000, "x-expires": 2**31},
            "arg 'x-expires' .* received the value '2147483648' of type 'long' but current is none",
        ),
        (
            True, False, {"x-max-length": 1000, "x-queue-type": "quorum"},
            "arg 'x-queue-type' .* received the value 'quorum' of type 'longstr' but current is none",
        ),
        (
            True, False, {"x-max-length": 1000, "x-queue-mode": "lazy"},
            "arg 'x-queue-mode' .* received the value 'lazy' of type 'longstr' but current is none",
        ),
        (
            True, False, {"x-max-length": 1000, "x-single-active-consumer": True},
            "arg 'x-single-active-consumer' .* received the value 'true' of type 'bool' but current is none",
        ),
    ],
)  # fmt: skip
def test_a_queue_with_other_attributes_is_a_mismatch(
    durable: bool, auto_delete: bool, arguments: Headers, text: str
) -> None:
    client = a_client()
    client.declare_queue("q", durable=True, arguments={"x-max-length": 1000})
    with pytest.raises(Mismatch, match=f"^inequivalent {text}$"):
        client.declare_queue("q", durable=durable, auto_delete=auto_delete, arguments=arguments)


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        ({}, (UNLIMITED, UNLIMITED, DROP_HEAD)),
        ({"x-max-length": 0, "x-overflow": "drop-head", "own": "x"}, (0, UNLIMITED, DROP_HEAD)),
        ({"x-max-length-bytes": 7, "x-overflow": "reject-publish"}, (UNLIMITED, 7, REJECT_PUBLISH)),
    ],
)
def test_a_queue_has_the_limits_of_its_arguments(arguments: Headers, limits: tuple[int, int, int]) -> None:
    queue = a_client().declare_queue("q", arguments=arguments)
    assert (queue.limit_entries, queue.limit_bytes, queue.overflow) == limits
    assert queue.arguments == arguments


def test_the_classic_queue_type_need_not_be_said() -> None:
    client = a_client()
    said: Headers = {"x-queue-type": "classic"}
    queue = client.declare_queue("said", arguments=said)
    assert client.declare_queue("said") is queue
    queue = client.declare_queue("unsaid")
    assert client.declare_queue("unsaid", arguments=said) is queue


def test_arguments_are_refused_before_anything_is_declared() -> None:
    client = a_client()
    with pytest.raises(Unsupported, match=r"^arg 'x-queue-type: stream' for queue 'q' in vhost '/' is not supported$"):
        client.declare_queue("q", arguments={"x-queue-type": "stream"})
    with pytest.raises(
        Invalid, match=r"^invalid arg 'x-max-length' for queue 'q' in vhost '/': \{value_negative,-1\}$"
    ):
        client.declare_queue("q", exclusive=True, arguments={"x-max-length": -1})
    with pytest.raises(
        Invalid, match=r"^invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'$"
    ):
        client.declare_exchange("x", "direct", arguments={"alternate-exchange": 5})
    assert "q" not in client.vhost.queues
    assert "x" not in client.vhost.exchanges


def test_queues_that_cannot_be_declared() -> None:
    client = a_client()
    with pytest.raises(Denied, match=r"^queue name 'amq\.mine' contains reserved prefix 'amq\.\*'$"):
        client.declare_queue("amq.mine")
    with pytest.raises(Invalid, match="queue name of 256 bytes is longer than 255"):
        client.declare_queue("x" * 256)
    with pytest.raises(Invalid, match="NUL"):
        client.declare_queue("a\0b")
    with pytest.raises(NotFound, match=r"^no queue 'q' in vhost '/'$"):
        client.find_queue("q")
    assert not client.vhost.queues
    client.declare_queue("x" * 255)


def test_server_named_queues_have_new_names_and_may_be_used_by_name() -> None:
    client = a_client()
    first, second = client.declare_queue(""), client.declare_queue("")
    assert first.name == "amq.gen-unique-1"
    assert second.name == "amq.gen-unique-2"
    assert client.find_queue(first.name) is first
    assert publish(client, "", second.name)


def test_queues_that_cannot_be_deleted() -> None:
    client, consumer = a_client(), Holder()
    queue = client.declare_queue("q")
    client.consume("q", consumer)
    with pytest.raises(InUse, match=r"^queue 'q' in vhost '/' in use$"):
        client.delete_queue("q", if_unused=True)
    client.cancel(queue, consumer)
    publish(client, "", "q")
    with pytest.raises(InUse, match=r"^queue 'q' in vhost '/' not empty$"):
        client.delete_queue("q", if_empty=True)
    assert client.delete_queue("q", if_unused=True) == 1
    assert client.delete_queue("q") == 0
    assert not publish(client, "", "q")


def test_a_deleted_queue_leaves_no_bindings() -> None:
    client = a_client()
    queue = client.declare_queue("q")
    client.declare_exchange("x", "topic")
    client.bind_queue("q", "x", "a.*", {})
    assert publish(client, "x", "a.b")
    client.delete_queue("q")
    assert not publish(client, "x", "a.b")
    assert not client.vhost.bindings_to(queue)
    assert not client.vhost.default_exchange.bindings


def test_purge_counts_what_it_removes() -> None:
    client = a_client()
    client.declare_queue("q")
    publish(client, "", "q")
    publish(client, "", "q")
    assert client.purge_queue("q") == 2
    assert client.purge_queue("q") == 0


# Exclusive and auto-delete queues


def test_an_exclusive_queue_is_locked_to_others_whatever_they_ask() -> None:
    _, owner, other = two_clients()
    owner.declare_queue("q", exclusive=True)
    owner.declare_exchange("x", "fanout")
    owner.bind_queue("q", "x", "bound", {})
    text = (
        "^cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another "
        "connection or the exclusive property value does not match that of the original declaration.$"
    )
    for operation in (
        lambda: other.declare_queue("q", exclusive=True),
        lambda: other.declare_queue("q"),
        lambda: other.find_queue("q"),
        lambda: other.delete_queue("q"),
        lambda: other.purge_queue("q"),
        lambda: other.get("q"),
        lambda: other.consume("q", Holder()),
        lambda: other.bind_queue("q", "x", "", {}),
        lambda: other.unbind_queue("q", "x", "bound", {}),
    ):
        with pytest.raises(Locked, match=text):
            operation()
    other.unbind_queue("q", "x", "never bound", {})
    assert publish(other, "", "q"), "publishing to it is not using it"


def test_exclusiveness_must_be_asked_for_again() -> None:
    client = a_client()
    exclusive, shared = client.declare_queue("e", exclusive=True), client.declare_queue("s")
    assert client.declare_queue("e", exclusive=True) is exclusive
    with pytest.raises(Locked):
        client.declare_queue("e")
    with pytest.raises(Locked):
        client.declare_queue("s", exclusive=True)
    assert client.declare_queue("s") is shared


def test_an_exclusive_queue_is_never_durable() -> None:
    client = a_client()
    queue = client.declare_queue("q", exclusive=True, durable=True)
    assert not queue.durable
    assert client.declare_queue("q", exclusive=True, durable=True) is queue
    assert client.declare_queue("q", exclusive=True) is queue


def test_exclusive_queues_end_with_their_client_and_others_stay() -> None:
    broker, owner, other = two_clients()
    owner.declare_queue("mine", exclusive=True)
    owner.declare_queue("ours")
    other.declare_queue("yours", exclusive=True)
    publish(other, "", "mine")
    owner.close()
    assert sorted(owner.vhost.queues) == ["ours", "yours"]
    assert broker.surroundings.usage.held_bytes == 0
    other.declare_queue("mine")
    owner.close()
    assert sorted(owner.vhost.queues) == ["mine", "ours", "yours"], "a second close finds nothing of its own"


def test_a_client_does_not_remember_exclusive_queues_that_are_gone() -> None:
    """A connection that lives for months and makes a reply queue for each request must not grow."""
    client = a_client()
    for _ in range(50):
        queue, consumer = client.declare_queue("", exclusive=True, auto_delete=True), Holder()
        client.consume(queue.name, consumer)
        client.cancel(queue, consumer)
        assert queue.deleted
        client.delete_queue(client.declare_queue("", exclusive=True).name)
    assert not client._exclusive
    assert not client.vhost.queues


def test_an_auto_delete_queue_goes_with_its_last_consumer_and_not_before_its_first() -> None:
    broker, client, _ = two_clients()
    queue = client.declare_queue("q", auto_delete=True)
    first, second = Holder(credit=1), Holder(credit=1)
    publish(client, "", "q")
    client.get("q")
    assert "q" in client.vhost.queues
    client.consume("q", first)
    client.consume("q", second)
    client.cancel(queue, first)
    client.cancel(queue, first)
    assert "q" in client.vhost.queues
    client.cancel(queue, second)
    assert "q" not in client.vhost.queues
    assert queue.deleted
    assert second.cancellations == 0, "who leaves by himself is not told"
    broker.run()
