r"""What a user may not do: every method that needs a permission, said by a user who has too few (RabbitMQ "Access Control").

Both users have their name as their password. `limited` may configure, write and read what begins with `mine.`, read
`amq.direct`, and write and read `amq.topic` where the key begins with `mine.`; `stranger` may enter no virtual host. For
RabbitMQ, with the rule that `rabbitmqctl` asks for on a topic exchange:

    add_user limited limited ; add_user stranger stranger
    set_permissions limited '^mine\.' '^(mine\.|amq\.topic$)' '^(mine\.|amq\.topic$|amq\.direct$)'
    set_topic_permissions limited amq.topic '^mine\.' '^mine\.'
"""

from typing import Any, Final

from pika.spec import Basic, Confirm, Connection, Exchange, Queue, Tx

from interop.mistakes.case import TUNED, Case, Steps, publish
from interop.raw import amqp_frame

LIMITED: Final = "limited"
STRANGER: Final = "stranger"

# Of the broker under test: the same, and `guest` as it is without any users named.
USERS: Final = r"""
[[user]]
name = "guest"
password_hash = "$argon2id$v=19$m=19456,t=2,p=1$fJdNeZ2UyUsZjdfptAokuA$ZnmETc36P7j/fduZrZ45CuhHyz4Lgpk4shUD5ZM9iqc"

[[user.permission]]
configure = ".*"
write = ".*"
read = ".*"

[[user]]
name = "limited"
password_hash = "$argon2id$v=19$m=19456,t=2,p=1$7G9hNzjJuaal3NsAmZb+2Q$2OsqaAx6L/xIsXDNOq4+vr3OTYBvH70E/O+Y9foyVdQ"

[[user.permission]]
configure = '^mine\.'
write = '^(mine\.|amq\.topic$)'
read = '^(mine\.|amq\.topic$|amq\.direct$)'
write_topics = '^mine\.'
read_topics = '^mine\.'

[[user]]
name = "stranger"
password_hash = "$argon2id$v=19$m=19456,t=2,p=1$hKCo3E4Y69F+Czws79gAzg$aqaPRbJN4nVh3BMFPcUXAW7EYFEz9kd8asxgJQIbuwU"
"""

Q: Final = "mine.q"
X: Final = "mine.x"
OTHER: Final = "other"  # there is none: whether one may is asked before whether it is there
AGREED: Final = amqp_frame(0, Connection.TuneOk(2047, 131_072, 0))


def _mine(**options: Any) -> Queue.Declare:
    return Queue.Declare(queue=Q, **{"exclusive": True, **options})


def _exchange(**options: Any) -> list[Any]:
    """Declare an exchange, which stays when nothing was bound to it; one from before is deleted."""
    return [Exchange.Delete(exchange=X), Exchange.Declare(exchange=X, type="fanout", auto_delete=True, **options)]


REFUSED: Final[dict[str, list[Any]]] = {
    "queue declared": [Queue.Declare(queue=OTHER)],
    "queue declared without an answer": [Queue.Declare(queue=OTHER, nowait=True)],
    "queue declared that the broker names": [Queue.Declare(queue="", exclusive=True)],
    "queue declared passively": [Queue.Declare(queue=OTHER, passive=True)],
    "queue declared with a reserved name": [Queue.Declare(queue="amq.other")],
    "queue declared with arguments that are wrong": [Queue.Declare(queue=OTHER, arguments={"x-expires": -1})],
    "queue with a dead letter exchange": [_mine(arguments={"x-dead-letter-exchange": OTHER})],
    "queue with the default exchange for dead letters": [_mine(arguments={"x-dead-letter-exchange": ""})],
    "queue with a dead letter exchange of one's own": [_mine(arguments={"x-dead-letter-exchange": X})],
    "queue of one's own": [_mine()],
    "queue deleted": [Queue.Delete(queue=OTHER)],
    "queue purged": [Queue.Purge(queue=OTHER)],
    "queue bound": [Queue.Bind(queue=OTHER, exchange="amq.topic", routing_key="mine.k")],
    "queue bound to an exchange": [_mine(), Queue.Bind(queue=Q, exchange="amq.fanout")],
    "queue bound to the default exchange": [_mine(), Queue.Bind(queue=Q, exchange="", routing_key="k")],
    "queue bound to an exchange that may be read": [_mine(), Queue.Bind(queue=Q, exchange="amq.direct")],
    "queue bound to topics": [_mine(), Queue.Bind(queue=Q, exchange="amq.topic", routing_key="other.k")],
    "queue bound to topics of one's own": [_mine(), Queue.Bind(queue=Q, exchange="amq.topic", routing_key="mine.k")],
    "queue unbound": [Queue.Unbind(queue=OTHER, exchange="amq.topic", routing_key="mine.k")],
    "queue unbound from an exchange": [_mine(), Queue.Unbind(queue=Q, exchange="amq.fanout")],
    "queue unbound from topics": [_mine(), Queue.Unbind(queue=Q, exchange="amq.topic", routing_key="other.k")],
    "queue consumed": [Basic.Consume(queue=OTHER, consumer_tag="c")],
    "queue asked for a message": [Basic.Get(queue=OTHER)],
    "exchange declared": [Exchange.Declare(exchange=OTHER)],
    "exchange declared of an unknown type": [Exchange.Declare(exchange=OTHER, type="x-no-such-type")],
    "exchange declared passively": [Exchange.Declare(exchange=OTHER, passive=True)],
    "exchange declared passively that is there": [Exchange.Declare(exchange="amq.fanout", passive=True)],
    "exchange declared with a reserved name": [Exchange.Declare(exchange="amq.other")],
    "exchange with an alternate": [*_exchange(arguments={"alternate-exchange": OTHER})],
    "exchange with an alternate of one's own": [
        *_exchange(arguments={"alternate-exchange": "mine.y"}),
        Exchange.Delete(exchange=X),
    ],
    "exchange deleted": [Exchange.Delete(exchange=OTHER)],
    "exchange deleted that is predeclared": [Exchange.Delete(exchange="amq.fanout")],
    "exchange bound": [Exchange.Bind(destination=OTHER, source="amq.topic", routing_key="mine.k")],
    "exchange bound to another": [*_exchange(), Exchange.Bind(destination=X, source="amq.fanout")],
    "exchange bound to topics": [
        *_exchange(),
        Exchange.Bind(destination=X, source="amq.topic", routing_key="other.k"),
    ],
    "exchange unbound": [Exchange.Unbind(destination=OTHER, source="amq.topic", routing_key="mine.k")],
    "exchange unbound from another": [*_exchange(), Exchange.Unbind(destination=X, source="amq.fanout")],
    "published": [publish("amq.fanout", "k")],
    "published to a missing exchange": [publish(OTHER, "k")],
    "published with confirms": [Confirm.Select(), publish("amq.fanout", "k")],
    "published in a transaction": [Tx.Select(), publish("amq.fanout", "k"), Tx.Commit()],
    "published to a queue": [_mine(), publish("", Q)],
    "published to topics": [publish("amq.topic", "other.k")],
    "published to topics of one's own": [publish("amq.topic", "mine.k")],
    "published to topics with a copy to others": [publish("amq.topic", "mine.k", headers={"CC": ["other.k"]})],
    "published as another user": [publish("amq.topic", "mine.k", user_id="somebody")],
    "replies consumed": [Basic.Consume(queue="amq.rabbitmq.reply-to", consumer_tag="c", no_ack=True)],
}


def _always(steps: list[Any]) -> Steps:
    return lambda _: steps


CASES: Final = (
    *(Case(f"not allowed: {what}", _always(steps), user=LIMITED) for what, steps in REFUSED.items()),
    Case("not allowed: open", lambda _: [AGREED + amqp_frame(0, Connection.Open("/"))], TUNED, user=STRANGER),
    Case(
        "not allowed: open of a missing virtual host",
        lambda name: [AGREED + amqp_frame(0, Connection.Open(name))],
        TUNED,
        user=STRANGER,
    ),
)
