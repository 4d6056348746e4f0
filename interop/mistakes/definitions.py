"""Mistakes about exchanges, queues and bindings (AMQP 0-9-1 §1.5, §1.6)."""

from typing import Any, Final

from pika.spec import Basic, Exchange, Queue

from interop.mistakes.case import Case, publish

MISSING: Final = "missing.i"
ALTERNATE: Final = {"alternate-exchange": "amq.fanout"}


def _queue(name: str, **options: Any) -> Queue.Declare:
    return Queue.Declare(queue=name, **{"exclusive": True, **options})


def _exchange(name: str, kind: str = "direct", **options: Any) -> Exchange.Declare:
    return Exchange.Declare(exchange=name, type=kind, **{"auto_delete": True, **options})


def _bound(name: str, **options: Any) -> list[Any]:
    """An auto-delete exchange with a binding, which goes with its exclusive queue."""
    return [_exchange(name, **options), _queue(name), Queue.Bind(queue=name, exchange=name, routing_key="k")]


EXCHANGES: Final = (
    Case("exchange declared with a reserved name", lambda name: [_exchange(f"amq.{name}")]),
    Case("default exchange declared", lambda _: [_exchange("", durable=True, auto_delete=False)]),
    Case("default exchange declared passively", lambda _: [Exchange.Declare(exchange="", passive=True)]),
    Case("predeclared exchange declared as it is", lambda _: [Exchange.Declare(exchange="amq.topic", type="topic", durable=True)]),
    Case("predeclared exchange declared with another type", lambda _: [Exchange.Declare(exchange="amq.topic", durable=True)]),
    Case("missing exchange declared passively", lambda name: [Exchange.Declare(exchange=name, passive=True)]),
    Case("exchange of an unknown type", lambda name: [_exchange(name, "x-no-such-type")]),
    Case("exchange redeclared with another type", lambda name: [*_bound(name), _exchange(name, "topic")]),
    Case("exchange redeclared durable", lambda name: [*_bound(name), _exchange(name, durable=True)]),
    Case("exchange redeclared without auto-delete", lambda name: [*_bound(name), _exchange(name, auto_delete=False)]),
    Case("exchange redeclared internal", lambda name: [*_bound(name), _exchange(name, internal=True)]),
    Case("exchange redeclared with an alternate exchange", lambda name: [*_bound(name), _exchange(name, arguments=ALTERNATE)]),
    Case(
        "exchange redeclared without its alternate exchange",
        lambda name: [*_bound(name, arguments=ALTERNATE), _exchange(name)],
    ),
    Case("exchange with an alternate exchange that is no name", lambda name: [_exchange(name, arguments={"alternate-exchange": 5})]),
    Case("exchange with an unknown argument", lambda name: [*_bound(name, arguments={"x-unknown": 1}), Exchange.Delete(exchange=name)]),
    Case("default exchange deleted", lambda _: [Exchange.Delete(exchange="")]),
    Case("predeclared exchange deleted", lambda _: [Exchange.Delete(exchange="amq.topic")]),
    Case("missing exchange deleted", lambda name: [Exchange.Delete(exchange=name)]),
    Case("exchange in use deleted", lambda name: [*_bound(name), Exchange.Delete(exchange=name, if_unused=True)]),
    Case("published to an internal exchange", lambda name: [*_bound(name, internal=True), publish(name, "k")]),
    Case("exchange bound to a missing source", lambda name: [Exchange.Bind(destination="amq.topic", source=name)]),
    Case("missing exchange bound", lambda name: [Exchange.Bind(destination=name, source="amq.topic")]),
    Case("exchange bound to the default exchange", lambda _: [Exchange.Bind(destination="amq.topic", source="")]),
    Case("default exchange bound", lambda _: [Exchange.Bind(destination="", source="amq.topic")]),
    Case("exchange unbound from a missing source", lambda name: [Exchange.Unbind(destination="amq.topic", source=name)]),
    Case("missing exchange unbound", lambda name: [Exchange.Unbind(destination=name, source="amq.topic")]),
    Case("exchange unbound from the default exchange", lambda _: [Exchange.Unbind(destination="amq.topic", source="")]),
    Case("missing binding of exchanges unbound", lambda name: [Exchange.Unbind(destination="amq.topic", source="amq.direct", routing_key=name)]),
)  # fmt: skip

QUEUES: Final = (
    Case("missing queue declared passively", lambda name: [Queue.Declare(queue=name, passive=True)]),
    Case("queue without a name declared passively", lambda _: [Queue.Declare(queue="", passive=True)]),
    Case("queue declared with a reserved name", lambda name: [_queue(f"amq.{name}")]),
    Case("queue redeclared durable", lambda name: [_queue(name, exclusive=False, auto_delete=True), _queue(name, exclusive=False, auto_delete=True, durable=True), Queue.Delete(queue=name)]),
    Case("exclusive queue redeclared durable", lambda name: [_queue(name), _queue(name, durable=True)]),
    Case("queue redeclared auto-delete", lambda name: [_queue(name), _queue(name, auto_delete=True)]),
    Case("queue redeclared without exclusive", lambda name: [_queue(name), _queue(name, exclusive=False)]),
    Case("missing queue bound", lambda name: [Queue.Bind(queue=name, exchange="amq.direct")]),
    Case("queue bound to a missing exchange", lambda name: [_queue(name), Queue.Bind(queue=name, exchange=MISSING)]),
    Case("missing queue bound to a missing exchange", lambda name: [Queue.Bind(queue=name, exchange=MISSING)]),
    Case("queue bound to the default exchange", lambda name: [_queue(name), Queue.Bind(queue=name, exchange="")]),
    Case("queue bound without a name and a current queue", lambda _: [Queue.Bind(queue="", exchange="amq.direct")]),
    Case("missing queue unbound", lambda name: [Queue.Unbind(queue=name, exchange="amq.direct")]),
    Case("queue unbound from a missing exchange", lambda name: [_queue(name), Queue.Unbind(queue=name, exchange=MISSING)]),
    Case("queue unbound from the default exchange", lambda name: [_queue(name), Queue.Unbind(queue=name, exchange="")]),
    Case("missing binding unbound", lambda name: [_queue(name), Queue.Unbind(queue=name, exchange="amq.direct", routing_key="k")]),
    Case("missing queue purged", lambda name: [Queue.Purge(queue=name)]),
    Case("queue purged without a name and a current queue", lambda _: [Queue.Purge(queue="")]),
    Case("missing queue deleted", lambda name: [Queue.Delete(queue=name)]),
    Case("queue deleted without a name and a current queue", lambda _: [Queue.Delete(queue="")]),
    Case("queue in use deleted", lambda name: [_queue(name), Basic.Consume(queue=name, consumer_tag="c"), Queue.Delete(queue=name, if_unused=True)]),
    Case("queue that is not empty deleted", lambda name: [_queue(name), publish("", name), Queue.Delete(queue=name, if_empty=True)]),
    Case("current queue deleted, and meant again", lambda name: [_queue(name), Queue.Delete(queue=""), Queue.Purge(queue="")]),
)  # fmt: skip


def _locked(name: str) -> list[Any]:
    return [_queue(name)]


LOCKED: Final = (
    Case("locked queue declared", lambda name: [_queue(name)], owner=_locked),
    Case("locked queue declared without exclusive", lambda name: [_queue(name, exclusive=False)], owner=_locked),
    Case("locked queue declared passively", lambda name: [Queue.Declare(queue=name, passive=True)], owner=_locked),
    Case("locked queue bound", lambda name: [Queue.Bind(queue=name, exchange="amq.direct")], owner=_locked),
    Case("locked queue unbound", lambda name: [Queue.Unbind(queue=name, exchange="amq.direct")], owner=_locked),
    Case("locked queue purged", lambda name: [Queue.Purge(queue=name)], owner=_locked),
    Case("locked queue deleted", lambda name: [Queue.Delete(queue=name)], owner=_locked),
    Case("locked queue consumed", lambda name: [Basic.Consume(queue=name, consumer_tag="c")], owner=_locked),
    Case("locked queue asked for a message", lambda name: [Basic.Get(queue=name)], owner=_locked),
    Case("locked queue published to", lambda name: [publish("", name)], owner=_locked),
)

CASES: Final = (*EXCHANGES, *QUEUES, *LOCKED)
