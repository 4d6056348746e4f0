"""Short conversations on one channel, in which every method that AMQP 0-9-1 and RabbitMQ have is said once at least.

`steps` are sent one after the other, each when the answers to the one before have come. Names and tags are the client's,
so that every octet of the answers is the same each time.
"""

from dataclasses import dataclass
from typing import Any, Final

import pika
import pika.frame
from pika.spec import Access, Basic, Channel, Confirm, Connection, Exchange, Queue, Tx

from interop.mistakes.case import publish
from interop.raw import amqp_frame

Q: Final = "vector.q"
X: Final = "vector.x"
EVERY: Final[dict[str, Any]] = {
    "content_type": "text/plain",
    "content_encoding": "utf-8",
    "headers": {"int": -5, "long": 1 << 40, "text": "ü", "yes": True, "none": None, "list": [1, "b"], "table": {"a": {}}},
    "delivery_mode": 2,
    "priority": 5,
    "correlation_id": "c",
    "reply_to": "r",
    "expiration": "60000",
    "message_id": "m",
    "timestamp": 1_700_000_000,
    "type": "t",
    "app_id": "a",
}  # fmt: skip


@dataclass(frozen=True)
class Conversation:
    """What a client says on channel 1; bytes are sent as they are."""

    name: str
    steps: tuple[Any, ...]


def encoded(step: Any) -> bytes:
    """Return a step's frames."""
    return step if isinstance(step, bytes) else amqp_frame(1, step)


def _declare(**options: Any) -> Queue.Declare:
    return Queue.Declare(queue=Q, exclusive=True, **options)


def _mandatory(exchange: str, key: str, body: bytes) -> bytes:
    return amqp_frame(1, Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)) + content(body)


def content(body: bytes, **properties: Any) -> bytes:
    """Return content header and body frames."""
    header: bytes = pika.frame.Header(1, len(body), pika.BasicProperties(**properties)).marshal()
    return header + (pika.frame.Body(1, body).marshal() if body else b"")


CONVERSATIONS: Final = (
    Conversation(
        "queue.declare, declare passive, purge, delete",
        (
            _declare(),
            publish("", Q),
            Queue.Declare(queue=Q, passive=True),
            Queue.Purge(queue=Q),
            Queue.Delete(queue=Q),
            Queue.Delete(queue=Q),
        ),
    ),
    Conversation(
        "queue methods without answers",
        (
            _declare(nowait=True),
            Queue.Bind(queue=Q, exchange="amq.direct", routing_key="k", nowait=True),
            publish("amq.direct", "k"),
            Queue.Purge(queue=Q, nowait=True),
            Queue.Declare(queue=Q, passive=True),
            Queue.Delete(queue=Q, nowait=True),
        ),
    ),
    Conversation(
        "queue.bind, unbind",
        (
            _declare(),
            Queue.Bind(queue=Q, exchange="amq.topic", routing_key="vector.*"),
            publish("amq.topic", "vector.a"),
            Queue.Unbind(queue=Q, exchange="amq.topic", routing_key="vector.*"),
            publish("amq.topic", "vector.a"),
            Queue.Declare(queue=Q, passive=True),
        ),
    ),
    Conversation(
        "exchange.declare, declare passive, bind, unbind, delete",
        (
            Exchange.Declare(exchange=X, type="topic"),
            Exchange.Declare(exchange=X, passive=True),
            Exchange.Bind(destination=X, source="amq.topic", routing_key="#"),
            Exchange.Unbind(destination=X, source="amq.topic", routing_key="#"),
            Exchange.Delete(exchange=X),
            Exchange.Delete(exchange=X),
        ),
    ),
    Conversation(
        "exchange methods without answers",
        (
            Exchange.Declare(exchange=X, type="fanout", nowait=True),
            Exchange.Bind(destination=X, source="amq.topic", routing_key="#", nowait=True),
            Exchange.Unbind(destination=X, source="amq.topic", routing_key="#", nowait=True),
            Exchange.Delete(exchange=X, nowait=True),
            Exchange.Declare(exchange=X, passive=True),
        ),
    ),
    Conversation(
        "basic.qos, basic.qos global", (Basic.Qos(prefetch_count=5), Basic.Qos(prefetch_count=9, global_qos=True))
    ),
    Conversation(
        "basic.consume, deliver, ack, cancel",
        (
            _declare(),
            publish("", Q, b"one"),
            Basic.Consume(queue=Q, consumer_tag="tag"),
            publish("", Q, b"two", **EVERY),
            Basic.Ack(1),
            Basic.Ack(2, multiple=True),
            Basic.Cancel("tag"),
            Basic.Cancel("tag"),
            publish("", Q, b"three"),
            Basic.Cancel("tag", nowait=True),
            Queue.Declare(queue=Q, passive=True),
        ),
    ),
    Conversation(
        "basic.consume without an answer, and without settlement",
        (
            _declare(),
            Basic.Consume(queue=Q, consumer_tag="tag", no_ack=True, nowait=True),
            publish("", Q, b""),
            Queue.Declare(queue=Q, passive=True),
        ),
    ),
    Conversation(
        "basic.get, get-empty, reject, nack",
        (
            _declare(),
            Basic.Get(queue=Q),
            publish("", Q, b"one", **EVERY),
            Basic.Get(queue=Q),
            Basic.Reject(1, requeue=True),
            Basic.Get(queue=Q),
            Basic.Nack(2, requeue=True),
            Basic.Get(queue=Q, no_ack=True),
            Basic.Get(queue=Q),
        ),
    ),
    Conversation(
        "basic.recover, recover-async",
        (
            _declare(),
            publish("", Q, b"one"),
            Basic.Get(queue=Q),
            Basic.Recover(requeue=True),
            Basic.Get(queue=Q),
            Basic.RecoverAsync(requeue=True),
            Basic.Get(queue=Q),
        ),
    ),
    Conversation("basic.return", (_mandatory("amq.direct", "vector.nobody", b"back"),)),
    Conversation(
        "confirm.select, basic.ack, basic.return before it",
        (
            Confirm.Select(),
            publish("amq.direct", "vector.nobody"),
            _mandatory("amq.direct", "vector.nobody", b"back"),
            Confirm.Select(nowait=True),
            publish("amq.direct", "vector.nobody"),
        ),
    ),
    Conversation(
        "basic.nack, by a full queue",
        (
            _declare(arguments={"x-max-length": 1, "x-overflow": "reject-publish"}),
            Confirm.Select(),
            publish("", Q),
            publish("", Q),
        ),
    ),
    Conversation(
        "basic.cancel by the broker",
        (_declare(), Basic.Consume(queue=Q, consumer_tag="tag"), Queue.Delete(queue=Q, nowait=True)),
    ),
    Conversation(
        "tx.select, commit, rollback",
        (
            _declare(),
            Tx.Select(),
            publish("", Q),
            Queue.Declare(queue=Q, passive=True),
            Tx.Rollback(),
            publish("", Q),
            Tx.Commit(),
            Queue.Declare(queue=Q, passive=True),
        ),
    ),
    Conversation("channel.flow", (Channel.Flow(active=True),)),
    Conversation("access.request", (Access.Request(realm="/data", active=True),)),
    Conversation("channel.close by the client, open", (Channel.Close(200, "bye", 0, 0), Channel.Open())),
    Conversation(
        "channel.close by the broker, close-ok, open",
        (Queue.Declare(queue="vector.missing", passive=True), Channel.CloseOk(), Channel.Open()),
    ),
    Conversation("connection.close by the client", (amqp_frame(0, Connection.Close(200, "bye", 0, 0)),)),
    Conversation("connection.close by the broker, close-ok", (Channel.Open(), amqp_frame(0, Connection.CloseOk()))),
    Conversation("connection.update-secret", (amqp_frame(0, Connection.UpdateSecret("guest", "renewed")),)),
)
