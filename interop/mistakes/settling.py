"""Mistakes in consuming and settling, and in the modes of a channel."""

from typing import Any, Final

from pika.spec import Basic, Confirm, Queue, Tx

from interop.mistakes.case import Case, publish

SINGLE_ACTIVE: Final = {"x-single-active-consumer": True}


def _queue(name: str, **options: Any) -> Queue.Declare:
    return Queue.Declare(queue=name, exclusive=True, **options)


def _consume(name: str, tag: str = "c", **options: Any) -> Basic.Consume:
    return Basic.Consume(queue=name, consumer_tag=tag, **options)


def _got(*settlements: Any, no_ack: bool = False) -> Any:
    """Steps that fetch one message, delivery tag 1, and settle."""
    return lambda name: [_queue(name), publish("", name), Basic.Get(queue=name, no_ack=no_ack), *settlements]


CONSUMING: Final = (
    Case("prefetch in octets", lambda _: [Basic.Qos(prefetch_size=1)]),
    Case("missing queue consumed", lambda name: [_consume(name)]),
    Case("consumed without a name and a current queue", lambda _: [_consume("")]),
    Case("consumed beside an exclusive consumer", lambda name: [_queue(name), _consume(name, "a", exclusive=True), _consume(name, "b")]),
    Case("consumed exclusively beside another", lambda name: [_queue(name), _consume(name, "a"), _consume(name, "b", exclusive=True)]),
    Case("consumer tag used twice", lambda name: [_queue(name), _consume(name), _consume(name)]),
    Case("consumer tag used twice, for a missing queue", lambda name: [_queue(name), _consume(name), _consume(f"{name}.missing")]),
    Case("single active consumer that is exclusive", lambda name: [_queue(name, arguments=SINGLE_ACTIVE), _consume(name, exclusive=True)]),
    Case("consumer priority of another type", lambda name: [_queue(name), _consume(name, arguments={"x-priority": "high"})]),
    Case("consumer with an unknown argument", lambda name: [_queue(name), _consume(name, arguments={"x-unknown": "high"})]),
    Case("unknown consumer tag cancelled", lambda _: [Basic.Cancel("nobody")]),
    Case("missing queue asked for a message", lambda name: [Basic.Get(queue=name)]),
    Case("asked for a message without a name and a current queue", lambda _: [Basic.Get(queue="")]),
    Case("queue with a single active consumer asked for a message", lambda name: [_queue(name, arguments=SINGLE_ACTIVE), _consume(name), Basic.Get(queue=name)]),
    Case("queue with an exclusive consumer asked for a message", lambda name: [_queue(name), _consume(name, exclusive=True), Basic.Get(queue=name)]),
)  # fmt: skip

SETTLING: Final = (
    Case("unknown delivery tag accepted", lambda _: [Basic.Ack(7)]),
    Case("unknown delivery tags accepted", lambda _: [Basic.Ack(7, multiple=True)]),
    Case("all of nothing accepted", lambda _: [Basic.Ack(0, multiple=True)]),
    Case("delivery tag 0 accepted", lambda _: [Basic.Ack(0)]),
    Case("unknown delivery tag rejected", lambda _: [Basic.Reject(7)]),
    Case("unknown delivery tag refused", lambda _: [Basic.Nack(7)]),
    Case("unknown delivery tags refused", lambda _: [Basic.Nack(7, multiple=True)]),
    Case("all of nothing refused", lambda _: [Basic.Nack(0, multiple=True)]),
    Case("delivery accepted twice", _got(Basic.Ack(1), Basic.Ack(1))),
    Case("deliveries accepted twice", _got(Basic.Ack(1), Basic.Ack(1, multiple=True))),
    Case("delivery rejected twice", _got(Basic.Reject(1, requeue=False), Basic.Reject(1))),
    Case("delivery that is settled accepted", _got(Basic.Ack(1), no_ack=True)),
    Case("delivery above the last accepted", _got(Basic.Ack(2, multiple=True))),
    Case("recovered to the same consumer", lambda _: [Basic.Recover(requeue=False)]),
    Case("recovered by the method without an answer, to the same consumer", lambda _: [Basic.RecoverAsync(requeue=False)]),
    Case("recovered", lambda _: [Basic.Recover(requeue=True)]),
)  # fmt: skip

MODES: Final = (
    Case("confirms selected after a transaction", lambda _: [Tx.Select(), Confirm.Select()]),
    Case("transaction selected after confirms", lambda _: [Confirm.Select(), Tx.Select()]),
    Case("committed without a transaction", lambda _: [Tx.Commit()]),
    Case("rolled back without a transaction", lambda _: [Tx.Rollback()]),
    Case("confirms selected twice", lambda _: [Confirm.Select(), Confirm.Select()]),
    Case("transaction selected twice", lambda _: [Tx.Select(), Tx.Select()]),
    Case("unknown delivery tag accepted in a transaction", lambda _: [Tx.Select(), Basic.Ack(7)]),
    Case("published to a missing exchange in a transaction", lambda name: [Tx.Select(), publish(name, "k")]),
    Case("confirms from the client", lambda _: [Confirm.Select(), Basic.Ack(1)]),
)

CASES: Final = (*CONSUMING, *SETTLING, *MODES)
