"""The arguments of queues and consumers: what RabbitMQ 3.10 accepts and answers, looked up with a real one."""

from decimal import Decimal
from typing import Any, Final

import pytest

from core.model.errors import BrokerError, Denied, ExclusiveUse, Invalid, Locked, Mismatch, Unsupported
from core.model.properties import Headers
from core.model.widths import Long
from tests.core.parts import Holder, Only, a_broker, a_client, a_user

QUORUM: Final[Headers] = {"x-queue-type": "quorum"}
WHAT: Final = "queue 'v' in vhost '/'"

REFUSED: Final[list[tuple[str, Any, str]]] = [
    ("x-message-ttl", -1, "{value_negative,-1}"),
    ("x-message-ttl", "5", '"expected integer, got longstr"'),
    ("x-message-ttl", None, '"expected integer, got void"'),
    ("x-message-ttl", True, '"expected integer, got bool"'),
    ("x-message-ttl", Decimal(1), '"expected integer, got decimal"'),
    ("x-message-ttl", [1], '"expected integer, got array"'),
    ("x-message-ttl", 315_360_000_001, "{value_too_large,315360000001}"),
    ("x-expires", 0, "{value_zero,0}"),
    ("x-expires", -1, "{value_negative,-1}"),
    ("x-expires", 1 << 40, "{value_too_large,1099511627776}"),
    ("x-max-length", -1, "{value_negative,-1}"),
    ("x-max-length-bytes", None, '"expected integer, got void"'),
    ("x-overflow", "no", "invalid_overflow"),
    ("x-overflow", None, "{unacceptable_type,void}"),
    ("x-dead-letter-routing-key", "a", "routing_key_but_no_dlx_defined"),
    ("x-dead-letter-routing-key", 5, "{unacceptable_type,signedint}"),
    ("x-single-active-consumer", 1, "{unacceptable_type,signedint}"),
    ("x-single-active-consumer", None, "{unacceptable_type,void}"),
    ("x-queue-type", "foo", "\"unsupported queue type 'foo'\""),
    ("x-queue-type", 5, "{unacceptable_type,signedint}"),
]
REFUSED_CLASSIC: Final[list[tuple[str, Any, str]]] = [
    ("x-max-priority", 256, "{max_value_exceeded,256}"),
    ("x-max-priority", -1, "{value_negative,-1}"),
    ("x-queue-mode", "foo", "\"unsupported queue mode 'foo'\""),
    ("x-queue-mode", 5, "{unacceptable_type,signedint}"),
    ("x-queue-version", 3, "\"unsupported queue version '3'\""),
    ("x-queue-version", "1", '"expected integer, got longstr"'),
]
REFUSED_QUORUM: Final[list[tuple[str, Any, str]]] = [
    ("x-queue-leader-locator", "foo", "invalid_queue_locator_arg"),
    ("x-queue-leader-locator", 5, "{unacceptable_type,signedint}"),
    ("x-quorum-initial-group-size", 0, "{value_zero,0}"),
    ("x-quorum-initial-group-size", "a", '"expected integer, got longstr"'),
    ("x-dead-letter-strategy", "foo", "invalid_dlx_strategy"),
    ("x-dead-letter-strategy", 5, "{unacceptable_type,signedint}"),
    ("x-max-in-memory-length", -1, "{value_negative,-1}"),
]


def refusal(arguments: Headers, **flags: bool) -> str:
    client = a_client()
    with pytest.raises(Invalid) as caught:
        client.declare_queue("v", durable=flags.pop("durable", True), arguments=arguments, **flags)
    assert not client.vhost.queues
    return caught.value.text


@pytest.mark.parametrize(("name", "value", "reason"), REFUSED + REFUSED_CLASSIC)
def test_what_is_refused_for_a_classic_queue(name: str, value: Any, reason: str) -> None:
    assert refusal({name: value}) == f"invalid arg '{name}' for {WHAT}: {reason}"


@pytest.mark.parametrize(("name", "value", "reason"), [*REFUSED[:-2], *REFUSED_QUORUM])
def test_what_is_refused_for_a_quorum_queue(name: str, value: Any, reason: str) -> None:
    assert refusal({name: value, **QUORUM}) == f"invalid arg '{name}' for {WHAT}: {reason}"


@pytest.mark.parametrize(("name", "kind"), [
    ("x-delivery-limit", "classic"), ("x-queue-leader-locator", "classic"), ("x-dead-letter-strategy", "classic"),
    ("x-quorum-initial-group-size", "classic"), ("x-max-in-memory-length", "classic"), ("x-max-age", "classic"),
    ("x-initial-cluster-size", "classic"), ("x-max-priority", "quorum"), ("x-queue-mode", "quorum"),
    ("x-queue-version", "quorum"), ("x-queue-master-locator", "quorum"), ("x-max-age", "quorum"),
])  # fmt: skip
def test_an_argument_of_another_type_is_refused_whatever_its_value(name: str, kind: str) -> None:
    for value in (-1, None, "foo"):
        assert refusal({"x-queue-type": kind, name: value}) == f"invalid arg '{name}' for {WHAT} of queue type {kind}"


def test_a_dead_letter_exchange_that_is_no_name() -> None:
    for value, kind in ((5, "signedint"), (None, "void"), (Long(5), "long")):
        text = f"invalid type '{kind}' for arg 'x-dead-letter-exchange' in {WHAT}"
        assert refusal({"x-dead-letter-exchange": value}) == text


@pytest.mark.parametrize("arguments", [
    {"x-message-ttl": 0, "x-expires": 1, "x-max-length": 0, "x-max-length-bytes": 1 << 62},
    {"x-message-ttl": 315_360_000_000, "x-max-priority": 255, "x-overflow": "reject-publish-dlx"},
    {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "", "x-single-active-consumer": True},
    {"x-queue-mode": "lazy", "x-queue-version": 2, "x-queue-master-locator": "min-masters"},
    {"x-queue-master-locator": "nowhere"},
    {"x-foo": 1, "x-consumer-timeout": "a", "x-cancel-on-ha-failover": True},
    {**QUORUM, "x-delivery-limit": 5, "x-quorum-initial-group-size": 3, "x-queue-leader-locator": "balanced"},
    {**QUORUM, "x-delivery-limit": -1, "x-dead-letter-strategy": "at-least-once", "x-max-in-memory-bytes": 0},
    {**QUORUM, "x-delivery-limit": None, "x-overflow": "reject-publish-dlx"},
])  # fmt: skip
def test_what_is_accepted(arguments: Headers) -> None:
    client = a_client()
    queue = client.declare_queue("v", durable=True, arguments=arguments)
    assert client.declare_queue("v", durable=True, arguments=dict(arguments)) is queue


def test_what_a_quorum_queue_cannot_be() -> None:
    assert refusal(QUORUM, durable=False) == f"invalid property 'non-durable' for {WHAT}"
    assert refusal(QUORUM, exclusive=True) == f"invalid property 'exclusive-owner' for {WHAT}"
    assert refusal(QUORUM, exclusive=True, auto_delete=True) == f"invalid property 'auto-delete' for {WHAT}"
    with pytest.raises(Invalid, match=r"^Cannot declare a server-named queue for type quorum$"):
        a_client().declare_queue("", durable=True, arguments=QUORUM)
    with pytest.raises(Unsupported):
        a_client().declare_queue("v", durable=True, arguments={"x-queue-type": "stream"})


@pytest.mark.parametrize(("current", "received", "text"), [
    ({"x-message-ttl": 5}, {}, "received none but current is the value '5' of type 'signedint'"),
    ({}, {"x-message-ttl": 5}, "received the value '5' of type 'signedint' but current is none"),
    ({"x-message-ttl": 5}, {"x-message-ttl": 1 << 40}, "received '1099511627776' but current is '5'"),
    ({}, {"x-message-ttl": None}, "received the value 'undefined' of type 'void' but current is none"),
    (QUORUM, {}, "received none but current is the value 'quorum' of type 'longstr'"),
    ({}, QUORUM, "received the value 'quorum' of type 'longstr' but current is none"),
    ({"x-single-active-consumer": True}, {"x-single-active-consumer": False},
     "received 'false' but current is 'true'"),
    ({**QUORUM, "x-delivery-limit": 1}, {**QUORUM, "x-delivery-limit": 2}, "received '2' but current is '1'"),
    ({"x-queue-master-locator": "random"}, {}, "received none but current is the value 'random' of type 'longstr'"),
])  # fmt: skip
def test_another_declare_must_mean_the_same(current: Headers, received: Headers, text: str) -> None:
    client = a_client()
    client.declare_queue("v", durable=True, arguments=current)
    with pytest.raises(Mismatch) as caught:
        client.declare_queue("v", durable=True, arguments=received)
    (name,) = [
        name for name in {**current, **received} if current.get(name) != received.get(name) or len(received) == 1
    ]
    assert caught.value.text == f"inequivalent arg '{name}' for {WHAT}: {text}"


@pytest.mark.parametrize(("current", "received"), [
    ({"x-foo": 1}, {"x-foo": 2}), ({}, {"x-foo": 1}), ({}, {"x-queue-leader-locator": "balanced"}),
    ({"x-message-ttl": 5}, {"x-message-ttl": Long(5)}), ({}, {"x-queue-type": "classic"}),
])  # fmt: skip
def test_what_means_nothing_may_differ(current: Headers, received: Headers) -> None:
    client = a_client()
    assert client.declare_queue("v", arguments=current) is client.declare_queue("v", arguments=received)


BOTH_TYPES: Final[Headers] = {
    "x-expires": 100_000,
    "x-message-ttl": 5_000,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "k",
    "x-max-length": 5,
    "x-max-length-bytes": 500,
    "x-overflow": "drop-head",
    "x-single-active-consumer": True,
}
IN_ORDER: Final = {
    "classic": "x-expires x-message-ttl x-dead-letter-exchange x-dead-letter-routing-key x-max-length "
    "x-max-length-bytes x-overflow x-single-active-consumer",
    "quorum": "x-dead-letter-exchange x-dead-letter-routing-key x-expires x-max-length x-max-length-bytes "
    "x-overflow x-single-active-consumer x-message-ttl",
}


@pytest.mark.parametrize(("kind", "order"), IN_ORDER.items(), ids=IN_ORDER)
def test_of_several_differences_the_one_that_rabbitmq_compares_first_is_named(kind: str, order: str) -> None:
    client = a_client()
    client.declare_queue("v", durable=True, arguments={"x-queue-type": kind})
    left = {"x-queue-type": kind, **BOTH_TYPES}
    for name in order.split():
        with pytest.raises(Mismatch, match=f"inequivalent arg '{name}'"):
            client.declare_queue("v", durable=True, arguments=left)
        del left[name]


def test_dead_lettering_needs_the_right_to_read_here_and_to_write_there() -> None:
    arguments: Headers = {"x-dead-letter-exchange": "dlx"}
    broker = a_broker()
    a_client(broker, a_user(read=Only("v"), write=Only("dlx"))).declare_queue("v", arguments=arguments)
    for user in (a_user(read=Only("v"), write=Only("v")), a_user(read=Only("dlx"), write=Only("dlx"))):
        client = a_client(broker, user)
        with pytest.raises(Denied):
            client.declare_queue("w", arguments=arguments)
        assert client.declare_queue("v", arguments=arguments).name == "v", "only who creates it is asked"


# Consumers


@pytest.mark.parametrize(("arguments", "text"), [
    ({"x-priority": "a"}, f"invalid arg 'x-priority' for {WHAT}: \"expected integer, got longstr\""),
    ({"x-priority": None}, f"invalid arg 'x-priority' for {WHAT}: \"expected integer, got void\""),
    ({"x-priority": True}, f"invalid arg 'x-priority' for {WHAT}: \"expected integer, got bool\""),
    ({"x-cancel-on-ha-failover": 1}, f"invalid arg 'x-cancel-on-ha-failover' for {WHAT}: {{unacceptable_type,signedint}}"),
    ({"x-stream-offset": "first"}, f"invalid arg 'x-stream-offset' for {WHAT} of queue type classic"),
])  # fmt: skip
def test_arguments_of_consumers_that_are_refused(arguments: Headers, text: str) -> None:
    client = a_client()
    queue = client.declare_queue("v")
    with pytest.raises(BrokerError) as caught:
        client.consume("v", Holder(), arguments=arguments)
    assert caught.value.text == text
    assert not queue.consumers


@pytest.mark.parametrize("priority", [-5, 0, 7, 1 << 40])
def test_a_consumer_has_the_priority_that_it_asks_for(priority: int) -> None:
    client, consumer = a_client(), Holder()
    client.declare_queue("v")
    client.consume("v", consumer, arguments={"x-priority": priority, "x-foo": 1})
    assert consumer.priority == priority


def test_a_single_active_consumer_is_not_exclusive() -> None:
    client = a_client()
    client.declare_queue("v", arguments={"x-single-active-consumer": True})
    for _ in range(2):
        with pytest.raises(ExclusiveUse, match=f"^{WHAT} in exclusive use$"):
            client.consume("v", Holder(), exclusive=True)
        client.consume("v", Holder())
    assert client.get("v")[1] is None
    client.declare_queue("w", durable=True, arguments={**QUORUM, "x-single-active-consumer": True})
    with pytest.raises(Locked, match=r"^cannot obtain access to locked queue 'w' in vhost '/'\. basic\.get operations"):
        client.get("w")
