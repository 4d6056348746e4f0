"""Mistakes in publishing: exchanges, flags, properties and the headers that the broker reads."""

from typing import Any, Final

from pika.spec import Basic, Confirm, Queue

from interop.mistakes.case import BODY, Case, content_header, frame, publish

REPLIES: Final = "amq.rabbitmq.reply-to"


def _to_nobody(**properties: Any) -> Any:
    return lambda name: [publish("", name, **properties)]


PUBLISHING: Final = (
    Case("published to a missing exchange", lambda name: [publish(name, "k")]),
    Case(
        "published to a missing exchange with confirms",
        lambda name: [Confirm.Select(), publish(name, "k")],
    ),
    Case(
        "published with immediate",
        lambda name: [Basic.Publish(routing_key=name, immediate=True), content_header(0)],
    ),
    Case("published with the delivery mode 3", _to_nobody(delivery_mode=3)),
    Case("published with the delivery mode 0", _to_nobody(delivery_mode=0)),
    Case("published with a high priority", _to_nobody(priority=255)),
    Case("published with an expiration that is no number", _to_nobody(expiration="soon")),
    Case("published with a negative expiration", _to_nobody(expiration="-1")),
    Case("published with a fraction as expiration", _to_nobody(expiration="1.5")),
    Case("published with an empty expiration", _to_nobody(expiration="")),
    Case("published with words behind the expiration", _to_nobody(expiration="10ms")),
    Case("published with a huge expiration", _to_nobody(expiration="99999999999999")),
    Case("published with an expiration of 0", _to_nobody(expiration="0")),
    Case("published as another user", _to_nobody(user_id="somebody")),
    Case("published with CC of another type", _to_nobody(headers={"CC": "x"})),
    Case("published with CC of numbers", _to_nobody(headers={"CC": [1, 2]})),
    Case("published with BCC of another type", _to_nobody(headers={"BCC": 5})),
    Case("published with CC of names", _to_nobody(headers={"CC": ["x", "y"]})),
    Case("published with a cluster id", _to_nobody(cluster_id="elsewhere")),
)

DIRECT: Final = (
    Case("replies asked for without a consumer of them", _to_nobody(reply_to=REPLIES)),
    Case(
        "replies consumed with acknowledgements",
        lambda _: [Basic.Consume(queue=REPLIES, consumer_tag="r")],
    ),
    Case(
        "replies consumed twice",
        lambda _: [Basic.Consume(queue=REPLIES, consumer_tag=tag, no_ack=True) for tag in ("a", "b")],
    ),
    Case("replies declared", lambda _: [Queue.Declare(queue=REPLIES)]),
    Case("replies declared passively", lambda _: [Queue.Declare(queue=REPLIES, passive=True)]),
    Case("replies to somebody unknown declared passively", lambda _: [Queue.Declare(queue=f"{REPLIES}.x", passive=True)]),
    Case("replies bound", lambda _: [Queue.Bind(queue=REPLIES, exchange="amq.direct", routing_key="k")]),
    Case("replies asked for a message", lambda _: [Basic.Get(queue=REPLIES)]),
    Case("replies deleted", lambda _: [Queue.Delete(queue=REPLIES)]),
    Case("replies to somebody who is gone", lambda _: [publish("", f"{REPLIES}.gone")]),
)  # fmt: skip

LARGEST_BYTES: Final = 128 << 20  # RabbitMQ's `max_message_size`, and ours unless configured
PIECE: Final = frame(BODY, bytes(131_064))  # as much as goes into a frame of 128 KiB


def _large(size: int) -> bytes:
    """Return the frames of a message that nobody gets: the broker may refuse it before or behind its body."""
    whole, rest = divmod(size, 131_064)
    return content_header(size) + PIECE * whole + frame(BODY, bytes(rest))


SIZES: Final = (
    Case(
        "published with a body that is too large",
        lambda name: [Basic.Publish(routing_key=name), _large(LARGEST_BYTES + 1)],
    ),
    Case(
        "published with a body that is too large and confirms",
        lambda name: [Confirm.Select(), Basic.Publish(routing_key=name), _large(LARGEST_BYTES + 1)],
    ),
    Case(
        "published with the largest body",
        lambda name: [Basic.Publish(routing_key=name), _large(LARGEST_BYTES)],
    ),
)

CASES: Final = (*PUBLISHING, *DIRECT, *SIZES)
